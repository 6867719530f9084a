"""An expression model that combines views."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hae.config import AgeModelConfig, ExpressionConfig
from hae.models.expression import ExpressionModel


def build(name: str, **settings: object) -> ExpressionModel:
    torch.manual_seed(0)
    config = AgeModelConfig.model_validate(
        {
            "size": 32,
            "embedding": 16,
            "backbone": {"name": "small_resnet"},
            "aggregator": {"name": name, "layers": 1, "heads": 2, "feedforward": 8, "dropout": 0.0},
            "views": {"k": 3},
        }
    )
    expression = ExpressionConfig.model_validate({"aggregate": True, **settings})
    return ExpressionModel(config, expression, 4)


def views(n: int, k: int) -> Tensor:
    return torch.randn(n, k, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_views_left_apart_are_averaged() -> None:
    model, x = build("mean_predictions").eval(), views(2, 3)
    found, singly = model(x), [model(x[:, [k]]) for k in range(3)]
    for name in ("logits", "importance"):
        parts = torch.stack([getattr(one, name) for one in singly])
        assert torch.allclose(getattr(found, name), parts.mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "term"),
    [("scale", "views"), ("sat_soft", "coverage"), ("sat_hard", "policy"), ("mean", None)],
)
def test_what_an_aggregator_adds_to_the_loss(name: str, term: str | None) -> None:
    model = build(name)
    scores = model(views(4, 3))
    terms = model.losses(scores, torch.eye(4))
    assert set(terms) == {"total", "cross_entropy", "rank"} | ({term} if term else set())
    own = 0.5 * terms["cross_entropy"] + 0.5 * terms["rank"]
    total = own if term is None else own + terms[term]
    assert terms["total"].item() == pytest.approx(total.item(), rel=1e-5)
    if name == "scale":  # the mean cross-entropy of each view alone, unscaled
        assert scores.alone is not None
        each = [
            torch.nn.functional.cross_entropy(scores.alone[:, k], torch.arange(4)).item()
            for k in range(3)
        ]
        assert terms["views"].item() == pytest.approx(sum(each) / 3, rel=1e-5)


def test_a_view_alone_is_what_the_network_says_of_its_embedding() -> None:
    # the mean of one view is the view
    model, x = build("mean"), views(2, 1)
    model.config = model.config.model_copy(
        update={"aggregator": model.config.aggregator.model_copy(update={"view_loss": 1.0})}
    )
    found = model(x)
    assert found.alone is not None
    assert torch.allclose(found.alone[:, 0], found.logits, atol=1e-6)
    assert model.eval()(x).alone is None


def test_a_face_as_it_is_without_an_aggregator() -> None:
    model = build("ban", aggregate=False).eval()
    assert model.aggregator is None
    assert model(views(2, 1)[:, 0]).logits.shape == (2, 4)
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        "backbone", "classifier", "importance",
    }  # fmt: skip

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn

from hae.aggregate.core import AGGREGATORS, Aggregator
from hae.config import AggregatorConfig, AggregatorName

SEVERAL: list[AggregatorName] = ["sae", "mean", "max", "mean_predictions"]


def build(name: AggregatorName, dim: int = 16, **settings: float) -> Aggregator:
    torch.manual_seed(0)
    config = AggregatorConfig.model_validate(
        {"name": name, "layers": 2, "heads": 2, "feedforward": 8, **settings}
    )
    made = AGGREGATORS[name](dim, config)
    assert isinstance(made, nn.Module)
    return made.eval()


def test_every_name_has_an_aggregator() -> None:
    assert set(AGGREGATORS) == set(get_args(AggregatorName))


@pytest.mark.parametrize("name", SEVERAL)
def test_shapes_and_the_order_of_views(name: AggregatorName) -> None:
    aggregator, e = build(name), torch.randn(3, 5, 16)
    z = aggregator(e)
    assert z.shape == (3, 5 if name == "mean_predictions" else 1, 16)
    turned = aggregator(e[:, [3, 0, 4, 2, 1]])
    if name == "mean_predictions":
        turned = turned[:, [1, 4, 3, 0, 2]]
    assert torch.allclose(z, turned, atol=1e-6)


@pytest.mark.parametrize("name", get_args(AggregatorName))
def test_one_view_of_one_face(name: AggregatorName) -> None:
    assert build(name)(torch.randn(1, 1, 16)).shape == (1, 1, 16)


def test_pooling_by_hand() -> None:
    e = torch.tensor([[[1.0, 4.0], [3.0, 0.0]]])
    assert build("mean", 2)(e).tolist() == [[[2, 2]]]
    assert build("max", 2)(e).tolist() == [[[3, 4]]]
    assert torch.equal(build("mean_predictions", 2)(e), e)


def test_single_refuses_several_views() -> None:
    with pytest.raises(ValueError, match="2 views, must be 1"):
        build("single")(torch.randn(1, 2, 16))


def test_a_training_batch_of_one_is_refused() -> None:
    aggregator = build("sae")
    assert isinstance(aggregator, nn.Module)
    aggregator.train()
    with pytest.raises(ValueError, match="training batch of 1 face, BatchNorm needs 2"):
        aggregator(torch.randn(1, 4, 16))
    assert aggregator(torch.randn(2, 1, 16)).shape == (2, 1, 16)


def test_the_attention_sees_every_view() -> None:
    aggregator, e = build("sae"), torch.randn(1, 4, 16)
    other = e.clone()
    other[0, 3] = 0
    assert not torch.allclose(aggregator(e), aggregator(other), atol=1e-3)


def test_the_layers_start_apart() -> None:
    weights = dict(build("sae").named_parameters())  # type: ignore[attr-defined]
    first, second = (weights[f"encoder.layers.{i}.linear1.weight"] for i in range(2))
    assert not torch.equal(first, second)


def test_token_scale() -> None:
    # N(0, 1) in 1024 dimensions has norm 32 (SD .7); a scale of 1/32 brings it to 1.
    norms = [
        dict(build("sae", 1024, token_scale=scale).named_parameters())["token"].norm().item()  # type: ignore[attr-defined]
        for scale in (1, 1 / 32)
    ]
    assert norms[0] == pytest.approx(32, abs=3)
    assert norms[1] == pytest.approx(norms[0] / 32, rel=1e-6)

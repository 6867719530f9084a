"""Runs around a network that does not learn: gains by evolution, stopped and resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from audit.errors import InputError
from hae.adapters.checkpoint import load_checkpoint
from hae.backbones.network import Backbone
from hae.checkpoint import read_checkpoint
from hae.config import RunConfig
from hae.training import evolve as module
from hae.training.age import AgeTask
from hae.training.evolve import weighted
from hae.training.run import SEARCH
from hae.training.train_age import train_age
from hae.training.train_expression import train_expression
from tests.hae.training.test_train_expression import order as colours
from tests.hae.training.test_train_expression import write_squares
from tests.hae.training.toys import SHORT, Told, order, write_faces

OWN = (
    *SHORT, "model.backbone.name=dasnet", "model.backbone.of=small_resnet",
    "model.backbone.width=4", "model.backbone.passes=2", "model.backbone.generations=3",
    "model.aggregator.name=mean",
)  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), people=8, size=16)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network, with running sums that are not those of birth."""
    torch.manual_seed(7)
    network = Backbone("small_resnet").train()
    network(torch.rand(8, 3, 16, 16))
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file({k: v.contiguous() for k, v in network.network.state_dict().items()}, path)
    return path


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANDIDATES", 6)


def policy(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in tensors.items() if ".policy." in k}


def test_gains_evolve_and_the_network_stays(table: Path, trained: Path, tmp_path: Path) -> None:
    own = (*OWN, f"model.backbone.init={trained}")
    told = Told()
    made = train_age(order(table, tmp_path / "a", *own), told)
    found = read_checkpoint(made).part("model")
    given = {k: v for k, v in found.items() if k.startswith("backbone.network.inner.network.")}
    before = Backbone("small_resnet").network
    before.load_state_dict({k.split("inner.network.")[1]: v for k, v in given.items()})
    first = load_file(trained)
    assert all(torch.equal(v, first[k]) for k, v in before.state_dict().items())
    generations = [f["generation"] for _, f in told.steps if "generation" in f]
    assert generations == [1, 2, 3]
    (said,) = [text for text in told.notices if "gains" in text]
    assert "dasnet.small_resnet: after 3 generations of gains the validation distance is" in said
    # at birth the last layer of the policy is 0; it stays so only where that was better
    moved = any((v != 0).any() for k, v in policy(found).items() if "outer" in k)
    assert moved == said.endswith("they stay")
    frozen = order(
        table, tmp_path / "b", *OWN, f"model.backbone.init={made}", "model.backbone.frozen=true"
    )
    told = Told()
    again = read_checkpoint(train_age(frozen, told)).part("model")
    assert not told.notices
    assert policy(found)
    assert all(torch.equal(again[k], v) for k, v in policy(found).items())
    saved = load_checkpoint(made).model.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(saved[k], v) for k, v in found.items())
    assert not (made.parent / SEARCH).exists()


def test_a_stopped_search_goes_on_as_if_it_had_not(
    table: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (*OWN, f"model.backbone.init={trained}")
    monkeypatch.setattr(module, "SAVE_EVERY", 2)
    # gains that are not kept would not tell
    monkeypatch.setattr(AgeTask, "validate", lambda task, device: {"distance": 1.0})
    made = train_age(order(table, tmp_path / "a", *own), Told())
    assert not (made.parent / SEARCH).exists()

    class Impatient(Told):
        def step(self, step: int, figures: Mapping[str, float]) -> None:
            if figures.get("generation") == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_age(order(table, tmp_path / "b", *own), Impatient())
    assert (tmp_path / "b" / SEARCH).is_file()
    told = Told()
    again = train_age(order(table, tmp_path / "b", *own), told)
    assert [f["generation"] for _, f in told.steps if "generation" in f] == [3]
    assert again.read_bytes() == made.read_bytes()
    # learned further, they are compared with what was learned before
    told = Told()
    train_age(order(table, tmp_path / "c", *OWN, f"model.backbone.init={made}"), told)
    (said,) = [text for text in told.notices if "gains" in text]
    assert "with the gains it began with it is" in said


def test_expressions_evolve_too(trained: Path, tmp_path: Path) -> None:
    squares = write_squares(tmp_path / "squares", people=8)
    asked = colours(squares, tmp_path / "run")
    model = asked.config.model.model_dump(mode="json")
    model["backbone"] |= {
        "name": "dasnet", "of": "small_resnet", "width": 4, "passes": 2, "generations": 2,
        "init": str(trained),
    }  # fmt: skip
    content = asked.config.model_dump(mode="json") | {"model": model, "steps": 6, "batch_size": 4}
    told = Told()
    made = train_expression(replace(asked, config=RunConfig.model_validate(content)), told)
    assert [f["generation"] for _, f in told.steps if "generation" in f] == [1, 2]
    assert any("after 2 generations of gains the validation error is" in x for x in told.notices)
    assert read_checkpoint(made).header.metrics["accuracy"] >= 0


def test_what_is_better_on_the_faces_of_the_search_but_not_on_others_is_dropped(
    table: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # away from gains of 1 all is said to be wrong by a year more
    validate = AgeTask.validate

    def spoilt(task: AgeTask, device: torch.device) -> dict[str, float]:
        outer = task.model.backbone.network.policy.outer.weight  # type: ignore[operator, union-attr]
        return {"distance": validate(task, device)["distance"] + float(outer.abs().sum() > 0)}  # type: ignore[union-attr]

    monkeypatch.setattr(AgeTask, "validate", spoilt)
    told = Told()
    own = (*OWN, f"model.backbone.init={trained}")
    found = read_checkpoint(train_age(order(table, tmp_path, *own), told)).part("model")
    assert all((v == 0).all() for k, v in policy(found).items() if "outer" in k)
    assert any(text.endswith("gains of 1 stay") for text in told.notices)


def test_mistakes_weigh_far_more_than_hits() -> None:
    # a probability of 0.4 is a mistake, one of 0.6 a hit
    costs = -torch.tensor([0.4, 0.6]).log()
    assert weighted(costs).tolist() == pytest.approx([0.9163, 0.005108], rel=1e-3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), r"'dasnet\.small_resnet': works on a trained .*init"),
        (("model.backbone.frozen=true",), "frozen before it has learned its gains, .*train it"),
    ],
)
def test_a_trained_network_must_be_named(
    more: tuple[str, ...], message: str, table: Path, trained: Path, tmp_path: Path
) -> None:
    init = (f"model.backbone.init={trained}",) if more else ()
    with pytest.raises(InputError, match=message):
        train_age(order(table, tmp_path, *OWN, *more, *init), Told())

"""Runs whose backbone takes something from the training faces before it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hae.adapters.checkpoint import load_checkpoint
from hae.backbones.network import Backbone
from hae.checkpoint import read_checkpoint
from hae.training.train_age import train_age
from tests.hae.training.toys import SHORT, Told, order, write_faces

OWN = (
    *SHORT, "model.size=32", "model.backbone.name=two_level", "model.backbone.of=small_resnet",
    "model.backbone.grid=2", "model.backbone.overlap=0.5", "model.backbone.locations=[1]",
    "model.aggregator.name=san", "model.aggregator.width=8",
)  # fmt: skip
GROUPS = "backbone.network.detectors"


def test_filters_are_grouped_by_the_faces_and_stay_so(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "faces", people=8, size=16)
    told = Told()
    made = train_age(order(table, tmp_path / "a", *OWN), told)
    assert "grouping filters" in told.stages
    assert any("grouped before they have learned" in text for text in told.notices)
    found = read_checkpoint(made).part("model")
    own = load_checkpoint(made).model.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(own[k], v) for k, v in found.items())
    weights = found[GROUPS]
    assert weights.shape[0] == 3
    assert ((weights > 0).sum(dim=0) <= 1).all()
    assert all((row > 0).any() for row in weights)
    # the next run groups them anew, as they are after they have learned
    told = Told()
    init = f"model.backbone.init={made}"
    more = (init, "model.backbone.frozen=true", "embed_views=4")
    again = read_checkpoint(train_age(order(table, tmp_path / "b", *OWN, *more), told))
    assert not any("before" in text for text in told.notices)
    after = again.part("model")
    assert not torch.equal(after[GROUPS], weights)
    same = [k for k in found if k.startswith("backbone.") and k != GROUPS]
    assert all(torch.equal(after[k], found[k]) for k in same)


def test_frozen_before_it_has_learned_where_to_look_is_told(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "faces", people=8, size=16)
    alone = tmp_path / "small.safetensors"
    state = Backbone("small_resnet").network.state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, alone)
    more = (f"model.backbone.init={alone}", "model.backbone.frozen=true", "embed_views=4")
    told = Told()
    train_age(order(table, tmp_path / "a", *OWN, *more), told)
    (said,) = told.notices
    assert "'two_level.small_resnet': is frozen before it has learned where to look" in said


@pytest.mark.parametrize(("steps", "told"), [(6, True), (5, False)])
def test_a_run_that_only_learns_to_propose_is_told(steps: int, told: bool, tmp_path: Path) -> None:
    """6 batches of which 6, or 5, are of highest response: none, or one, learns where to look."""
    table = write_faces(tmp_path / "faces", people=8, size=16)
    report = Told()
    own = (
        *SHORT, "model.size=32", "model.backbone.name=racnn", "model.backbone.of=small_resnet",
        "model.backbone.base=32", f"model.backbone.proposal_steps={steps}",
    )  # fmt: skip
    made = train_age(order(table, tmp_path / "a", *own), report)
    assert read_checkpoint(made).part("model")["backbone.network.batches"] == 6
    said = [text for text in report.notices if "all 6 batches of the run are of its 6" in text]
    assert bool(said) == told
    if said:
        assert "raise steps, or lower model.backbone.proposal_steps" in said[0]

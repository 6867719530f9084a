"""Backbones that learn where to look, inside the models of age and of expression."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from hae.adapters.checkpoint import load_checkpoint
from hae.backbones.network import Backbone
from hae.backbones.weights import load_weights
from hae.checkpoint import read_checkpoint
from hae.config import AgeModelConfig, ExpressionConfig, RunConfig
from hae.data.readers import read_data
from hae.heads.target import AgeTarget
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.predict import predict
from hae.training.labels import read_labels
from hae.training.run import Order, begin
from hae.training.train_age import train_age
from hae.training.train_expression import train_expression
from tests.hae.training.toys import SHORT, Told, order, write_faces

AGES = torch.tensor([20.0, 50.0])
TARGET = AgeTarget(AGES, AGES)
FAMILIES: list[dict[str, Any]] = [
    {"name": "stn", "of": "small_resnet"},
    {"name": "bcnn", "of": "small_resnet", "width": 8},
    {"name": "tnet", "of": "small_resnet", "grid": 3, "overlap": 0.5, "locations": [2]},
    {"name": "hourglass", "width": 8, "parts": 3},
    {"name": "racnn", "of": "small_resnet", "width": 8},
    {"name": "ram", "glimpses": 2},
    {"name": "dram", "glimpses": 2},
    {"name": "two_level", "of": "small_resnet", "grid": 3, "overlap": 0.5, "locations": [1]},
]


def config(backbone: dict[str, Any], aggregator: str, size: int = 64) -> AgeModelConfig:
    return AgeModelConfig.model_validate(
        {
            "size": size,
            "embedding": 16,
            "backbone": backbone,
            "aggregator": {"name": aggregator, "width": 8, "cells": 2},
            "head": {"hidden": 16},
            "views": {"k": 2},
        }
    )


def faces(k: int, size: int = 64) -> Tensor:
    return torch.rand(2, k, 3, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("aggregator", ["mean", "san", "han"])
@pytest.mark.parametrize("backbone", FAMILIES, ids=lambda found: str(found["name"]))
def test_every_family_learns_ages(backbone: dict[str, Any], aggregator: str) -> None:
    torch.manual_seed(0)
    model = AgeModel(config(backbone, aggregator))
    output = model(faces(2), faces(1))
    terms = model.losses(output, TARGET)
    terms["total"].backward()
    assert output.age.shape == (2,)
    assert model.backbone.learns_where == (output.attended is not None)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    own = set(terms) - {"total"}
    head = set(model.head.losses(output.raw, TARGET.repeat(output.groups)))
    parts = sum(terms[name] for name in own - head)
    assert torch.allclose(terms["total"], terms_of_head(model, output) + parts, atol=1e-4)
    model.eval()
    assert model(faces(2), faces(1)).attended is None


def terms_of_head(model: AgeModel, output: Any) -> Tensor:
    return model.head.losses(output.raw, TARGET.repeat(output.groups))["total"]


def test_no_term_of_a_backbone_hides_one_of_an_aggregator() -> None:
    torch.manual_seed(0)
    model = AgeModel(config(FAMILIES[2], "sat_hard"))
    terms = model.losses(model(faces(2), faces(1)), TARGET)
    assert {"policy", "backbone_policy"} <= set(terms)


@pytest.mark.parametrize("aggregate", [False, True])
@pytest.mark.parametrize("backbone", FAMILIES, ids=lambda found: str(found["name"]))
def test_every_family_learns_expressions(backbone: dict[str, Any], aggregate: bool) -> None:
    torch.manual_seed(0)
    settings = ExpressionConfig(aggregate=aggregate)
    model = ExpressionModel(config(backbone, "mean"), settings, 3)
    x = faces(2)
    scores = model(x if aggregate else x[:, 0])
    model.losses(scores, torch.eye(3)[[0, 2]])["total"].backward()
    assert scores.logits.shape == (2, 3)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


RUNS = {
    "tnet": ("of=small_resnet", "grid=2", "overlap=0.5", "locations=[2]"),
    "racnn": ("of=small_resnet", "base=32", "proposal_steps=3"),
    "ram": ("glimpses=2",),
    "dram": ("glimpses=2",),
}
"""Keys of backbones in short runs at 32 pixels."""


def settings(backbone: str) -> list[str]:
    keys = (f"name={backbone}", *RUNS[backbone])
    return [*SHORT, "model.size=32", *(f"model.backbone.{key}" for key in keys)]


@pytest.mark.parametrize("backbone", RUNS)
def test_a_whole_run_and_its_checkpoint(tmp_path: Path, backbone: str) -> None:
    # what is predicted from the file is what validation said, and its weights begin another run
    table = write_faces(tmp_path / "faces", people=8, size=16)
    own = settings(backbone)
    told = Told()
    made = train_age(order(table, tmp_path / "a", *own), told)
    assert all(math.isfinite(value) for _, figures in told.steps for value in figures.values())
    first = load_checkpoint(made)
    again = order(table, tmp_path / "b", *own, f"model.backbone.init={made}")
    model = AgeModel(again.config.model)
    begin(model, model.backbone, again, told)
    saved = first.model.backbone.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(v, saved[k]) for k, v in model.backbone.state_dict().items())
    if backbone == "racnn":  # has learned what the highest squares are, and is past that
        assert saved["network.batches"] == 6
    if "of=small_resnet" not in RUNS[backbone]:
        return
    # weights of the network inside fit it as well
    alone = tmp_path / "small.safetensors"
    inner = {
        k: torch.zeros(v.shape, dtype=v.dtype)
        for k, v in Backbone("small_resnet").network.state_dict().items()
    }
    save_file(inner, alone)
    part = model.backbone.part_of(str(alone))
    load_weights(part, str(alone), partial=False, timm_name="small_resnet")
    assert all((v == 0).all() for v in part.state_dict().values())
    assert any((v != 0).any() for v in model.backbone.state_dict().values())


@pytest.mark.parametrize(
    ("family", "where", "born"),
    [("stn", "matrix.weight", 0.0), ("tnet", "baseline", 0.5)],
)
def test_a_whole_run_of_expressions_on_drawn_faces(
    tmp_path: Path, family: str, where: str, born: float
) -> None:
    # all of the Self-Cure Network, and what learns where to look is not as it was born
    backbone = next(found for found in FAMILIES if found["name"] == family)
    faces = read_data("rendered:people=24,photos=2,size=32")
    config = RunConfig.model_validate(
        {
            "steps": 6,
            "batch_size": 8,
            "validate_every": 3,
            "validation": 0.3,
            "model": {"size": 32, "backbone": backbone, "views": {"k": 1}},
            "optimizer": {"name": "adamw", "lr": 1e-3, "warmup": 2},
            "expression": {"relabel_from": 1, "relabel_margin": -0.5},
        }
    )
    out, told = tmp_path / "run", Told()
    made = train_expression(Order(faces, None, config, out, out / "cache", None, 1, {}), told)
    assert [step for step, _ in told.steps] == [3, 6]
    assert all(math.isfinite(value) for _, figures in told.steps for value in figures.values())
    model = load_checkpoint(made)
    assert model.classes == read_labels(faces).classes
    state = model.model.backbone.state_dict()  # type: ignore[union-attr]
    assert (state[f"network.{where}"] != born).any()
    frame = predict(faces, model, workers=1)
    proba = frame[[f"prob_{name}" for name in model.classes]].to_numpy()
    assert proba.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert frame["expression_pred"].isin(model.classes).all()


@pytest.mark.parametrize("backbone", ["racnn", "ram"])
def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path: Path, backbone: str) -> None:
    # stopped at step 4, it goes on from step 2: before proposals are learned by rank
    table = write_faces(tmp_path / "faces", people=8, size=16)
    own = [*settings(backbone), "validate_every=2"]

    class Impatient(Told):
        def step(self, step: int, figures: Mapping[str, float]) -> None:
            if step == 4:
                raise KeyboardInterrupt

    whole = train_age(order(table, tmp_path / "a", *own), Told())
    with pytest.raises(KeyboardInterrupt):
        train_age(order(table, tmp_path / "b", *own), Impatient())
    told = Told()
    parts = train_age(order(table, tmp_path / "b", *own), told)
    assert told.steps[0][0] == 4
    one, two = (read_checkpoint(path).part("model") for path in (whole, parts))
    assert all(torch.equal(one[name], two[name]) for name in one.keys() | two.keys())

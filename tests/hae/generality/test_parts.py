"""Aggregators of two streams read the parts that a backbone finds."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from hae.adapters.checkpoint import load_checkpoint
from hae.checkpoint import read_checkpoint
from hae.config import CHECKPOINT
from hae.data.core import Manifest
from hae.generality.grid import GridConfig
from tests.hae.generality.small import GRID, run

PARTS = GridConfig.model_validate(
    GRID.model_dump(mode="json")
    | {
        "backbones": [{"name": "hourglass", "width": 16, "parts": 3}],
        "aggregators": [{"name": "ban", "width": 16}],
        "controls": False,
        "seeds": [0],
        "stage_one": 4,
    }
)


def test_parts_of_an_hourglass_are_regions(parts: dict[str, Manifest], tmp_path: Path) -> None:
    (record,) = run(parts, tmp_path, PARTS)
    assert record.status == "done", record.reason
    file = tmp_path / record.key / "run" / CHECKPOINT
    tensors = read_checkpoint(file).part("model")
    assert tensors["region_projection.weight"].shape == (16, 16)
    assert tensors["projection.weight"].shape == (16, 48)
    saved = {k: v for k, v in tensors.items() if k.startswith("backbone.")}
    own = load_checkpoint(file).model.state_dict()  # type: ignore[union-attr]
    assert saved
    assert all(torch.equal(own[k], v) for k, v in saved.items())
    first = read_checkpoint(tmp_path / "hourglass-first" / CHECKPOINT).part("model")
    assert all(torch.equal(first[k], v) for k, v in saved.items())
    sign = json.loads((tmp_path / "cache" / "hourglass.views.json").read_text())
    assert sign["settings"] == 'hourglass {"parts": 3, "width": 16}'

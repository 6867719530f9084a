"""Backbones that choose where to look, as backbones of a grid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hae.data.core import Manifest
from hae.generality.grid import GridConfig
from tests.hae.generality.small import GRID, run

RACNN = {"name": "racnn", "of": "small_resnet", "base": 32, "width": 8, "proposal_steps": 1}


@pytest.mark.parametrize(
    ("backbone", "name", "settings"),
    [
        ({"name": "ram", "glimpses": 2}, "ram", 'ram {"glimpses": 2}'),
        (RACNN, "racnn.small_resnet", "racnn {"),
    ],
)
def test_hard_attention_in_a_grid(
    parts: dict[str, Manifest], tmp_path: Path, backbone: dict[str, Any], name: str, settings: str
) -> None:
    grid = GridConfig.model_validate(
        GRID.model_dump(mode="json")
        | {"backbones": [backbone], "aggregators": ["mean"], "controls": False}
        | {"seeds": [0], "stage_one": 2}
    )
    (record,) = run(parts, tmp_path, grid)
    assert (record.backbone, record.status, record.reason) == (name, "done", None)
    assert record.metrics["mae"] > 0
    # stored views belong to the settings of a backbone too
    sign = json.loads((tmp_path / "cache" / f"{name}.views.json").read_text())
    assert sign["settings"].startswith(settings)

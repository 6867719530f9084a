"""A folder holds one grid, which may grow and not shrink."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.errors import InputError
from hae.data.core import Manifest
from hae.generality.folder import SIGN, signed
from hae.generality.grid import GridConfig
from tests.hae.generality.small import GRID, bench

SMALL = GRID.model_copy(update={"stored_views": 16})
MORE: dict[str, Any] = {
    "backbones": ["small_resnet", {"name": "lcnet_050", "init": "timm"}],
    "aggregators": ["single", "mean", {"name": "san", "width": 16}, "max"],
    "heads": ["hierarchical", "corn"],
    "ks": [4, 2],
    "bin_widths": [1.0, 5.0],
    "seeds": [0, 1, 2],
    "seeds_of": {"small_resnet": [0, 1, 2]},
}


def grown(more: Mapping[str, Any]) -> GridConfig:
    return GridConfig.model_validate(SMALL.model_dump(mode="json") | more)


def sign(parts: dict[str, Manifest], out: Path, grid: GridConfig = SMALL) -> dict[str, Any]:
    with signed(grid, bench(parts, out), parts["others"], out):
        found: dict[str, Any] = json.loads((out / SIGN).read_text())
    return found


@pytest.mark.parametrize("key", MORE)
def test_a_grid_may_grow_and_not_shrink(
    parts: dict[str, Manifest], tmp_path: Path, key: str
) -> None:
    sign(parts, tmp_path)
    large = grown({key: MORE[key]})
    assert sign(parts, tmp_path, large)[key] == large.model_dump(mode="json")[key]
    with pytest.raises(InputError, match=f"differs in {key}; a grid may grow, so name all that"):
        sign(parts, tmp_path)
    assert sign(parts, tmp_path, large)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"stored_views": 20}, "stored_views"),
        ({"stage_one": 13}, "stage_one"),
        ({"mode": "end_to_end"}, "mode"),
        ({"controls": False}, "controls"),
        ({"seeds_of": {"small_resnet": [0, 2]}}, "seeds_of"),
        ({"aggregators": ["mean", "single", {"name": "san", "width": 8}]}, "aggregators"),
        ({"backbones": [{"name": "small_resnet", "init": "timm"}]}, "backbones"),
    ],
)
def test_any_other_change_is_refused(
    parts: dict[str, Manifest], tmp_path: Path, more: dict[str, Any], what: str
) -> None:
    before = sign(parts, tmp_path)
    with pytest.raises(InputError, match=f"holds a grid that differs in {what}; "):
        sign(parts, tmp_path, grown(more))
    assert json.loads((tmp_path / SIGN).read_text()) == before


def test_other_faces_are_refused(parts: dict[str, Manifest], tmp_path: Path) -> None:
    sign(parts, tmp_path)
    other = replace(bench(parts, tmp_path), test=parts["others"])
    with pytest.raises(InputError, match="differs in data; "), signed(SMALL, other, None, tmp_path):
        pass


def test_people_to_learn_from_may_come_with_the_first_that_needs_them(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    published = grown({"backbones": [{"name": "lcnet_050", "init": "timm"}]})
    with signed(published, bench(parts, tmp_path), None, tmp_path):
        pass
    both = grown({"backbones": [{"name": "lcnet_050", "init": "timm"}, "small_resnet"]})
    assert sign(parts, tmp_path, both)["data"]["first"]


def test_a_grown_grid_that_is_refused_leaves_the_folder_as_it_was(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    before = sign(parts, tmp_path)
    more = grown({"seeds": MORE["seeds"]})
    with (
        pytest.raises(InputError, match="people"),
        signed(more, bench(parts, tmp_path), parts["others"], tmp_path),
    ):
        raise InputError("people are in both")
    assert json.loads((tmp_path / SIGN).read_text()) == before


def test_keys_that_did_not_exist_have_their_defaults(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    older = sign(parts, tmp_path)
    del older["mode"], older["base"]["view_seed"], older["aggregators"][0]["partner"]
    (tmp_path / SIGN).write_text(json.dumps(older))
    assert sign(parts, tmp_path)["mode"] == "frozen"
    (tmp_path / SIGN).write_text(json.dumps(older))
    with pytest.raises(InputError, match="differs in mode"):
        sign(parts, tmp_path, grown({"mode": "end_to_end"}))


def test_a_backbone_that_is_new_may_have_seeds_of_its_own(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    sign(parts, tmp_path)
    two = [*SMALL.model_dump(mode="json")["backbones"], {"name": "ram", "glimpses": 2}]
    assert sign(parts, tmp_path, grown({"backbones": two, "seeds_of": {"ram": [7]}}))

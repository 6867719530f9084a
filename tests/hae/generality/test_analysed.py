"""Names, controls and warnings of a grid that is analysed."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import InputError
from audit.generality.cells import Cell
from hae.generality.analysed import control_of, matched_of, named, trained_cells, weak_controls
from hae.generality.cells import CellRecord
from hae.generality.grid import GridConfig

GRID = GridConfig.model_validate(
    {"backbones": ["a"], "aggregators": ["mean", "ban"], "ks": [1, 4], "heads": ["corn"]}
)


def record(aggregator: str, k: int = 1, mae: float | None = None) -> CellRecord:
    return CellRecord(
        key=f"a-{aggregator}-corn-k{k}-w1-s0", backbone="a", aggregator=aggregator, head="corn",
        k=k, bin_width=1.0, seed=0, task="age", metrics={} if mae is None else {"mae": mae},
        status="diverged" if mae is None else "done", reason="too wild" if mae is None else None,
        fingerprint="-",
    )  # fmt: skip


ALL = [
    record(name, k) for k in (1, 4) for name in ("mean", "ban", "views_mlp.ban", "regions_mlp.ban")
]


def test_what_varies_is_part_of_the_name() -> None:
    names = [named(GRID, one) for one in ALL]
    assert names[:4] == ["mean k1", "ban k1", "views_mlp.ban k1", "regions_mlp.ban k1"]
    plain = GRID.model_copy(update={"ks": (4,)})
    assert named(plain, ALL[1]) == "ban"
    both = GRID.model_copy(update={"heads": ("corn", "regression")})
    assert named(both, ALL[1]) == "ban k1 corn"


def test_controls_of_equal_size_have_the_same_settings() -> None:
    assert matched_of(GRID, ALL) == {
        "ban k1": ["views_mlp.ban k1", "regions_mlp.ban k1"],
        "ban k4": ["views_mlp.ban k4", "regions_mlp.ban k4"],
    }
    assert matched_of(GRID, ALL[:2]) == {}


def test_the_control_is_the_mean_of_the_first_settings() -> None:
    names = [named(GRID, one) for one in ALL]
    assert control_of(names, None) == "mean k1"
    assert control_of(["single", "sae", "mean"], None) == "mean"
    assert control_of(["sae", "single"], None) == "single"
    assert control_of(names, "ban k4") == "ban k4"
    with pytest.raises(InputError, match=r"--control ben k4: no such .*did you mean ban k4"):
        control_of(names, "ben k4")
    with pytest.raises(InputError, match="neither mean nor single"):
        control_of(["ban k1"], None)


def test_a_failed_cell_keeps_its_kind_and_reason(tmp_path: Path) -> None:
    found = trained_cells(GRID, [record("ban", 4)], tmp_path)
    (cell,) = found
    assert cell == Cell("a", "ban k4", 0)
    assert (found[cell].status, found[cell].reason) == ("diverged", "too wild")
    assert found[cell].predictions is None


def test_a_control_must_be_better_than_half_of_the_constant() -> None:
    """Of a constant that is 15 years off, half is 7.5: that itself is not better."""
    cells = [record("mean", 1, 7.4), record("mean", 4, 30.0), record("ban", 1, 20.0)]
    assert weak_controls(cells, {"mae": 15.0}, "mean k1", GRID) == []
    cells[0] = record("mean", 1, 7.5)
    (weak,) = weak_controls(cells, {"mae": 15.0}, "mean k1", GRID)
    assert weak.code == "weak_control"
    assert "1 of 1 trainings of the control 'mean k1'" in weak.message
    assert "a-mean-corn-k1-w1-s0 with 7.5" in weak.message
    assert weak_controls([record("mean", 1)], {"mae": 15.0}, "mean k1", GRID) == []

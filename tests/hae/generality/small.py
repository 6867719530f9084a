"""A small grid on grey squares, and how to run it."""

from __future__ import annotations

from pathlib import Path

from hae.data.core import Manifest
from hae.generality.cells import Bench, CellRecord
from hae.generality.grid import GridConfig
from hae.generality.run import run_grid
from tests.hae.training.toys import Told

GRID = GridConfig.model_validate(
    {
        "base": {
            "steps": 8,
            "batch_size": 8,
            "validate_every": 4,
            "save_every": 2,
            "optimizer": {"name": "adamw", "lr": 1e-3, "warmup": 2},
            "model": {"size": 32, "embedding": 16, "head": {"hidden": 16}, "views": {"k": 2}},
        },
        "backbones": [{"name": "small_resnet"}],
        "aggregators": [{"name": "mean"}, {"name": "san", "width": 16}, {"name": "single"}],
        "ks": [2],
        "seeds": [0, 1],
        "stage_one": 12,
        "stored_views": 8,
    }
)


def bench(parts: dict[str, Manifest], out: Path) -> Bench:
    three = (parts[name] for name in ("train", "validation", "test"))
    return Bench(*three, out=out, cache=out / "cache", versions={"toys": "1"})


def run(parts: dict[str, Manifest], out: Path, grid: GridConfig = GRID) -> list[CellRecord]:
    return run_grid(grid, bench(parts, out), parts["others"], Told(), lambda record: None)


def lasting(records: list[CellRecord]) -> list[dict[str, object]]:
    """Without times, which no two runs share."""
    times = {"seconds", "step_ms", "forward_ms"}
    return [record.model_dump(exclude={"cost": times}) for record in records]

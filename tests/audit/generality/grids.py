"""Simulated grids: faces of persons in groups, and trainings whose gain is planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from audit.generality.cells import Cell, Trained
from audit.predictions import Predictions, predictions_from_frame

Shrink = Callable[[str, str, np.ndarray], np.ndarray | float]
"""(backbone, aggregator, group of each face) -> what its errors are multiplied by."""


def nothing(backbone: str, aggregator: str, group: np.ndarray) -> float:
    return 1.0


def faces(n: int = 300, groups: Sequence[str] = ("x", "y", "z"), seed: int = 0) -> pd.DataFrame:
    """Faces of n // 2 persons, two each; person and group go together."""
    rng = np.random.default_rng(seed)
    person = np.arange(n) // 2
    return pd.DataFrame({
        "sample_id": [f"f{i:05d}" for i in range(n)],
        "subject_id": [f"p{i:05d}" for i in person],
        "group": np.array(groups)[person % len(groups)],
        "age": rng.uniform(5, 75, n).round(1),
    })  # fmt: skip


def errors(frame: pd.DataFrame, cell: Cell, shared: float, seed: int) -> np.ndarray:
    """SD 6 years: luck with the face, common to all trainings, and the training's own."""
    n = len(frame)
    common = np.random.default_rng([seed, 1]).normal(0, 6, n)
    # a number of its own for every cell that does not hang on the others
    key = [seed, 2, cell.seed, *map(ord, cell.backbone), 0, *map(ord, cell.aggregator)]
    own = np.random.default_rng(key).normal(0, 6, n)
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * own


def grid(
    frame: pd.DataFrame,
    shrink: Shrink = nothing,
    *,
    backbones: Sequence[str] = ("b1", "b2", "b3"),
    aggregators: Sequence[str] = ("mean", "sae", "max"),
    seeds: Sequence[int] = (0, 1),
    shared: float = 0.8,
    seed: int = 0,
    failed: Mapping[Cell, str] | None = None,
) -> dict[Cell, Trained]:
    """All cells; the errors of a training are shrunk by the plan."""
    found = {}
    group = frame["group"].to_numpy()
    for cell in (Cell(b, a, s) for b in backbones for a in aggregators for s in seeds):
        if failed and cell in failed:
            found[cell] = Trained(reason=failed[cell])
            continue
        off = errors(frame, cell, shared, seed) * shrink(cell.backbone, cell.aggregator, group)
        table = table_of(frame, frame["age"] + off)
        size = 1000 * (1 + aggregators.index(cell.aggregator))
        found[cell] = Trained(
            table, parameters=10_000 + size, trained_parameters=size, train_seconds=2.0,
            step_ms=size / 400, forward_ms=1.0, memory_mb=100.0,
        )  # fmt: skip
    return found


def table_of(frame: pd.DataFrame, age_pred: Any) -> Predictions:
    return predictions_from_frame(frame.assign(age_pred=age_pred), task="age")

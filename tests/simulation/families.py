"""Worlds for families of tests: the errors of many groups, and the engine run on them directly.

What a real audit does with a table before (reading, cells, features) is left out; sums, estimates,
replicates, families and rows are the engine's own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit.adjusted import Adjusted, adjusted_rest
from audit.block import Block, Setting, build_block
from audit.gaps import gap_rows
from audit.groups import Grouping
from audit.hashing import mix
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.resample import resample, weightings
from audit.rows import Gap
from audit.units import Rows, UnitSums, group_sums

FAIRFACE_VAL = [
    *(1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 6, 6, 7, 7, 7, 7, 8, 8, 8, 8, 9),
    *(9, 9, 9, 9, 10, 10, 10, 12, 13, 16, 17, 18, 19, 19, 20, 21, 21, 21, 22, 23, 23, 26, 26, 28),
    *(28, 28, 28, 29, 29, 30, 31, 33, 34, 34, 34, 34, 36, 37, 37, 39, 39, 40, 40, 40, 40, 40, 41),
    *(41, 42, 44, 45, 46, 48, 51, 53, 53, 53, 54, 54, 54, 55, 56, 57, 57, 58, 61, 61, 63, 64, 65),
    *(65, 69, 71, 72, 75, 79, 79, 82, 84, 87, 88, 89, 92, 97, 104, 105, 110, 115, 123, 124, 125),
    *(128, 166, 174),
]
"""Faces in the 125 cells of age x gender x race of FairFace's 5,000 validation faces."""
GEOMETRIC = np.unique(np.round(np.geomspace(3, 800, 30))).astype(int).tolist()
"""29 sizes from 3 to 800, each about 1.2 times the one before."""
HALF_NORMAL = np.sqrt(2 / np.pi)
T3 = 2 * np.sqrt(3) / np.pi
"""Mean absolute value of the standard normal and of Student's t with 3 degrees of freedom."""


def normal_errors(sizes: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Error SD 5 in every group: MAE 3.99."""
    return [rng.normal(0, 5, n) for n in sizes]


def mixed_errors(sizes: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Every other group has heavy tails (t3), all with the MAE of an error SD of 5."""
    heavy = 5 * HALF_NORMAL / T3
    return [
        heavy * rng.standard_t(3, n) if k % 2 else rng.normal(0, 5, n) for k, n in enumerate(sizes)
    ]


def hits(accuracy: float):
    """Errors of 0 or 20 years, so that cs5 is the accuracy."""

    def draw(sizes: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
        return [np.where(rng.random(n) < accuracy, 0.0, 20.0) for n in sizes]

    return draw


def setting_of(metric: str, n_boot: int, seed: int, **more) -> Setting:
    layout = age_layout()
    chosen = next(m for m in age_metrics() if m.name == metric)
    columns = layout.columns(*dict.fromkeys([*chosen.features, "n", "w"]))
    return Setting((chosen,), {}, layout, columns, n_boot, seed, 30, all_pairs=False, **more)


def sums_of(errors: Sequence[np.ndarray]) -> tuple[UnitSums, Grouping]:
    """Sums of groups of single faces, a person each."""
    layout = age_layout()
    error = np.abs(np.concatenate(errors))
    cell = np.repeat(np.arange(len(errors)), [len(part) for part in errors])
    values = np.zeros((len(error), layout.size))
    for name, column in (
        ("n", np.ones(len(error))),
        ("w", np.ones(len(error))),
        ("abs_error", error),
        ("cs5", error <= 5),
    ):
        values[:, layout.columns(name)[0]] = column
    keys = mix(np.arange(len(error), dtype=np.uint64))
    groups = tuple((f"{k:03d}",) for k in range(len(errors)))
    rows = Rows(keys, cell, np.ones(len(error)))
    known = np.ones(len(groups), dtype=np.bool_)
    item = Grouping(("g",), groups, np.arange(len(groups)), known)
    return UnitSums(groups, keys, cell, values, rows), item


def block_of(setting: Setting, sums: UnitSums, item: Grouping) -> Block:
    return build_block(setting, item, group_sums(sums, item), {})


def adjusted_of(setting: Setting, errors: Sequence[np.ndarray]) -> Adjusted:
    """Every group against the rest, adjusted."""
    sums, item = sums_of(errors)
    block = block_of(setting, sums, item)
    found = resample(setting, block, weightings(setting, sums))
    return adjusted_rest(setting, setting.metrics, found)[setting.metrics[0].key]


def rows_of(setting: Setting, errors: Sequence[np.ndarray]) -> list[Gap]:
    """The rows that a record would have."""
    sums, item = sums_of(errors)
    block = block_of(setting, sums, item)
    return gap_rows(setting, block, resample(setting, block, weightings(setting, sums)))


def fairface_sizes(path: str) -> list[int]:
    """Count the cells in the label file."""
    table = pd.read_csv(path)
    return sorted(table.groupby(["age", "gender", "race"]).size().tolist())

"""One simulated table as the block of one attribute, without the rest of an audit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from audit.bands import DECADES
from audit.block import Block, Setting, build_block
from audit.collect import Collected, collect_table, table_bands
from audit.groups import grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.predictions import predictions_from_frame
from audit.units import group_sums


def age_setting(names: Sequence[str], *, n_boot: int = 0, min_n: int = 30) -> Setting:
    """A setting with few metrics."""
    layout = age_layout()
    metrics = tuple(m for m in age_metrics() if m.name in names)
    needed = dict.fromkeys(f for m in metrics for f in (*m.features, "n", "w"))
    return Setting(
        metrics=metrics,
        impossible={},
        layout=layout,
        columns=layout.columns(*needed),
        n_boot=n_boot,
        seed=0,
        min_n=min_n,
        all_pairs=False,
        adjust="max_t",
    )


def collected(frame: pd.DataFrame, by: Sequence[str]) -> Collected:
    """The sums of a table of ages by some attributes."""
    table = predictions_from_frame(frame, task="age")
    bands = table_bands([table], DECADES)
    return collect_table([table], tuple(by), None, bands, "image", 100_000)


def block_of(setting: Setting, table: Collected, names: tuple[str, ...]) -> Block:
    """The estimates of one combination."""
    item = grouping(table.sums.cells, table.attributes, names, table.order)
    return build_block(setting, item, group_sums(table.sums, item), {})


def errors_frame(error: np.ndarray, person: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
    """A table of signed errors at age 40."""
    return pd.DataFrame({"subject_id": person, "age": 40.0, "age_pred": 40.0 + error, **columns})

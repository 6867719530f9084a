"""Small simulated runs whose comparison the tests of its page draw."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit import Predictions, predictions_from_frame


def tables(
    groups: tuple[str, ...] = ("x", "y"), names: tuple[str, ...] = ("old", "new")
) -> dict[str, Predictions]:
    """Runs whose gap between the first two groups closes, on 40 faces of each group."""
    rng = np.random.default_rng(0)
    group = np.repeat(groups, 40)
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(len(group))], "age": 40.0})
    first = np.where(group == groups[0], 5.0, 1.0)
    found = {}
    for i, name in enumerate(names):
        shown = 40 + (first if i == 0 else 2.0) + rng.normal(0, 0.3, len(group))
        table = frame.assign(group=group, age_pred=shown)
        table.loc[i * 3, "age_pred"] = np.nan
        found[name] = predictions_from_frame(table, task="age")
    return found

"""How large a gap is beside the scatter of single faces."""

from __future__ import annotations

import numpy as np

from audit.block import Block, Setting
from audit.metrics.core import Metric, variance


def face_sd(setting: Setting, block: Block, metric: Metric) -> float | None:
    """Standard deviation of one face's error, over everyone whose group is known.

    Metrics in years: of the signed error, sqrt(mean (e - mean e)^2). Proportions: sqrt(p (1 - p))
    of the pooled proportion. ``None`` for all others, and where nothing varies.
    """
    known = block.panels.groups.totals[block.grouping.known].sum(axis=0)
    sums = setting.layout.unpack(known)
    if metric.unit == "years":
        found = np.sqrt(variance(sums["error"], sums["error2"], sums["w"]))
    elif metric.interval == "wilson" and metric.parts is not None:
        p = metric.formula(sums)
        found = np.sqrt(p * (1 - p))
    else:
        return None
    return float(found) if found > 0 else None

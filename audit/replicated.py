"""The statistic of a contrast in every replicate: what it would be if there were no gap.

A replicate is centred at the table's own values and studentised by its own errors. A fixed standard
error instead lets small groups reject in 14 to 46 % of the families without any gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.bootstrap import Replicates
from audit.contrasts import Sides
from audit.families import UNSTABLE
from audit.intervals import Estimates
from audit.metrics.core import Interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_PSEUDO = 2.0


@dataclass(frozen=True, eq=False)
class Moved:
    """How far each side moved in every replicate, and the variance of that, arrays (B, m).

    On the log scale for log_t. For proportions ``spread`` is the table's weight of faces over the
    replicate's, since the variance itself is pooled over both sides.
    """

    shift: FloatArray
    spread: FloatArray

    def take(self, index: IntArray) -> Moved:
        """Some of the sides."""
        return Moved(self.shift[:, index], self.spread[:, index])

    @property
    def unstable(self) -> BoolArray:
        """The sides (m,) that are undefined in more than 1 % of the replicates."""
        bad = ~(np.isfinite(self.shift) & np.isfinite(self.spread))
        return np.asarray(bad.mean(axis=0) > UNSTABLE) if len(bad) else np.zeros(bad.shape[1], bool)


def moved(kind: Interval, e: Estimates, found: Replicates) -> Moved:
    """From replicates whose variances and sizes are relative to the table's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "wilson":
            assert found.sizes is not None
            return Moved(found.values - e.value, 1 / found.sizes)
        if found.variances is None:
            return Moved(found.values - e.value, np.broadcast_to(e.var, found.values.shape))
        var = e.var * found.variances
        if kind == "log_t":
            return Moved(np.log(found.values / e.value), var / found.values**2)
        return Moved(found.values - e.value, var)


def replicated(sides: Sides, a: Moved, b: Moved) -> FloatArray:
    """The statistic of every contrast (m,) in every replicate, (B, m); one side may be (B, 1)."""
    gap = a.shift - b.shift
    with np.errstate(divide="ignore", invalid="ignore"):
        if sides.kind == "wilson":
            s = sides.shares
            n, hits = s.na + s.nb, s.na * s.pa + s.nb * s.pb
            p = (hits + s.na * a.shift + s.nb * b.shift + _PSEUDO * hits / n) / (n + _PSEUDO)
            va, vb = p * (1 - p) * a.spread / s.na, p * (1 - p) * b.spread / s.nb
        else:
            va, vb = a.spread, b.spread
        var = va + vb
        if sides.rho.any():
            var = var - 2 * sides.rho * np.sqrt(va * vb)
        return np.asarray(np.where(gap == 0, 0.0, gap / np.sqrt(var)))

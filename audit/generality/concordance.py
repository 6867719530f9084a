"""Do the backbones agree on who is served worst? Kendall's coefficient of concordance W.

k backbones rank G groups; with rank sums R_g, W = S / (k sum_i S_i), where S is the sum of squares
of R_g about its mean and S_i that of backbone i's own ranks: Kendall and Babington Smith (1939,
doi:10.1214/aoms/1177732186) with the correction for ties. 1: all rank alike; 0: as different as
can be. Backbones that see the same people agree a little even where no group differs, so W stands
beside its mean in that case, drawn from the influence of every person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from audit.families import MIN_REPLICATES

FloatArray = npt.NDArray[np.float64]
_SLACK = 1e-9


@dataclass(frozen=True)
class Concordance:
    """W with a 95 % interval over people, its mean without differences of groups, and the p."""

    w: float | None
    low: float | None = None
    high: float | None = None
    null_expected: float | None = None
    p: float | None = None


def kendall_w(values: FloatArray) -> FloatArray:
    """W of values (..., k, G) over the last two axes; NaN where no backbone tells groups apart.

    Examples
    --------
    >>> kendall_w(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).item()
    1.0
    """
    ranks = rankdata(values, axis=-1)
    k, groups = ranks.shape[-2:]
    centred = ranks - (groups + 1) / 2
    own = (centred**2).sum(axis=(-2, -1))
    joint = (centred.sum(axis=-2) ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(own > 0, joint / (k * own), np.nan)


def concordance(values: FloatArray, moved: FloatArray) -> Concordance:
    """W of values (k, G), given how far they move when people are redrawn (B, k, G).

    The interval is the 95 % range of W over such redrawings, widened to hold W itself. Without
    differences of groups only the movements are ranked: ``null_expected`` is the mean W of these,
    ``p`` the share of them that agree at least as much, (1 + count) / (B + 1). There is no p for
    fewer than 3 backbones.
    """
    rounded = np.round(values / _SLACK) * _SLACK  # ties within rounding are ties
    w = float(kendall_w(rounded))
    if np.isnan(w):
        return Concordance(None)
    if len(moved) < MIN_REPLICATES:
        return Concordance(w)
    drawn, null = kendall_w(values + moved), kendall_w(moved)
    drawn, null = drawn[~np.isnan(drawn)], null[~np.isnan(null)]
    if min(len(drawn), len(null)) < 0.99 * len(moved):
        return Concordance(w)
    low, high = np.quantile(drawn, [0.025, 0.975], method="averaged_inverted_cdf")
    as_much = int((null >= w - 1e-12).sum())
    return Concordance(
        w,
        min(float(low), w),
        max(float(high), w),
        float(null.mean()),
        (1 + as_much) / (len(null) + 1) if len(values) >= 3 else None,
    )

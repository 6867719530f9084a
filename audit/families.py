"""Families of tests: one p-value and one critical value that hold for all of them together.

A family is what is tested side by side: the groups of one attribute combination in one metric. The
pure core stands here; which statistics enter a family is decided where they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from audit.intervals import order_rank

FloatArray = npt.NDArray[np.float64]
LEVEL = 0.95
UNSTABLE = 0.01
MIN_REPLICATES = 40
_SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Adjusted p-values (m,), NaN outside the family, and the critical value of all of them.

    ``p < 0.05`` exactly where the absolute statistic is above ``critical``, ties within rounding
    counted as not above. ``critical`` is infinite where there are too few replicates to reject.
    """

    p: FloatArray
    critical: float


def largest_of(replicates: FloatArray) -> FloatArray | None:
    """The largest absolute statistic of every replicate (B, m), sorted, without undefined ones.

    ``None`` without replicates, and where more than 1 % of them are undefined somewhere.
    """
    return defined(np.abs(replicates).max(axis=1, initial=0.0)) if replicates.size else None


def defined(maxima: FloatArray) -> FloatArray | None:
    """Maxima (B,) sorted, without undefined ones; ``None`` if over 1 % of them are undefined."""
    good = np.isfinite(maxima)
    if len(maxima) == 0 or (~good).mean() > UNSTABLE:
        return None
    return np.asarray(np.sort(maxima[good]))


def against(largest: FloatArray, observed: FloatArray, level: float = LEVEL) -> Adjusted:
    """Adjust observed statistics against the sorted maxima of the replicates.

    p_j = (1 + #{b: max_b >= abs(T_j)}) / (B + 1). The critical value is the k-th largest of the
    maxima, k the largest below (B + 1)(1 - level), which makes it the exact inversion of p.
    """
    absolute = np.abs(observed)
    tied = absolute - _SLACK * np.maximum(1.0, absolute)
    beyond = len(largest) - np.searchsorted(largest, tied, side="left")
    p = np.where(np.isnan(observed), np.nan, (1 + beyond) / (len(largest) + 1))
    k = order_rank(len(largest), 1 - level)
    return Adjusted(p, float(largest[-k]) if k >= 1 else float("inf"))


def max_t(observed: FloatArray, replicates: FloatArray, level: float = LEVEL) -> Adjusted | None:
    """Single-step max-T: the family-wise error holds whatever the correlation of the tests.

    Parameters
    ----------
    observed : array (m,)
        Studentised statistics; NaN is not in the family.
    replicates : array (B, m)
        The same under resampling, centred at the estimate: statistics of a world without gaps.
    level : float
        One minus the family-wise error of the critical value.

    Returns
    -------
    Adjusted or None
        ``None`` when nothing is observed or over 1 % of the replicates are undefined; the other
        undefined ones are left out.

    Notes
    -----
    Westfall and Young (1993), Resampling-Based Multiple Testing, algorithm 2.5.

    Examples
    --------
    >>> found = max_t(np.array([3.0, -1.0, np.nan]), np.array([[0.5, -2.0, 9.0]] * 99))
    >>> found.p.round(2).tolist(), found.critical
    ([0.01, 1.0, nan], 2.0)
    """
    tested = ~np.isnan(observed)
    if not tested.any():
        return None
    largest = largest_of(replicates[:, tested])
    return None if largest is None else against(largest, observed, level)


def holm(p: FloatArray) -> FloatArray:
    """Holm's step-down p-values (1979, Scandinavian Journal of Statistics 6); NaN is kept."""
    found = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    left = len(order) - np.arange(len(order))
    found[order] = np.minimum(np.maximum.accumulate(left * p[order]), 1.0)
    return found


def bh(p: FloatArray) -> FloatArray:
    """Benjamini and Hochberg's p-values (1995, doi:10.1111/j.2517-6161.1995.tb02031.x)."""
    found = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        found[tested] = false_discovery_control(p[tested])
    return found


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Some tests of a family, arrays (m,): statistics and their p without replicates, NaN untested.

    ``maxima`` (B,) is the largest absolute statistic of every replicate, NaN where undefined.
    """

    statistic: FloatArray
    p: FloatArray
    maxima: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """What holds for a family: p of its tests, and how an interval inverts it.

    With max-T the ``critical`` value; else the ``level`` at which each test takes its own one.
    ``note`` says why nothing could be adjusted; p is NaN then.
    """

    p: list[FloatArray]
    critical: float | None = None
    level: float | None = None
    note: str | None = None


def family_of(method: Literal["max_t", "holm", "bh"], tests: Sequence[Hypotheses]) -> Family:
    """Adjust the tests of one family together.

    Notes
    -----
    ``holm``: intervals at Bonferroni's level, 1 - 0.05 / m, hold together. Holm rejects more; where
    it does, the limit is 0 itself, which is no longer inside: the sign is settled, the size is not.
    ``bh``: intervals at the level 1 - 0.05 R / m, R of m tests rejected, are those of Benjamini and
    Yekutieli (2005, doi:10.1198/016214504000001907): 5 % of the intervals of the rejected tests
    miss their gap on average. They leave out 0 exactly where the test rejects.
    """
    ends = np.cumsum([len(part.p) for part in tests])[:-1]
    t, p = (np.concatenate([getattr(x, name) for x in tests]) for name in ("statistic", "p"))
    nothing = np.split(np.full(len(p), np.nan), ends)
    m = int((~np.isnan(p)).sum())
    if not m:
        return Family(nothing)
    if method != "max_t":
        found = holm(p) if method == "holm" else bh(p)
        used = max(1, int((found < 1 - LEVEL).sum())) if method == "bh" else 1
        return Family(np.split(found, ends), level=1 - (1 - LEVEL) * used / m)
    parts = [x.maxima for x in tests if not np.isnan(x.p).all()]
    if any(part is None or len(part) < MIN_REPLICATES for part in parts):
        return Family(nothing, note="too_few_replicates")
    largest = defined(np.max(np.array(parts), axis=0))
    if largest is None:
        return Family(nothing, note="unstable_replicates")
    joint = against(largest, t)
    return Family(np.split(joint.p, ends), critical=joint.critical)

"""Are two sides alike? The statistic of that hypothesis, and everything that inverts it.

Positive errors are compared on the log scale, where a group's value and its error grow together;
proportions by the score statistic, whose error does not vanish when a group is all right; signed
metrics, correlations and quantiles as they are. Two sides that are groups of the same people may
share persons: their covariance enters everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr

from audit.intervals import (
    Estimates,
    Limits,
    Proportions,
    critical,
    proportions,
    score_limits,
    score_p,
    score_z,
    welch_df,
)
from audit.metrics.core import Interval

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_BISECTIONS = 60
_GRID = np.arange(1, 65) / 8
_POWER = 0.80


@dataclass(frozen=True, eq=False)
class Sides:
    """Two estimates of one kind of metric to compare, and their covariance, arrays (m,)."""

    kind: Interval
    a: Estimates
    b: Estimates
    cov: FloatArray

    @cached_property
    def var(self) -> FloatArray:
        """Variance of M(a) - M(b)."""
        return np.maximum(self.a.var + self.b.var - 2 * self.cov, 0.0)

    @cached_property
    def rho(self) -> FloatArray:
        """Correlation of both estimates, 0 without shared persons."""
        product = np.sqrt(self.a.var * self.b.var)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(product > 0, np.clip(self.cov / product, -1.0, 1.0), 0.0)

    @cached_property
    def shares(self) -> Proportions:
        """Both sides as proportions with effective numbers of faces."""
        return proportions(self.a, self.b, self.rho)

    @cached_property
    def log_se(self) -> FloatArray:
        """Standard error of log M(a) - log M(b); NaN where a side is not above 0."""
        good = (self.a.value > 0) & (self.b.value > 0)
        x, y = np.where(good, self.a.value, np.nan), np.where(good, self.b.value, np.nan)
        var = self.a.var / x**2 + self.b.var / y**2 - 2 * self.cov / (x * y)
        return np.sqrt(np.where(var > 0, var, np.nan))

    def take(self, index: IntArray) -> Sides:
        """Some of the contrasts."""
        return Sides(self.kind, self.a.take(index), self.b.take(index), self.cov[index])


def statistic(sides: Sides) -> FloatArray:
    """Studentised difference of both sides under the hypothesis that they are alike, (m,).

    log_t: [log M(a) - log M(b)] / se of it; wilson: the pooled score statistic; otherwise
    [M(a) - M(b)] / se. NaN where there is no variance to studentise with.
    """
    if sides.kind == "wilson":
        shares = sides.shares
        z = score_z(shares, np.zeros(len(shares.pa)))
        return np.where(np.isfinite(z) & np.isfinite(shares.na + shares.nb), z, np.nan)
    if sides.kind == "log_t":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(sides.a.value / sides.b.value) / sides.log_se)
    se = np.sqrt(np.where(sides.var > 0, sides.var, np.nan))
    return np.asarray((sides.a.value - sides.b.value) / se)


def _df(sides: Sides) -> FloatArray:
    if sides.kind == "log_t":
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = sides.a.var / sides.a.value**2, sides.b.var / sides.b.value**2
            return np.asarray((x + y) ** 2 / (x**2 / sides.a.df + y**2 / sides.b.df))
    return welch_df(sides.a, sides.b)


def analytic_p(sides: Sides) -> FloatArray:
    """Two-sided p of :func:`statistic` without replicates: t with Welch's df, or normal."""
    t = np.abs(statistic(sides))
    if sides.kind == "wilson":
        return np.where(np.isnan(t), np.nan, score_p(sides.shares, t))
    if sides.kind == "percentile":
        return np.asarray(2 * ndtr(-t))
    df = _df(sides)
    return np.asarray(2 * stdtr(np.where(df > 0, df, np.nan), -t))


def analytic_critical(sides: Sides, level: float) -> FloatArray:
    """Critical value of :func:`statistic` at a level, without replicates, (m,)."""
    plain = np.zeros(len(sides.cov), dtype=np.bool_)
    if sides.kind == "wilson":
        shares = sides.shares
        return critical(shares.df, np.isinf(shares.df), level)
    if sides.kind == "percentile":
        return critical(sides.a.df, ~plain, level)
    return critical(_df(sides), plain, level)


def limits_at(sides: Sides, crit: FloatArray) -> Limits:
    """All differences M(a) - M(b) that the test at a critical value (m,) does not reject.

    The unit is the metric's. A limit is NaN where the critical value is infinite or undefined.
    """
    crit = np.where(np.isfinite(crit) & ~np.isnan(statistic(sides)), crit, np.nan)
    if sides.kind == "wilson":
        return score_limits(sides.shares, crit)
    if sides.kind == "log_t":
        return _log_limits(sides, crit)
    gap, half = sides.a.value - sides.b.value, crit * np.sqrt(sides.var)
    return gap - half, gap + half


def _log_limits(sides: Sides, crit: FloatArray) -> Limits:
    """Invert T(d) = [log x - log(y + d)] / se(d), x the larger and y the smaller of both sides.

    se(d)^2 = v_x / x^2 + v_y / (y + d)^2 - 2 c / (x (y + d)): the error of log(y + d). Sorting by
    size makes the limits of (b, a) the negative ones of (a, b).
    """
    swap = sides.b.value > sides.a.value
    x, y = np.maximum(sides.a.value, sides.b.value), np.minimum(sides.a.value, sides.b.value)
    x, y = np.where(y > 0, x, np.nan), np.where(y > 0, y, np.nan)
    vx = np.where(swap, sides.b.var, sides.a.var) / x**2
    vy = np.where(swap, sides.a.var, sides.b.var) / x**2
    found = [x * np.exp(-_crossing(x, y, vx, vy, sides.cov / x**2, crit, s)) - y for s in (1, -1)]
    low, high = np.where(np.isnan(found[0]) & ~np.isnan(crit), -y, found[0]), found[1]
    low, high = np.where(swap, -high, low), np.where(swap, -low, high)
    kept = np.abs(statistic(sides)) <= crit
    return np.where(kept, np.minimum(low, 0.0), low), np.where(kept, np.maximum(high, 0.0), high)


def _crossing(
    x: FloatArray,
    y: FloatArray,
    vx: FloatArray,
    vy: FloatArray,
    c: FloatArray,
    crit: FloatArray,
    sign: int,
) -> FloatArray:
    """The u = log(x / (y + d)) of one sign, nearest to 0, where |T| reaches ``crit``.

    |T| = |u| / se(u) may fall again far out, where y + d nears 0, so the first crossing is looked
    for on a grid (with d = 0 on it) and refined by bisection. NaN where there is none. Should d = 0
    lie beyond it and yet not be rejected, the caller reaches out to it.
    """

    def beyond(u: FloatArray) -> npt.NDArray[np.bool_]:
        e = np.exp(u)
        var = vx[:, None] + vy[:, None] * e * e - 2 * c[:, None] * e
        return np.asarray(u * u >= crit[:, None] ** 2 * var, dtype=np.bool_)

    with np.errstate(invalid="ignore", over="ignore"):
        grid = sign * (crit * np.sqrt(vx + vy))[:, None] * _GRID
        own = np.log(x / y) if sign > 0 else np.zeros(len(x))
        grid = np.sort(np.column_stack([np.zeros(len(x)), grid, own]) * sign, axis=1) * sign
        outside = beyond(grid) & (grid * sign > 0)
        first = outside.argmax(axis=1)
        rows = np.arange(len(x))
        far, near = grid[rows, first], grid[rows, np.maximum(first - 1, 0)]
        for _ in range(_BISECTIONS):
            middle = (near + far) / 2
            out = beyond(middle[:, None])[:, 0]
            near, far = np.where(out, near, middle), np.where(out, middle, far)
    return np.where(outside.any(axis=1), near, np.nan)


def detectable(sides: Sides, crit: FloatArray, worse: int, *, both: bool = False) -> FloatArray:
    """True gap, towards worse, that the test at ``crit`` (m,) finds in 80 % of such samples.

    Parameters
    ----------
    worse : {1, -1}
        Whether more or less of the metric is worse.
    both : bool
        Take what both sides have in common as the base, not side b: for pairs.

    Notes
    -----
    With c from :func:`needed` and the base M: M (exp(c se_log) - 1) for log_t, c se for signed
    metrics.
    For proportions the d that solves d = crit sqrt(V_0) + z_.80 sqrt(V_1): V_1 is the variance of
    two proportions p + d (p - d where less is worse) and p, V_0 that under the hypothesis, with
    both pooled. NaN where not even the largest possible gap would be found.
    """
    z = ndtri(_POWER)
    if sides.kind == "wilson":
        return _detectable_share(sides.shares, crit, worse, z, both=both)
    base = (sides.a.value + sides.b.value) / 2 if both else sides.b.value
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if sides.kind == "log_t":
            found = base * np.expm1(needed(crit, _df(sides), sides.log_se**2) * sides.log_se)
        else:
            found = needed(crit, _df(sides)) * np.sqrt(np.where(sides.var > 0, sides.var, np.nan))
    return np.where(np.isfinite(found), found, np.nan)


def needed(crit: FloatArray, df: FloatArray, more: FloatArray | float = 0.0) -> FloatArray:
    """How many standard errors a true gap must have to be found in 80 % of samples.

    crit + z sqrt(1 + (crit + z)^2 (1 / df + more)), z = 0.84: the error is an estimate in the
    sample that states the gap and again in the one that tests it, with relative variance 1 / (2 df)
    each; what it is multiplied with may be one too (``more``). The power is 80 % over all samples.
    """
    z = ndtri(_POWER)
    unsure = np.nan_to_num(1 / df + more, posinf=0.0)
    return np.asarray(crit + z * np.sqrt(1 + (crit + z) ** 2 * unsure))


def _detectable_share(
    s: Proportions, crit: FloatArray, worse: int, z: float, *, both: bool
) -> FloatArray:
    base, na, nb = s.pb, s.na, s.nb
    if both:
        base = (s.na * s.pa + s.nb * s.pb) / (s.na + s.nb)
        na, nb = np.minimum(s.na, s.nb), np.maximum(s.na, s.nb)

    def var(p: FloatArray, q: FloatArray) -> FloatArray:
        va, vb = p * (1 - p) / na, q * (1 - q) / nb
        return np.maximum(va + vb - 2 * s.rho * np.sqrt(va * vb), 0.0)

    def found(gap: FloatArray) -> npt.NDArray[np.bool_]:
        p = np.clip(base + worse * gap, 0.0, 1.0)
        pooled = (na * p + nb * base) / (na + nb)
        needed = crit * np.sqrt(var(pooled, pooled)) + z * np.sqrt(var(p, base))
        return np.asarray(gap >= needed, dtype=np.bool_)

    with np.errstate(invalid="ignore"):
        low, high = np.zeros(len(base)), base if worse < 0 else 1 - base
        possible = found(high) & (high > 0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            enough = found(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(possible, high, np.nan)

"""Intervals and p-values: one method per metric type, every p the inversion of its interval.

The methods and their measured coverage: cluster-robust t with Welch-Satterthwaite degrees of
freedom, Wilson's score interval with the effective number of faces, and MOVER for differences
(Newcombe, 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Zou and
Donner, 2008, doi:10.1002/sim.3095).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from audit.metrics.core import Interval

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Limits = tuple[FloatArray, FloatArray]
_BISECTIONS = 60


@dataclass(frozen=True, eq=False)
class Estimates:
    """One metric in several groups, arrays of shape (G,); NaN where undefined.

    ``var`` is the cluster-robust variance with the factor m / (m - 1) over the m persons; ``df``
    is min(m, m_eff) - 1; ``n_eff`` is the number of independent faces that Wilson's interval takes;
    ``normal`` marks proportions without any estimated variance (0 or 1), where the critical value
    is normal instead of t.
    """

    value: FloatArray
    var: FloatArray
    df: FloatArray
    n_eff: FloatArray
    normal: BoolArray

    def take(self, index: npt.NDArray[np.int64]) -> Estimates:
        """The same for some of the groups."""
        return Estimates(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Contrast:
    """A difference or log ratio of two estimates: value, both its intervals, and p."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    low_90: FloatArray
    high_90: FloatArray
    p: FloatArray


def critical(df: FloatArray, normal: BoolArray, level: FloatArray | float) -> FloatArray:
    """Two-sided critical value: t with df degrees of freedom, or normal."""
    tail = 0.5 + np.asarray(level) / 2
    with np.errstate(invalid="ignore"):
        student = stdtrit(np.where(df > 0, df, np.nan), tail)
    return np.asarray(np.where(normal, ndtri(tail), student), dtype=np.float64)


def wilson(p: FloatArray, n: FloatArray, z: FloatArray) -> Limits:
    """Wilson's score interval (1927, doi:10.1080/01621459.1927.10502953), clipped to hold p."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = z * z / n
        centre = (p + scale / 2) / (1 + scale)
        half = z / (1 + scale) * np.sqrt(p * (1 - p) / n + scale / n / 4)
    low, high = np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
    return np.where(p <= 0, 0.0, np.minimum(low, p)), np.where(p >= 1, 1.0, np.maximum(high, p))


def limits(kind: Interval, e: Estimates, level: float) -> Limits:
    """The interval of each value; NaN where no variance or no second person exists."""
    z = critical(e.df, e.normal, level)
    if kind == "wilson":
        return wilson(e.value, e.n_eff, z)
    se = np.where(e.var > 0, np.sqrt(e.var), np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "log_t":
            factor = np.exp(z * se / e.value)
            return np.where(e.value > 0, e.value / factor, np.nan), e.value * factor
        if kind == "fisher_t":
            inside = np.abs(e.value) < 1
            centre = np.arctanh(np.where(inside, e.value, np.nan))
            half = z * se / (1 - e.value**2)
            return np.tanh(centre - half), np.tanh(centre + half)
    return e.value - z * se, e.value + z * se


def _welch_df(a: Estimates, b: Estimates) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (a.var + b.var) ** 2 / (a.var**2 / a.df + b.var**2 / b.df)


def _t_contrast(value: FloatArray, var: FloatArray, df: FloatArray) -> Contrast:
    se = np.where(var > 0, np.sqrt(np.maximum(var, 0)), np.nan)
    df = np.where(df > 0, df, np.nan)
    plain = np.zeros(len(value), dtype=np.bool_)
    half, half_90 = (critical(df, plain, level) * se for level in (0.95, 0.90))
    p = 2 * stdtr(df, -np.abs(value / se))
    return Contrast(value, value - half, value + half, value - half_90, value + half_90, p)


def _correlation(a: Estimates, b: Estimates, var_difference: FloatArray) -> FloatArray:
    """Correlation of two estimates that may share persons."""
    product = np.sqrt(a.var * b.var)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (a.var + b.var - var_difference) / (2 * product)
    return np.where(product > 0, np.clip(rho, -1, 1), 0.0)


def mover(
    a: Estimates, b: Estimates, rho: FloatArray, za: FloatArray, zb: FloatArray, *, log: bool
) -> Limits:
    """MOVER limits of p_a - p_b, or of log p_a - log p_b, from two Wilson intervals."""
    scale: Callable[[FloatArray], FloatArray] = np.log if log else np.asarray
    with np.errstate(divide="ignore", invalid="ignore"):
        pa, pb = scale(a.value), scale(b.value)
        (la, ua), (lb, ub) = (
            tuple(map(scale, wilson(e.value, e.n_eff, z))) for e, z in ((a, za), (b, zb))
        )
        value, down, up = pa - pb, (pa - la, ub - pb), (ua - pa, pb - lb)
        return (
            value - np.sqrt(np.maximum(_square(*down, rho), 0)),
            value + np.sqrt(np.maximum(_square(*up, rho), 0)),
        )


def _square(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    return x * x + y * y - 2 * rho * x * y


def _mover_contrast(
    a: Estimates, b: Estimates, rho: FloatArray, value: FloatArray, *, log: bool
) -> Contrast:
    def at(level: FloatArray | float) -> Limits:
        return mover(
            a, b, rho, critical(a.df, a.normal, level), critical(b.df, b.normal, level), log=log
        )

    (low, high), (low_90, high_90) = at(0.95), at(0.90)
    smallest, largest = np.full(len(value), -60.0), np.zeros(len(value))
    for _ in range(_BISECTIONS):
        middle = (smallest + largest) / 2
        lower, upper = at(-np.expm1(middle))
        outside = (lower > 0) | (upper < 0)
        largest = np.where(outside, middle, largest)
        smallest = np.where(outside, smallest, middle)
    p = np.where(np.isnan(low) | np.isnan(high), np.nan, np.exp(largest))
    return Contrast(value, low, high, low_90, high_90, p)


def difference(kind: Interval, a: Estimates, b: Estimates, var_difference: FloatArray) -> Contrast:
    """M(a) - M(b), where ``var_difference`` comes from each person's influence on it."""
    value = a.value - b.value
    if kind == "wilson":
        return _mover_contrast(a, b, _correlation(a, b, var_difference), value, log=False)
    return _t_contrast(value, var_difference, _welch_df(a, b))


def log_ratio(kind: Interval, a: Estimates, b: Estimates, var_difference: FloatArray) -> Contrast:
    """The log of M(a) / M(b); NaN where either is 0 or the denominator's interval reaches 0."""
    rho = _correlation(a, b, var_difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(a.value) - np.log(b.value)
        value = np.where(np.isfinite(value), value, np.nan)
        if kind == "wilson":
            return _mover_contrast(a, b, rho, value, log=True)
        xa = Estimates(a.value, a.var / a.value**2, a.df, a.n_eff, a.normal)
        xb = Estimates(b.value, b.var / b.value**2, b.df, b.n_eff, b.normal)
        near = b.value - critical(b.df, b.normal, 0.95) * np.sqrt(b.var) <= 0
    var = xa.var + xb.var - 2 * rho * np.sqrt(xa.var * xb.var)
    return _t_contrast(np.where(near, np.nan, value), var, _welch_df(xa, xb))


def order_interval(samples: FloatArray, level: float) -> tuple[float, float]:
    """Percentile interval by order statistics, so that ``order_p`` is its exact inversion.

    With B samples the limits are the k-th smallest and k-th largest, k = floor((B + 1) tail).
    """
    k = int((len(samples) + 1) * (1 - level) / 2)
    if k < 1:
        return np.nan, np.nan
    ordered = np.sort(samples)
    return float(ordered[k - 1]), float(ordered[-k])


def order_p(samples: FloatArray) -> float:
    """Two-sided bootstrap p of the hypothesis 0: below 0.05 exactly where 0 is outside."""
    smaller = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(samples) + 1))


def normal_tail(z: FloatArray) -> FloatArray:
    """Two-sided normal p of z."""
    return np.asarray(2 * ndtr(-np.abs(z)))

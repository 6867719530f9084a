"""Intervals and p-values: one method per metric type, every p the inversion of its interval.

The methods, chosen by their measured coverage: cluster-robust t with Welch-Satterthwaite degrees of
freedom, on the logit scale for means of shares; Wilson's score interval with the effective number
of faces; the score interval of Miettinen and Nurminen (1985) for differences of proportions; MOVER
on the log scale for their ratios (Zou and Donner, 2008, doi:10.1002/sim.3095).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from audit.metrics.core import Interval

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Limits = tuple[FloatArray, FloatArray]
_BISECTIONS = 50
_SCORE_BISECTIONS = 38  # to 1e-11; the score itself is known to 1e-8


@dataclass(frozen=True, eq=False)
class Estimates:
    """One metric in several groups, arrays of shape (G,); NaN where undefined.

    ``var`` is the cluster-robust variance with the factor m / (m - 1) over the m persons; ``df``
    is min(m, m_eff) - 1; ``n_eff`` is the number of independent faces that Wilson's interval takes;
    ``normal`` marks proportions without any estimated variance (0 or 1), where the critical value
    is normal instead of t. ``n`` counts the faces, ``m_eff`` the effective persons.
    """

    value: FloatArray
    var: FloatArray
    df: FloatArray
    n_eff: FloatArray
    normal: BoolArray
    n: FloatArray
    m_eff: FloatArray

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
        if kind == "logit_t":
            odds = np.where((e.value > 0) & (e.value < 1), e.value / (1 - e.value), np.nan)
            factor = np.exp(z * se / (e.value * (1 - e.value)))
            return _share(odds / factor), _share(odds * factor)
        if kind == "fisher_t":
            inside = np.abs(e.value) < 1
            centre = np.arctanh(np.where(inside, e.value, np.nan))
            half = z * se / (1 - e.value**2)
            return np.tanh(centre - half), np.tanh(centre + half)
    return e.value - z * se, e.value + z * se


def _share(odds: FloatArray) -> FloatArray:
    return np.where(np.isinf(odds), 1.0, odds / (1 + odds))


def welch_df(a: Estimates, b: Estimates) -> FloatArray:
    """Degrees of freedom of a difference (Welch, 1947, doi:10.1093/biomet/34.1-2.28)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (a.var + b.var) ** 2 / (a.var**2 / a.df + b.var**2 / b.df)


def _t_contrast(value: FloatArray, var: FloatArray, df: FloatArray) -> Contrast:
    se = np.where(var > 0, np.sqrt(np.maximum(var, 0)), np.nan)
    df = np.where(df > 0, df, np.nan)
    plain = np.zeros(len(value), dtype=np.bool_)
    half, half_90 = (critical(df, plain, level) * se for level in (0.95, 0.90))
    p = 2 * stdtr(df, -np.abs(value / se))
    return Contrast(value, value - half, value + half, value - half_90, value + half_90, p)


def correlation(a: Estimates, b: Estimates, var_difference: FloatArray) -> FloatArray:
    """Correlation of two estimates that may share persons."""
    product = np.sqrt(a.var * b.var)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = (a.var + b.var - var_difference) / (2 * product)
    return np.where(product > 0, np.clip(rho, -1, 1), 0.0)


def mover_log(
    a: Estimates, b: Estimates, rho: FloatArray, za: FloatArray, zb: FloatArray
) -> Limits:
    """MOVER limits of log p_a - log p_b from two Wilson intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pa, pb = np.log(a.value), np.log(b.value)
        (la, ua), (lb, ub) = (
            tuple(map(np.log, wilson(e.value, e.n_eff, z))) for e, z in ((a, za), (b, zb))
        )
        value, down, up = pa - pb, (pa - la, ub - pb), (ua - pa, pb - lb)
        return (
            value - np.sqrt(np.maximum(_square(*down, rho), 0)),
            value + np.sqrt(np.maximum(_square(*up, rho), 0)),
        )


def _square(x: FloatArray, y: FloatArray, rho: FloatArray) -> FloatArray:
    return x * x + y * y - 2 * rho * x * y


def _mover_contrast(a: Estimates, b: Estimates, rho: FloatArray, value: FloatArray) -> Contrast:
    def at(level: FloatArray | float) -> Limits:
        za, zb = critical(a.df, a.normal, level), critical(b.df, b.normal, level)
        return mover_log(a, b, rho, za, zb)

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


def _nearest_proportion(
    pa: FloatArray, pb: FloatArray, na: FloatArray, nb: FloatArray, gap: FloatArray
) -> FloatArray:
    """The p_a that is most likely when p_a - p_b = gap (Farrington and Manning, 1990)."""
    theta = nb / na
    a = 1 + theta
    b = -(1 + theta + pa + theta * pb + gap * (theta + 2))
    c = gap * gap + gap * (2 * pa + theta + 1) + pa + theta * pb
    d = -pa * gap * (1 + gap)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(b * b / (9 * a * a) - c / (3 * a), 0))
    share = np.clip(v / np.where(u == 0, 1.0, u) ** 3, -1, 1)
    root = 2 * u * np.cos((np.pi + np.arccos(share)) / 3) - b / (3 * a)
    return np.asarray(np.clip(root, np.maximum(gap, 0.0), np.minimum(1.0, 1.0 + gap)))


@dataclass(frozen=True, eq=False)
class Proportions:
    """Two proportions to compare, with effective numbers of faces from one design effect."""

    pa: FloatArray
    pb: FloatArray
    na: FloatArray
    nb: FloatArray
    rho: FloatArray
    df: FloatArray

    def take(self, index: npt.NDArray[np.int64]) -> Proportions:
        """Some of the pairs."""
        return Proportions(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def proportions(a: Estimates, b: Estimates, rho: FloatArray) -> Proportions:
    """Effective numbers of faces of two proportions that are to be compared.

    deff = 1 + (k - 1) icc with k = n / m_eff photos per effective person. Each side takes the
    larger of its own icc and the pooled one, in [0, 1], or 1 where neither side varies: its own
    alone is tied to its proportion (gaps cover 92 % near 0 and 1), the pooled one alone lets a
    small group borrow the independence of a large one (84 %).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [photo_excess(e) for e in (a, b)]
        excess, room = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
        icc = np.where(a.normal & b.normal, 1.0, np.clip(excess / room, 0.0, 1.0))
        icc = np.where(room > 1e-9, icc, np.where(a.normal & b.normal, 1.0, 0.0))
        own = [np.where(r > 1e-9, np.clip(x / r, 0.0, 1.0), 0.0) for x, r in parts]
        na, nb = (
            e.n / (1 + (e.n / e.m_eff - 1) * np.maximum(icc, mine)) / _small_sample(e)
            for e, mine in zip((a, b), own, strict=True)
        )
        both = a.normal & b.normal
        na, nb = np.where(both, a.m_eff, na), np.where(both, b.m_eff, nb)
        va, vb = 1 / na, 1 / nb
        df = np.where(both, np.inf, (va + vb) ** 2 / (va**2 / a.df + vb**2 / b.df))
    return Proportions(a.value, b.value, na, nb, rho, df)


def photo_excess(e: Estimates) -> tuple[FloatArray, FloatArray]:
    """Variance beyond independent photos, and its value if photos of a person were all alike."""
    spread = e.value * (1 - e.value)
    excess = e.var / _small_sample(e) * e.n**2 - spread * e.n
    return np.nan_to_num(excess), np.nan_to_num(spread * e.n * (e.n / e.m_eff - 1))


def _small_sample(e: Estimates) -> FloatArray:
    return (e.df + 1) / e.df


def score_z(pair: Proportions, gap: FloatArray) -> FloatArray:
    """Score statistic of the hypothesis p_a - p_b = gap."""
    p = _nearest_proportion(pair.pa, pair.pb, pair.na, pair.nb, gap)
    q = np.clip(p - gap, 0.0, 1.0)
    va, vb = p * (1 - p) / pair.na, q * (1 - q) / pair.nb
    var = np.maximum(va + vb - 2 * pair.rho * np.sqrt(va * vb), 0.0)
    off = pair.pa - pair.pb - gap
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(off == 0, 0.0, off / np.sqrt(var))


def score_limits(pair: Proportions, z: FloatArray) -> Limits:
    """All differences that the score test at critical value z does not reject, by bisection.

    Miettinen and Nurminen (1985), doi:10.1002/sim.4780040211, without their n / (n - 1).
    """
    n = len(pair.pa)
    both = pair.take(np.tile(np.arange(n), 2))
    wide = np.tile(z, 2)
    value = both.pa - both.pb
    near, far = value, np.repeat([-1.0, 1.0], n)
    for _ in range(_SCORE_BISECTIONS):
        middle = (near + far) / 2
        inside = np.abs(score_z(both, middle)) <= wide
        near, far = np.where(inside, middle, near), np.where(inside, far, middle)
    known = ~np.isnan(value) & ~np.isnan(wide) & ~np.isnan(both.na) & ~np.isnan(both.nb)
    found = np.where(known, near, np.nan)
    return found[:n], found[n:]


def score_critical(pair: Proportions, level: float) -> FloatArray:
    """Critical value of the score statistic: t with the pair's df, normal where it is infinite."""
    return critical(pair.df, np.isinf(pair.df), level)


def score_p(pair: Proportions, z: FloatArray) -> FloatArray:
    """Two-sided p of a score statistic."""
    plain = np.isinf(pair.df)
    return np.asarray(2 * np.where(plain, ndtr(-z), stdtr(np.where(plain, 1.0, pair.df), -z)))


def _score_contrast(a: Estimates, b: Estimates, rho: FloatArray) -> Contrast:
    pair = proportions(a, b, rho)
    n = len(rho)
    z = np.concatenate([score_critical(pair, level) for level in (0.95, 0.90)])
    low, high = score_limits(pair.take(np.tile(np.arange(n), 2)), z)
    p = score_p(pair, np.abs(score_z(pair, np.zeros(n))))
    return Contrast(pair.pa - pair.pb, low[:n], high[:n], low[n:], high[n:], p)


def difference(kind: Interval, a: Estimates, b: Estimates, var_difference: FloatArray) -> Contrast:
    """M(a) - M(b), where ``var_difference`` comes from each person's influence on it."""
    if kind == "wilson":
        return _score_contrast(a, b, correlation(a, b, var_difference))
    return _t_contrast(a.value - b.value, var_difference, welch_df(a, b))


def log_ratio(kind: Interval, a: Estimates, b: Estimates, var_difference: FloatArray) -> Contrast:
    """The log of M(a) / M(b); NaN where either is 0 or the denominator's interval reaches 0."""
    rho = correlation(a, b, var_difference)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(a.value) - np.log(b.value)
        value = np.where(np.isfinite(value), value, np.nan)
        if kind == "wilson":
            return _mover_contrast(a, b, rho, value)
        xa = replace(a, var=a.var / a.value**2)
        xb = replace(b, var=b.var / b.value**2)
        near = b.value - critical(b.df, b.normal, 0.95) * np.sqrt(b.var) <= 0
    var = xa.var + xb.var - 2 * rho * np.sqrt(xa.var * xb.var)
    return _t_contrast(np.where(near, np.nan, value), var, welch_df(xa, xb))


def order_rank(n: int, tail: float) -> int:
    """The largest k with k / (n + 1) below the tail, so that p < tail exactly beyond the limit."""
    return math.ceil((n + 1) * tail - 1e-9) - 1


def order_interval(samples: FloatArray, level: float) -> tuple[float, float]:
    """Percentile interval by order statistics, so that ``order_p`` is its exact inversion.

    The limits are the k-th smallest and k-th largest of B, k the largest below (B + 1) tail.
    """
    k = order_rank(len(samples), (1 - level) / 2)
    if k < 1:
        return np.nan, np.nan
    ordered = np.sort(samples)
    return float(ordered[k - 1]), float(ordered[-k])


def order_p(samples: FloatArray) -> float:
    """Two-sided bootstrap p of the hypothesis 0: below 0.05 exactly where 0 is outside."""
    smaller = min(int((samples <= 0).sum()), int((samples >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(samples) + 1))

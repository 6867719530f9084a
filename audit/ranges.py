"""The largest gap among groups: projection interval and cross-fitted value.

The plain maximum of noisy gaps is biased upward and its percentile interval covers anything between
0 and 22 %. The projection interval takes its lower end from simultaneous pairwise intervals (max-T)
and its upper end from every pair's own interval (intersection-union).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr

from audit.hashing import FloatArray
from audit.intervals import Estimates, critical, mover
from audit.metrics.core import Interval

IntArray = npt.NDArray[np.int64]
_UNSTABLE = 0.01
_BISECTIONS = 45
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs i < j of the eligible groups: estimates of both sides and their correlation."""

    i: IntArray
    j: IntArray
    a: Estimates
    b: Estimates
    rho: FloatArray
    var: FloatArray
    df: FloatArray


def all_pairs(e: Estimates, covariance: FloatArray) -> Pairs:
    """Every pair of groups with the variance of its difference."""
    i, j = np.triu_indices(len(e.value), 1)
    a, b, cov = e.take(i), e.take(j), covariance[i, j]
    var = np.maximum(a.var + b.var - 2 * cov, 0)
    product = np.sqrt(a.var * b.var)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.where(product > 0, np.clip(cov / product, -1, 1), 0.0)
        df = (a.var + b.var) ** 2 / (a.var**2 / a.df + b.var**2 / b.df)
    return Pairs(i, j, a, b, rho, var, df)


def max_t(
    kind: Interval,
    e: Estimates,
    covariance: FloatArray,
    values: FloatArray,
    variances: FloatArray | None,
) -> FloatArray | None:
    """Max over pairs of |T*| in every replicate, studentised per replicate, shape (<= B,).

    ``None`` when more than 1 % of the replicates are undefined.
    """
    good = ~np.isnan(values).any(axis=1)
    if len(values) == 0 or (~good).mean() > _UNSTABLE:
        return None
    values = values[good]
    if kind == "wilson":
        centre = float(np.average(e.value, weights=e.n_eff))
        shrunk = (values * e.n_eff + 2 * centre) / (e.n_eff + 2)
        spread = shrunk * (1 - shrunk) / e.n_eff
    elif variances is None:
        spread = np.broadcast_to(e.var, values.shape)
    else:
        spread = variances[good]
    moved, scale = values - e.value, np.sqrt(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = np.sqrt(np.outer(e.var, e.var))
        rho = np.where(product > 0, np.clip(covariance / product, -1, 1), 0.0)
    largest = np.zeros(len(values))
    for g in range(len(e.value) - 1):
        other = slice(g + 1, None)
        var = spread[:, [g]] + spread[:, other]
        if rho[g, other].any():
            var = var - 2 * rho[g, other] * scale[:, [g]] * scale[:, other]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(moved[:, [g]] - moved[:, other]) / np.sqrt(np.maximum(var, 0))
        largest = np.fmax(largest, np.fmax.reduce(t, axis=1, initial=0.0))
    return largest


def projection(
    kind: Interval, pairs: Pairs, t_star: FloatArray | None, level: float
) -> tuple[float, float]:
    """Lower end from simultaneous, upper end from pairwise intervals of |M(a) - M(b)|.

    A simultaneous interval is never narrower than the pair's own with the smaller df of the two.
    """
    low = _apart(kind, pairs, np.maximum(_joint(pairs, t_star, level), _own(kind, pairs, level)))
    return max(0.0, float(np.nanmax(low))), float(np.nanmax(_reach(kind, pairs, level)))


def _df(kind: Interval, pairs: Pairs) -> FloatArray:
    df = np.fmin(pairs.a.df, pairs.b.df) if kind == "wilson" else pairs.df
    return np.where(np.isfinite(df), df, 1e9)


def _own(kind: Interval, pairs: Pairs, level: float) -> FloatArray:
    df = _df(kind, pairs)
    return critical(df, np.zeros(len(df), dtype=np.bool_), level)


def _joint(pairs: Pairs, t_star: FloatArray | None, level: float) -> float:
    """The critical value of max-T; without replicates that of Bonferroni's normal."""
    if t_star is None:
        return float(ndtri(1 - (1 - level) / len(pairs.i) / 2))
    k = int((len(t_star) + 1) * (1 - level))
    return float(np.inf if k < 1 else np.sort(t_star)[-k])


def _apart(kind: Interval, pairs: Pairs, c: FloatArray) -> FloatArray:
    """How far apart every pair is at least, at a critical value; negative where 0 is inside."""
    if kind == "wilson":
        low, high = mover(pairs.a, pairs.b, pairs.rho, c, c, log=False)
        return np.maximum(low, -high)
    return np.abs(pairs.a.value - pairs.b.value) - c * np.sqrt(pairs.var)


def _reach(kind: Interval, pairs: Pairs, level: float) -> FloatArray:
    """How far apart every pair is at most, by its own two-sided interval."""
    if kind == "wilson":
        za, zb = (critical(e.df, e.normal, level) for e in (pairs.a, pairs.b))
        low, high = mover(pairs.a, pairs.b, pairs.rho, za, zb, log=False)
        return np.maximum(high, -low)
    half = _own(kind, pairs, level) * np.sqrt(pairs.var)
    return np.abs(pairs.a.value - pairs.b.value) + half


def projection_p(kind: Interval, pairs: Pairs, t_star: FloatArray | None) -> float:
    """The p-value whose inversion is the lower end: below 0.05 exactly where low > 0."""
    observed = _largest_critical(kind, pairs)
    own = 2 * stdtr(_df(kind, pairs), -observed)
    if t_star is None:
        joint = np.minimum(2 * ndtr(-observed) * len(observed), 1.0)
    else:
        ordered = np.sort(t_star)
        beyond = len(ordered) - np.searchsorted(ordered, observed - _SLACK)
        joint = (1 + beyond) / (len(ordered) + 1)
    return float(np.nanmin(np.maximum(own, joint)))


def _largest_critical(kind: Interval, pairs: Pairs) -> FloatArray:
    """The largest critical value at which every pair's interval still excludes 0."""
    if kind != "wilson":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.abs(pairs.a.value - pairs.b.value) / np.sqrt(pairs.var))
    small, large = np.zeros(len(pairs.i)), np.full(len(pairs.i), 1e3)
    for _ in range(_BISECTIONS):
        middle = (small + large) / 2
        outside = _apart(kind, pairs, middle) > 0
        small, large = np.where(outside, middle, small), np.where(outside, large, middle)
    return small


def choose(values: FloatArray, persons: FloatArray, names: list[str], *, largest: bool) -> int:
    """The extreme group; ties within rounding go to more persons, then to the first name."""
    target = values.max() if largest else values.min()
    slack = 1e-12 * max(1.0, abs(float(target)))
    tied = np.flatnonzero(np.abs(values - target) <= slack)
    return int(min(tied, key=lambda g: (-persons[g], names[g])))


def cross_fitted(train: FloatArray, test: FloatArray) -> float:
    """Largest minus smallest, chosen on the training weights, measured on the others, averaged.

    ``train`` and ``test`` have shape (folds, G). NaN when fewer than half of the folds are defined.
    Its mean is exactly 0 when no group differs, and never above the true range otherwise.
    """
    good = ~(np.isnan(train).any(axis=1) | np.isnan(test).any(axis=1))
    if good.mean() < 0.5:
        return float("nan")
    train, test = train[good], test[good]
    rows = np.arange(len(train))
    top, bottom = train.argmax(axis=1), train.argmin(axis=1)
    return float((test[rows, top] - test[rows, bottom]).mean())

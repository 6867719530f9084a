"""The largest gap among groups: projection interval and cross-fitted value.

The plain maximum of noisy gaps is biased upward and its percentile interval covers anything between
0 and 22 %. The projection interval takes its lower end from simultaneous pairwise intervals (max-T)
and its upper end from every pair's own interval (intersection-union).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.hashing import FloatArray
from audit.intervals import Estimates, critical, mover
from audit.metrics.core import Interval

IntArray = npt.NDArray[np.int64]
_UNSTABLE = 0.01
_BISECTIONS = 60


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
    """Lower end from simultaneous, upper end from pairwise intervals of |M(a) - M(b)|."""
    low, _ = _pair_limits(kind, pairs, level, simultaneous_critical(pairs, t_star, level))
    _, high = _pair_limits(kind, pairs, level, None)
    return max(0.0, float(np.nanmax(low))), float(np.nanmax(high))


def simultaneous_critical(pairs: Pairs, t_star: FloatArray | None, level: float) -> FloatArray:
    """The critical value of every pair: of max-T, or Bonferroni's t without replicates."""
    if t_star is None:
        df = np.where(np.isfinite(pairs.df), pairs.df, 1e9)
        share = 1 - (1 - level) / len(pairs.i)
        return critical(df, np.zeros(len(df), dtype=np.bool_), share)
    k = int((len(t_star) + 1) * (1 - level))
    found = np.inf if k < 1 else np.sort(t_star)[-k]
    return np.full(len(pairs.i), found)


def _pair_limits(
    kind: Interval, pairs: Pairs, level: float, c: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    d = pairs.a.value - pairs.b.value
    if kind == "wilson":
        za = critical(pairs.a.df, pairs.a.normal, level) if c is None else c
        zb = critical(pairs.b.df, pairs.b.normal, level) if c is None else c
        low, high = mover(pairs.a, pairs.b, pairs.rho, za, zb, log=False)
        return np.maximum(low, -high), np.maximum(high, -low)
    plain = np.zeros(len(d), dtype=np.bool_)
    df = np.where(np.isfinite(pairs.df), pairs.df, 1e9)
    half = (critical(df, plain, level) if c is None else c) * np.sqrt(pairs.var)
    return np.abs(d) - half, np.abs(d) + half


def projection_p(kind: Interval, pairs: Pairs, t_star: FloatArray | None) -> float:
    """The p-value whose inversion is the lower end: below 0.05 exactly where low > 0."""
    if t_star is None:
        small, large = -60.0, 0.0
        for _ in range(_BISECTIONS):
            middle = (small + large) / 2
            c = simultaneous_critical(pairs, None, float(-np.expm1(middle)))
            excluded = np.nanmax(_pair_limits(kind, pairs, 0.95, c)[0]) > 0
            small, large = (small, middle) if excluded else (middle, large)
        return float(np.exp(large))
    observed = _largest_excluding(kind, pairs)
    return float((1 + (t_star >= observed).sum()) / (len(t_star) + 1))


def _largest_excluding(kind: Interval, pairs: Pairs) -> float:
    """The largest critical value at which some pair's interval still excludes 0."""
    if kind != "wilson":
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(pairs.a.value - pairs.b.value) / np.sqrt(pairs.var)
        return float(np.nanmax(t))
    small, large = 0.0, 1e3
    for _ in range(_BISECTIONS):
        middle = (small + large) / 2
        low, _ = _pair_limits(kind, pairs, 0.95, np.full(len(pairs.i), middle))
        small, large = (middle, large) if np.nanmax(low) > 0 else (small, middle)
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

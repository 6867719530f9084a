"""The largest gap among groups: projection interval and cross-fitted value.

The plain maximum of noisy gaps is biased upward and its percentile interval covers anything between
0 and 22 %. The projection interval takes its lower end from simultaneous pairwise intervals (max-T)
and its upper end from every pair's own interval (intersection-union).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

from audit.hashing import FloatArray
from audit.intervals import (
    Estimates,
    critical,
    order_rank,
    proportions,
    score_critical,
    score_limits,
    score_p,
    score_z,
)
from audit.metrics.core import Interval

IntArray = npt.NDArray[np.int64]
_UNSTABLE = 0.01
_CANDIDATES = 100
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

    A simultaneous interval is never narrower than the pair's own.
    """
    own = _own(kind, pairs, level)
    joint = np.maximum(own, _joint(kind, pairs, t_star, level))
    if kind != "wilson":
        gap, se = np.abs(pairs.a.value - pairs.b.value), np.sqrt(pairs.var)
        return max(0.0, float(np.nanmax(gap - joint * se))), float(np.nanmax(gap + own * se))
    shares = proportions(pairs.a, pairs.b, pairs.rho)
    gap, z = np.abs(shares.pa - shares.pb), np.abs(score_z(shares, np.zeros(len(own))))
    se = gap / np.where(z > 0, z, np.nan)
    near = _promising(gap - joint * se, z / joint)
    far = _promising(gap + own * np.sqrt(0.25 / shares.na + 0.25 / shares.nb), gap, 1 / shares.na)
    low, up = score_limits(shares.take(near), joint[near])
    down, high = score_limits(shares.take(far), own[far])
    least = np.nanmax(np.maximum(low, -up))
    return max(0.0, float(least)), float(np.nanmax(np.maximum(high, -down)))


def _promising(*ranks: FloatArray) -> IntArray:
    """The pairs that lead by one of several criteria: all of them where there are few."""
    if len(ranks[0]) <= _CANDIDATES:
        return np.arange(len(ranks[0]))
    leading = [np.argsort(-np.nan_to_num(rank, nan=-np.inf))[:_CANDIDATES] for rank in ranks]
    return np.unique(np.concatenate(leading))


def _own(kind: Interval, pairs: Pairs, level: float) -> FloatArray:
    if kind == "wilson":
        return score_critical(proportions(pairs.a, pairs.b, pairs.rho), level)
    return critical(_finite_df(pairs), np.zeros(len(pairs.i), dtype=np.bool_), level)


def _finite_df(pairs: Pairs) -> FloatArray:
    return np.where(np.isfinite(pairs.df), pairs.df, 1e9)


def _joint(
    kind: Interval, pairs: Pairs, t_star: FloatArray | None, level: float
) -> float | FloatArray:
    """The critical value of max-T; without replicates every pair's own at Bonferroni's level."""
    if t_star is None:
        return _own(kind, pairs, 1 - (1 - level) / len(pairs.i))
    k = order_rank(len(t_star), 1 - level)
    return float(np.inf if k < 1 else np.sort(t_star)[-k])


def projection_p(kind: Interval, pairs: Pairs, t_star: FloatArray | None) -> float:
    """The p-value whose inversion is the lower end: below 0.05 exactly where low > 0."""
    if kind == "wilson":
        shares = proportions(pairs.a, pairs.b, pairs.rho)
        observed = np.abs(score_z(shares, np.zeros(len(pairs.i))))
        own = score_p(shares, observed)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            observed = np.abs(pairs.a.value - pairs.b.value) / np.sqrt(pairs.var)
        own = 2 * stdtr(_finite_df(pairs), -observed)
    if t_star is None:
        joint = np.minimum(own * len(observed), 1.0)
    else:
        ordered = np.sort(t_star)
        beyond = len(ordered) - np.searchsorted(ordered, observed - _SLACK)
        joint = (1 + beyond) / (len(ordered) + 1)
    return float(np.nanmin(np.maximum(own, joint)))


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
    slack = 1e-12 * np.maximum(1.0, np.abs(train).max(axis=1, keepdims=True))
    top = train >= train.max(axis=1, keepdims=True) - slack
    bottom = train <= train.min(axis=1, keepdims=True) + slack
    gap = [(test * tied).sum(axis=1) / tied.sum(axis=1) for tied in (top, bottom)]
    return float((gap[0] - gap[1]).mean())

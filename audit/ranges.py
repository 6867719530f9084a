"""The largest gap among groups: projection interval and cross-fitted value.

The plain maximum of noisy gaps is biased upward and its percentile interval covers anything between
0 and 22 %. The projection interval takes its lower end from simultaneous pairwise intervals (max-T)
and its upper end from every pair's own interval (intersection-union).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.contrasts import Sides, analytic_critical, analytic_p, limits_at, statistic
from audit.families import Hypotheses, against
from audit.hashing import FloatArray
from audit.intervals import Estimates
from audit.metrics.core import Interval
from audit.replicated import Moved, replicated

IntArray = npt.NDArray[np.int64]
_CANDIDATES = 100


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs i < j of some groups, by index, and their contrasts."""

    i: IntArray
    j: IntArray
    sides: Sides


def all_pairs(kind: Interval, e: Estimates, covariance: FloatArray) -> Pairs:
    """Every pair of groups with the covariance of its sides."""
    i, j = np.triu_indices(len(e.value), 1)
    return Pairs(i, j, Sides(kind, e.take(i), e.take(j), covariance[i, j]))


def pair_maxima(pairs: Pairs, moves: Moved) -> FloatArray:
    """The largest absolute statistic over all pairs in every replicate; NaN where undefined."""
    n = moves.shift.shape[1]
    largest = np.zeros(len(moves.shift))
    start = 0
    for g in range(n - 1):
        index = np.arange(start, start := start + n - 1 - g)
        one, others = moves.take(np.array([g])), moves.take(np.arange(g + 1, n))
        t = np.abs(replicated(pairs.sides.take(index), one, others))
        largest = np.maximum(largest, t.max(axis=1))
    return np.where(np.isfinite(largest), largest, np.nan)


def pair_tests(pairs: Pairs, maxima: FloatArray | None) -> Hypotheses:
    """The family of all pairs."""
    return Hypotheses(statistic(pairs.sides), analytic_p(pairs.sides), maxima)


def projection(
    pairs: Pairs, maxima: FloatArray | None, levels: Sequence[float]
) -> list[tuple[float, float]]:
    """Lower end from simultaneous, upper end from pairwise intervals of |M(a) - M(b)|, by level.

    A simultaneous interval is never narrower than the pair's own. Without replicates (``maxima``
    sorted) it is Bonferroni's.
    """
    if pairs.sides.kind == "wilson":
        return _score_projection(pairs, maxima, levels)
    sides, t = pairs.sides, np.abs(statistic(pairs.sides))
    gap, se = np.abs(sides.a.value - sides.b.value), np.sqrt(sides.var)
    found = []
    for level in levels:
        joint = _joint(pairs, maxima, level)
        near = _promising(t, gap - joint * se)
        half = analytic_critical(plain(sides), level) * se
        low, up = limits_at(sides.take(near), joint[near])
        wide = gap[near] - half[near]
        found.append(_ends(np.minimum(np.maximum(low, -up), wide), gap + half))
    return found


def _score_projection(
    pairs: Pairs, maxima: FloatArray | None, levels: Sequence[float]
) -> list[tuple[float, float]]:
    """The same for proportions: the intervals of all levels are searched for at once."""
    sides, t = pairs.sides, np.abs(statistic(pairs.sides))
    shares = sides.shares
    gap, width = np.abs(sides.a.value - sides.b.value), 1 / shares.na + 1 / shares.nb
    se = 0.5 * np.sqrt(width)
    index, crit = [], []
    for level in levels:
        own, joint = analytic_critical(sides, level), _joint(pairs, maxima, level)
        near = _promising(t, gap - joint * se)
        far = _promising(gap + own * se, gap, width)
        index += [near, far]
        crit += [np.maximum(own, joint)[near], own[far]]
    low, high = limits_at(sides.take(np.concatenate(index)), np.concatenate(crit))
    inner, outer = np.maximum(low, -high), np.maximum(high, -low)
    cuts = np.cumsum([len(part) for part in index])[:-1]
    least, most = np.split(inner, cuts)[::2], np.split(outer, cuts)[1::2]
    return [_ends(*ends) for ends in zip(least, most, strict=True)]


def _ends(least: FloatArray, most: FloatArray) -> tuple[float, float]:
    return float(np.nanmax(least, initial=0.0)), float(np.nanmax(most))


def plain(sides: Sides) -> Sides:
    """Positive errors compared as they are: the interval of a pair by itself."""
    return Sides("t", sides.a, sides.b, sides.cov) if sides.kind == "log_t" else sides


def _promising(*ranks: FloatArray) -> IntArray:
    """The pairs that lead by one of several criteria: all of them where there are few."""
    if len(ranks[0]) <= _CANDIDATES:
        return np.arange(len(ranks[0]))
    leading = [np.argsort(-np.nan_to_num(rank, nan=-np.inf))[:_CANDIDATES] for rank in ranks]
    return np.unique(np.concatenate(leading))


def _joint(pairs: Pairs, maxima: FloatArray | None, level: float) -> FloatArray:
    n = len(pairs.i)
    if maxima is None:
        return analytic_critical(pairs.sides, 1 - (1 - level) / n)
    return np.full(n, against(maxima, np.zeros(0), level).critical)


def projection_p(pairs: Pairs, maxima: FloatArray | None) -> float:
    """The p-value whose inversion is the lower end: below 0.05 exactly where low > 0."""
    own, p = analytic_p(plain(pairs.sides)), analytic_p(pairs.sides)
    if maxima is None:
        joint = np.minimum(p * len(p), 1.0)
    else:
        joint = against(maxima, statistic(pairs.sides)).p
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

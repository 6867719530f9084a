"""The row of the largest gap: worst minus best, or maximum minus minimum of a signed metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from audit.block import Block, Setting, class_support, covariance_of, faces, values_of
from audit.bootstrap import Replicates
from audit.estimates import covariances, estimate
from audit.families import LEVEL, MIN_REPLICATES, defined
from audit.intervals import Estimates
from audit.metrics.core import Metric
from audit.ranges import (
    Pairs,
    all_pairs,
    choose,
    cross_fitted,
    pair_maxima,
    projection,
    projection_p,
)
from audit.replicated import moved
from audit.rest import Rest, enough
from audit.rows import RangeGap
from audit.sampled import sampled_estimates

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Bootstrap and fold values of one block, by ``metric.key``.

    ``eligible`` are the groups that may be worst or best, with replicates and fold values; ``rest``
    are the contrasts with everyone else, and ``rest_t`` (B, m) their statistic in every replicate.
    """

    eligible: Mapping[str, IntArray]
    rest: Mapping[str, Rest]
    boot: dict[str, Replicates] = field(default_factory=dict)
    train: dict[str, FloatArray] = field(default_factory=dict)
    test: dict[str, FloatArray] = field(default_factory=dict)
    rest_t: dict[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Eligible:
    """All pairs of the groups ``chosen`` that are tested against each other, and who is not.

    ``maxima`` (B,) is the largest absolute statistic over them in every replicate, NaN where
    undefined. ``left_out`` counts the groups with a value that are in no test, by note.
    """

    chosen: IntArray
    pairs: Pairs
    estimates: Estimates
    maxima: FloatArray | None
    left_out: Mapping[str, int]
    classes: BoolArray | None


def eligible_groups(setting: Setting, block: Block, metric: Metric) -> IntArray:
    """Groups that stand in a spread over all groups: known, defined, with at least min_n persons.

    A mean over classes also needs every class, right and wrong in 5 persons: the same for all.
    """
    defined = ~np.isnan(values_of(block, metric))
    if metric.masked:
        here, _, scarce, _ = class_support(block, setting)
        defined &= (here & ~scarce)[:, here.any(axis=0)].all(axis=1)
    large = block.who[metric.key][0].m >= setting.min_n
    return np.flatnonzero(block.grouping.known & defined & large)


def tested_groups(setting: Setting, block: Block, metric: Metric) -> IntArray:
    """Groups that may be worst or best: those of a spread that have 20 effective persons too."""
    found = eligible_groups(setting, block, metric)
    return found[enough(setting, block.who[metric.key][0].take(found))]


def eligible_pairs(
    setting: Setting, block: Block, metric: Metric, resampled: Resampled
) -> Eligible:
    """The family of all pairs of one metric."""
    chosen = resampled.eligible[metric.key]
    e, cov, classes = range_estimates(setting, block, metric, chosen)
    boot, maxima = resampled.boot.get(metric.key), None
    unstable = 0
    if boot is not None and setting.n_boot and len(chosen) > 1:
        moves = moved(metric.interval, e, boot)
        stable = np.flatnonzero(~moves.unstable)
        unstable = len(chosen) - len(stable) if len(stable) > 1 else 0
        if unstable:
            chosen, e, cov, moves = (
                chosen[stable],
                e.take(stable),
                cov[np.ix_(stable, stable)],
                moves.take(stable),
            )
    pairs = all_pairs(metric.interval, e, cov)
    if boot is not None and setting.n_boot and len(chosen) > 1:
        maxima = pair_maxima(pairs, moves)
    left_out = _left_out(setting, block, metric, len(resampled.eligible[metric.key]))
    if unstable:
        left_out["unstable_replicates"] = unstable
    return Eligible(chosen, pairs, e, maxima, left_out, classes)


def _left_out(setting: Setting, block: Block, metric: Metric, n_eligible: int) -> dict[str, int]:
    """How many known groups with persons are in no test, by the reason."""
    who = block.who[metric.key][0]
    present = block.grouping.known & (who.m > 0)
    counts = {"below_min_n": present & (who.m < setting.min_n)}
    counts["low_m_eff"] = present & ~counts["below_min_n"] & ~enough(setting, who)
    found = {note: int(where.sum()) for note, where in counts.items()}
    more = int(present.sum()) - sum(found.values()) - n_eligible
    found["few_per_class" if metric.masked else "undefined_group"] = more
    return {note: count for note, count in found.items() if count}


def range_row(
    block: Block, metric: Metric, content: dict[str, object] | None, note: str | None
) -> RangeGap:
    """The row of the largest gap: with its numbers, or with the note why there are none."""
    return RangeGap(
        kind="max_minus_min" if metric.better in {"zero", "none"} else "worst_minus_best",
        metric=metric.name,
        class_=metric.class_,
        attributes=list(block.grouping.names),
        family=f"{metric.name}/{','.join(block.grouping.names)}",
        note=note,
        **({"value": None} | (content or {})),
    )


def range_estimates(
    setting: Setting, block: Block, metric: Metric, chosen: IntArray
) -> tuple[Estimates, FloatArray, BoolArray | None]:
    """Estimates and covariance of the eligible groups, on the classes that all of them have."""
    if metric.quantile is not None:
        q = block.quantiles[metric.key]
        sampled = (q.replicates - q.grid)[:, chosen]
        e, cov = sampled_estimates(q.value[chosen], sampled), np.zeros((len(chosen),) * 2)
        if block.panels.cross is not None and len(sampled) > 1 and not np.isnan(sampled).any():
            cov = np.cov(sampled, rowvar=False).reshape(cov.shape)
        return e, cov, None
    if not metric.masked:
        cov = covariance_of(block, metric)[np.ix_(chosen, chosen)]
        return block.estimates[metric.key].take(chosen), cov, None
    common = np.asarray(class_support(block, setting)[0].any(axis=0), dtype=np.bool_)
    mask = np.broadcast_to(common, (len(chosen), len(common)))
    who = block.who[metric.key][0].take(chosen)
    e, slope = estimate(metric, setting.layout, block.panels.groups.take(chosen), who, mask)
    full = np.zeros((block.grouped.n_groups, slope.shape[1]))
    full[chosen] = slope
    factor = np.sqrt(who.m / np.maximum(who.m - 1, 1))
    cov = np.zeros((len(chosen),) * 2)
    if block.panels.cross is not None:
        cov = covariances(block.grouped, full, block.moments.shares)[np.ix_(chosen, chosen)]
        cov = cov * np.outer(factor, factor)
    return e, cov, common


def largest_row(
    setting: Setting,
    block: Block,
    metric: Metric,
    resampled: Resampled,
    tested: Eligible,
    sd: float | None,
    n_classes: int,
) -> RangeGap:
    """The row of the worst and the best group (or of the largest and smallest bias).

    Its interval holds for all groups together; the adjusted one for all ``n_classes`` of the metric
    too, by Bonferroni.
    """
    chosen, e = tested.chosen, tested.estimates
    left_out = [f"{note}: {count} groups left out" for note, count in tested.left_out.items()]
    if len(chosen) < 2:
        return range_row(block, metric, None, "; ".join(left_out) or "single_group")
    who, n = block.who[metric.key][0], faces(setting, metric, block.panels.groups)
    names = [str(block.grouping.groups[g]) for g in chosen]
    top = choose(e.value, who.m[chosen], names, largest=True)
    bottom = choose(e.value, who.m[chosen], names, largest=False)
    worst, best = (bottom, top) if metric.better == "higher" else (top, bottom)
    a, b = int(chosen[worst]), int(chosen[best])
    content: dict[str, object] = {
        "a": block.grouping.label(a),
        "b": block.grouping.label(b),
        "value": abs(float(e.value[worst] - e.value[best])),
        "n_a": round(n[a]),
        "n_b": round(n[b]),
        "n_subjects_a": round(who.m[a]),
        "n_subjects_b": round(who.m[b]),
    }
    if metric.key in resampled.train:
        at = np.searchsorted(resampled.eligible[metric.key], chosen)
        folds = (part[metric.key][:, at] for part in (resampled.train, resampled.test))
        content["debiased"] = cross_fitted(*folds)
    content["effect_size"] = None if sd is None else abs(float(e.value[worst] - e.value[best])) / sd
    notes = [_projected(metric, tested, n_classes, content)]
    notes += left_out
    by_age = "age" in block.grouping.names and metric.name == "bias"
    notes += ["regression_to_mean" if by_age else None]
    return range_row(block, metric, content, "; ".join(x for x in notes if x) or None)


def _projected(
    metric: Metric, tested: Eligible, n_classes: int, content: dict[str, object]
) -> str | None:
    """Add the projection intervals and their p; returns the note where there are none."""
    e = tested.estimates
    if metric.interval != "wilson" and not (e.var > 0).all():
        return "too_few_replicates" if metric.quantile is not None else "zero_variance"
    if np.isnan(e.df).any():
        return "few_effective"
    maxima = None
    if tested.maxima is not None:
        maxima = defined(tested.maxima)
        if maxima is None:
            return "unstable_replicates"
        if len(maxima) < MIN_REPLICATES:
            return "too_few_replicates"
    pairs, p = tested.pairs, projection_p(tested.pairs, maxima)
    level = 1 - (1 - LEVEL) / n_classes
    names = (("low", "high"), ("low_90", "high_90"), ("low_adjusted", "high_adjusted"))
    for pair, ends in zip(names, projection(pairs, maxima, (LEVEL, 0.90, level)), strict=True):
        content |= dict(zip(pair, ends, strict=True))
    content["p"], content["p_adjusted"] = p, min(1.0, p * n_classes)
    content["method"] = "projection (max-T)" if maxima is not None else "projection (Bonferroni)"
    return None

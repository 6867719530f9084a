"""The row of the largest gap: worst minus best, or maximum minus minimum of a signed metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Block, Setting, class_support, covariance_of, faces, values_of
from audit.bootstrap import Replicates
from audit.estimates import covariances, estimate
from audit.intervals import Estimates
from audit.metrics.core import Metric
from audit.ranges import all_pairs, choose, cross_fitted, max_t, projection, projection_p
from audit.rows import RangeGap
from audit.values import MIN_REPLICATES

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Bootstrap and fold values of the eligible groups of one block, by ``metric.key``."""

    eligible: Mapping[str, IntArray]
    boot: Mapping[str, Replicates]
    train: Mapping[str, FloatArray]
    test: Mapping[str, FloatArray]


def eligible_groups(setting: Setting, block: Block, metric: Metric) -> IntArray:
    """Groups that may be worst or best: known, defined, and with at least min_n persons.

    A mean over classes also needs every class, right and wrong in 5 persons: the same for all.
    """
    enough = block.who[metric.key][0].m >= setting.min_n
    defined = ~np.isnan(values_of(block, metric))
    if metric.masked:
        here, _, scarce, _ = class_support(block, setting)
        defined &= (here & ~scarce)[:, here.any(axis=0)].all(axis=1)
    return np.flatnonzero(block.grouping.known & defined & enough)


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
        sampled = q.replicates[:, chosen]
        var = (
            np.nanvar(sampled, axis=0, ddof=1) if len(sampled) > 1 else np.full(len(chosen), np.nan)
        )
        far = np.full(len(chosen), np.inf)
        plain = np.zeros(len(chosen), dtype=np.bool_)
        e = Estimates(q.value[chosen], var, far, far, plain, far, far)
        return e, np.zeros((len(chosen),) * 2), None
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


def largest_row(setting: Setting, block: Block, metric: Metric, resampled: Resampled) -> RangeGap:
    """The row of the worst and the best group (or of the largest and smallest bias)."""
    chosen = resampled.eligible[metric.key]
    if len(chosen) < 2:
        return range_row(block, metric, None, "few_per_class" if metric.masked else "below_min_n")
    e, cov, _ = range_estimates(setting, block, metric, chosen)
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
        content["debiased"] = cross_fitted(resampled.train[metric.key], resampled.test[metric.key])
    boot = resampled.boot.get(metric.key)
    note = _projected(setting, metric, e, cov, boot, content)
    left_out = int((block.grouping.known & (who.m > 0)).sum()) - len(chosen)
    reason = "few_per_class" if metric.masked else "below_min_n"
    skipped = f"{reason}: {left_out} groups left out" if left_out else None
    by_age = "age" in block.grouping.names and metric.name == "bias"
    notes = [note, skipped, "regression_to_mean" if by_age else None]
    return range_row(block, metric, content, "; ".join(x for x in notes if x) or None)


def _projected(
    setting: Setting,
    metric: Metric,
    e: Estimates,
    cov: FloatArray,
    boot: Replicates | None,
    content: dict[str, object],
) -> str | None:
    """Add the projection interval and its p; returns the note where there is none."""
    kind = "t" if metric.interval not in {"wilson"} else metric.interval
    if metric.interval != "wilson" and not (e.var > 0).all():
        return "too_few_replicates" if metric.quantile is not None else "zero_variance"
    if np.isnan(e.df).any():
        return "few_effective"
    t_star = None
    if boot is not None and setting.n_boot:
        t_star = max_t(kind, e, cov, boot.values, boot.variances)
        if t_star is None:
            return "unstable_replicates"
        if len(t_star) < MIN_REPLICATES:
            return "too_few_replicates"
    pairs = all_pairs(e, cov)
    content["low"], content["high"] = projection(kind, pairs, t_star, 0.95)
    content["low_90"], content["high_90"] = projection(kind, pairs, t_star, 0.90)
    content["p"] = projection_p(kind, pairs, t_star)
    content["method"] = "projection (max-T)" if t_star is not None else "projection (Bonferroni)"
    return None

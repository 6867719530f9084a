"""Pairs of groups in one metric: difference and ratio of those that a record lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Block, Setting, class_support, covariance_of, values_of
from audit.contrasts import Sides
from audit.estimates import Persons, estimate, pair_covariances
from audit.intervals import Contrast, difference, log_ratio
from audit.metrics.core import Metric
from audit.rest import usable_groups
from audit.sampled import (
    exponential,
    sampled_contrasts,
    sampled_covariance,
    sampled_estimates,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
MAX_GROUPS_FOR_PAIRS = 12
N_LARGEST = 20


@dataclass(frozen=True, eq=False)
class Listed:
    """The pairs (i, j) of a record, arrays (m,): both sides in text order.

    ``few`` marks means over classes with a class in under 5 persons; ``classes`` (m, K) are those
    of both sides.
    """

    i: IntArray
    j: IntArray
    sides: Sides
    who: tuple[Persons, Persons]
    difference: Contrast
    ratio: Contrast | None
    few: BoolArray
    classes: BoolArray | None = None


def listed_pairs_of(setting: Setting, block: Block, metric: Metric) -> Listed:
    """All pairs for at most 12 groups (or on request), else the 20 largest differences."""
    i, j = _chosen(setting, block, metric)
    persons = block.who[metric.key][0]
    who = persons.take(i), persons.take(j)
    if metric.quantile is not None:
        q = block.quantiles[metric.key]
        shifted = q.value + q.replicates - q.grid
        a, b = shifted[:, i], shifted[:, j]
        estimates = sampled_estimates(q.value[i], a), sampled_estimates(q.value[j], b)
        sides = Sides("percentile", *estimates, sampled_covariance(a, b))
        gap, ratio = sampled_contrasts(a, b, q.value[i], q.value[j])
        return Listed(i, j, sides, who, gap, ratio, np.zeros(len(i), dtype=np.bool_))
    sides, few, classes = pair_sides(setting, block, metric, i, j)
    gap = without(difference(metric.interval, sides.a, sides.b, sides.var), few)
    found = None
    if metric.has_ratio:
        log = without(log_ratio(metric.interval, sides.a, sides.b, sides.var), few)
        found = exponential(log, sides.a.value, sides.b.value)
    return Listed(i, j, sides, who, gap, found, few, classes)


def _chosen(setting: Setting, block: Block, metric: Metric) -> tuple[IntArray, IntArray]:
    value, usable = values_of(block, metric), usable_groups(block, metric)
    text = sorted(usable, key=lambda g: tuple(map(str, block.grouping.groups[g])))
    first, second = np.triu_indices(len(text), 1)
    i, j = np.array(text)[first], np.array(text)[second]
    if len(usable) > MAX_GROUPS_FOR_PAIRS and not setting.all_pairs:
        gap = np.abs(value[i] - value[j])
        order = np.argsort(-np.round(gap, 12), kind="stable")[:N_LARGEST]
        i, j = i[order], j[order]
    return i, j


def pair_sides(
    setting: Setting, block: Block, metric: Metric, i: IntArray, j: IntArray
) -> tuple[Sides, BoolArray, BoolArray | None]:
    """Estimates of both sides, on the classes that both have where the metric is a class mean."""
    e, who = block.estimates[metric.key], block.who[metric.key][0]
    if not metric.masked:
        cov = covariance_of(block, metric)[i, j]
        few = np.zeros(len(i), dtype=np.bool_)
        return Sides(metric.interval, e.take(i), e.take(j), cov), few, None
    here, _, scarce, _ = class_support(block, setting)
    joint = here[i] & here[j]
    groups = block.panels.groups
    a, slope_a = estimate(metric, setting.layout, groups.take(i), who.take(i), joint)
    b, slope_b = estimate(metric, setting.layout, groups.take(j), who.take(j), joint)
    cov = _covariance(block, metric, i, j, slope_a, slope_b)
    few = np.asarray((joint & (scarce[i] | scarce[j])).any(axis=1), dtype=np.bool_)
    return Sides(metric.interval, a, b, cov), few, joint


def _covariance(
    block: Block, metric: Metric, i: IntArray, j: IntArray, slope_a: FloatArray, slope_b: FloatArray
) -> FloatArray:
    if block.panels.cross is None:
        return np.zeros(len(i))
    found = pair_covariances(block.grouped, block.moments.shares, i, j, slope_a, slope_b)
    m = block.who[metric.key][0].m
    factor = np.sqrt(m / np.maximum(m - 1, 1))
    return found * factor[i] * factor[j]


def without(c: Contrast, bad: BoolArray) -> Contrast:
    """A contrast whose intervals are not to be trusted in some rows."""

    def hidden(x: FloatArray) -> FloatArray:
        return np.where(bad, np.nan, x)

    return Contrast(
        c.value, hidden(c.low), hidden(c.high), hidden(c.low_90), hidden(c.high_90), hidden(c.p)
    )

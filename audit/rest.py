"""Every group of a combination against everyone else, in one metric."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audit.block import (
    Block,
    Setting,
    class_support,
    rest_covariance,
    values_of,
)
from audit.contrasts import Sides, statistic
from audit.estimates import Persons, estimate
from audit.intervals import Contrast, difference
from audit.metrics.core import Metric
from audit.sampled import sampled_contrasts, sampled_covariance, sampled_estimates
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rest:
    """Some groups against the rest, arrays (m,); ``classes`` (m, K) are those of both sides.

    ``own`` is each contrast by itself, undefined where ``few`` persons hold a class; ``tested``
    marks the ones with enough persons and effective persons on both sides.
    """

    groups: IntArray
    sides: Sides
    own: Contrast
    who: tuple[Persons, Persons]
    few: BoolArray
    tested: BoolArray
    classes: BoolArray | None = None


def rest_of(setting: Setting, block: Block, metric: Metric) -> Rest:
    """The contrasts of every group where the metric is defined."""
    groups = usable_groups(block, metric)
    here, there = block.who[metric.key]
    who = here.take(groups), there.take(groups)
    classes, few = None, np.zeros(len(groups), dtype=np.bool_)
    if metric.quantile is not None:
        sides, own = _sampled(block, metric, groups)
    else:
        if metric.masked:
            support, rest_support, scarce, rest_scarce = class_support(block, setting)
            classes = (support & rest_support)[groups]
            few = np.asarray((classes & (scarce | rest_scarce)[groups]).any(axis=1))
        sides = _sides(setting, block, metric, groups, who, classes)
        own = difference(metric.interval, sides.a, sides.b, sides.var)
    defined = ~np.isnan(statistic(sides)) & ~few
    return Rest(groups, sides, own, who, few, enough(setting, *who) & defined, classes)


def usable_groups(block: Block, metric: Metric) -> IntArray:
    """The groups that can be compared: known, and with a value."""
    return np.flatnonzero(block.grouping.known & ~np.isnan(values_of(block, metric)))


def enough(setting: Setting, *who: Persons) -> BoolArray:
    """Where every side has ``min_n`` persons and 20 effective ones."""
    found = [(w.m >= setting.min_n) & (w.effective >= MIN_EFFECTIVE) for w in who]
    return np.asarray(np.logical_and.reduce(found), dtype=np.bool_)


def _sides(
    setting: Setting,
    block: Block,
    metric: Metric,
    groups: IntArray,
    who: tuple[Persons, Persons],
    classes: BoolArray | None,
) -> Sides:
    if classes is None:
        a, b = block.estimates[metric.key].take(groups), block.rest[metric.key].take(groups)
        slope, rest_slope = (part[metric.key][groups] for part in (block.slopes, block.rest_slopes))
    else:
        panels = block.panels.groups.take(groups), block.panels.rest.take(groups)
        (a, slope), (b, rest_slope) = (
            estimate(metric, setting.layout, panel, side, classes)
            for panel, side in zip(panels, who, strict=True)
        )
    cross = block.panels.cross
    part = replace(block.panels, cross=None if cross is None else cross[groups])
    cov = rest_covariance(replace(block, panels=part), slope, rest_slope, who)
    return Sides(metric.interval, a, b, cov)


def _sampled(block: Block, metric: Metric, groups: IntArray) -> tuple[Sides, Contrast]:
    q = block.quantiles[metric.key]
    value, rest = q.value[groups], q.rest[groups]
    a = value + (q.replicates - q.grid)[:, groups]
    b = rest + (q.rest_replicates - q.rest_grid)[:, groups]
    estimates = sampled_estimates(value, a), sampled_estimates(rest, b)
    sides = Sides("percentile", *estimates, sampled_covariance(a, b))
    return sides, sampled_contrasts(a, b, value, rest)[0]

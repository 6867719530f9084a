"""One attribute combination worked out: every metric in every group and in everyone else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from audit.estimates import (
    Panel,
    Panels,
    Persons,
    amounts,
    covariances,
    estimate,
    panels,
    persons_of,
)
from audit.groups import Grouping
from audit.intervals import Estimates
from audit.metrics.core import Layout, Metric
from audit.moments import Moments, Wanted, moments
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Adjust = Literal["max_t", "holm", "bh"]
FEW_PER_CLASS = 5
RANGE_LIMITED = frozenset({"pearson", "slope", "calibration_slope", "calibration_intercept"})
"""Metrics that mean little within a band of the true age."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What holds for the whole audit.

    ``counted`` are further metrics whose persons count, ``in_buckets`` says that hash buckets of
    persons are resampled instead of persons.
    """

    metrics: tuple[Metric, ...]
    impossible: Mapping[str, str]
    layout: Layout
    columns: IntArray
    n_boot: int
    seed: int
    min_n: int
    all_pairs: bool
    adjust: Adjust = "max_t"
    counted: tuple[Metric, ...] = ()
    primary: tuple[str, ...] = ()
    in_buckets: bool = False


@dataclass(frozen=True, eq=False)
class Quantiles:
    """One quantile metric: exact values (G,), grid replicates (B, G) and folds (R, G) each."""

    value: FloatArray
    rest: FloatArray
    replicates: FloatArray
    rest_replicates: FloatArray
    grid: FloatArray
    rest_grid: FloatArray
    train: FloatArray
    test: FloatArray


@dataclass(frozen=True, eq=False)
class Block:
    """The estimates of one combination, by ``metric.key``; ``who`` and the like are (G,).

    ``moments`` are over whole persons; ``grouped`` holds the sums of the resampled units: persons,
    or hash buckets of them above 2^14 persons.
    """

    grouping: Grouping
    grouped: GroupedSums
    moments: Moments
    panels: Panels
    who: Mapping[str, tuple[Persons, Persons]]
    estimates: Mapping[str, Estimates]
    slopes: Mapping[str, FloatArray]
    rest: Mapping[str, Estimates]
    rest_slopes: Mapping[str, FloatArray]
    quantiles: Mapping[str, Quantiles]

    def sums(self, layout: Layout) -> dict[str, FloatArray]:
        """The sums of every group by feature."""
        return layout.unpack(self.panels.groups.totals)


def build_block(
    setting: Setting,
    grouping: Grouping,
    grouped: GroupedSums,
    quantiles: Mapping[str, Quantiles],
    rowwise: Mapping[str, FloatArray] | None = None,
    whole: Moments | None = None,
) -> Block:
    """Estimate every possible metric in every group of a combination, and in its rest.

    ``rowwise`` holds the values (G,) of the metrics that do not come from sums. Without ``whole``,
    the moments over persons, the units of ``grouped`` must be persons.
    """
    metrics = possible(setting)
    whole = moments(grouped, grouping, moments_wanted(setting)) if whole is None else whole
    whole = whole.at(grouping.groups)
    both = panels(whole, grouping.known)
    counted = whole.wanted.coefficients
    who = persons_of(metrics, setting.layout, whole.tally, counted, grouping.known)
    found: dict[str, tuple[Estimates, FloatArray]] = {}
    rest: dict[str, tuple[Estimates, FloatArray]] = {}
    for metric in metrics:
        if metric.rowwise:
            nothing = np.full(len(grouping.groups), np.nan)
            value = (rowwise or {}).get(metric.key, nothing)
            found[metric.key] = rest[metric.key] = bare_estimates(value)
        elif metric.quantile is None:
            here, there = who[metric.key]
            found[metric.key] = estimate(metric, setting.layout, both.groups, here)
            rest[metric.key] = estimate(metric, setting.layout, both.rest, there)
    return Block(
        grouping,
        grouped,
        whole,
        both,
        who,
        {key: pair[0] for key, pair in found.items()},
        {key: pair[1] for key, pair in found.items()},
        {key: pair[0] for key, pair in rest.items()},
        {key: pair[1] for key, pair in rest.items()},
        quantiles,
    )


def bare_estimates(value: FloatArray) -> tuple[Estimates, FloatArray]:
    """Values without variance or influence."""
    none, plain = np.full(len(value), np.nan), np.zeros(len(value), dtype=np.bool_)
    return Estimates(value, none, none, none, plain, none, none), np.zeros((len(value), 0))


def moments_wanted(setting: Setting) -> Wanted:
    """The sums over persons that the metrics of a setting need."""
    return Wanted(setting.columns, amounts((*possible(setting), *setting.counted), setting.layout))


def possible(setting: Setting) -> Sequence[Metric]:
    """The metrics that can exist for this table."""
    return [metric for metric in setting.metrics if metric.name not in setting.impossible]


def values_of(block: Block, metric: Metric) -> FloatArray:
    """The value of a metric in every group, (G,)."""
    if metric.quantile is not None:
        return block.quantiles[metric.key].value
    return block.estimates[metric.key].value


def class_support(
    block: Block, setting: Setting
) -> tuple[BoolArray, BoolArray, BoolArray, BoolArray]:
    """Classes with a true face, (G, K): in each group, in its rest, and too scarce in each.

    Scarce: fewer than 5 persons got it right or fewer than 5 got it wrong, so that the spread of
    its recall cannot be estimated and the interval of a mean over classes would be too narrow.
    """
    confusion = block.sums(setting.layout)["confusion"]
    rest = setting.layout.unpack(block.panels.rest.totals)["confusion"]
    here, there = confusion.sum(axis=-1) > 0, rest.sum(axis=-1) > 0
    who = [pair for key, pair in block.who.items() if key.startswith("recall[")]
    rarer = [np.stack([pair[side].rarer for pair in who], axis=-1) for side in (0, 1)]
    return (
        here,
        there,
        here & (rarer[0] < FEW_PER_CLASS),
        there & (rarer[1] < FEW_PER_CLASS),
    )


def covariance_of(block: Block, metric: Metric) -> FloatArray:
    """Covariance of a metric between all groups with the factor m / (m - 1), (G, G)."""
    m = block.who[metric.key][0].m
    factor = np.sqrt(m / np.maximum(m - 1, 1))
    if block.panels.cross is None:
        return np.zeros((len(m), len(m)))
    found = covariances(block.grouped, block.slopes[metric.key], block.moments.shares)
    return np.asarray(found * np.outer(factor, factor))


def rest_covariance(
    block: Block, slope: FloatArray, rest_slope: FloatArray, who: tuple[Persons, Persons]
) -> FloatArray:
    """Covariance of each group's value with that of everyone else, (G,)."""
    if block.panels.cross is None:
        return np.zeros(len(slope))
    columns = block.panels.groups.columns
    found = np.einsum("gi,gij,gj->g", slope[:, columns], block.panels.cross, rest_slope[:, columns])
    here, there = (np.sqrt(p.m / np.maximum(p.m - 1, 1)) for p in who)
    return np.asarray(found * here * there)


def faces(setting: Setting, metric: Metric, panel: Panel) -> FloatArray:
    """How many faces enter a metric in every group of a panel, (G,)."""
    sums = setting.layout.unpack(panel.totals)
    return metric.counts(sums) if metric.counts is not None else sums["n"]

"""Two runs in one attribute combination: every metric in its groups, and outside each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from audit.block import Quantiles, Setting
from audit.estimates import persons
from audit.groups import Grouping
from audit.metrics.core import Metric
from audit.paired import Pair, Places, all_groups, sides_of, totals_of
from audit.paired_family import Resampling
from audit.paired_tests import AnySides, QuantileSides
from audit.verdict import MIN_EFFECTIVE

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
FEW_PER_CLASS = 10
"""Persons who must show a class before a mean over classes gets an interval."""


@dataclass(frozen=True, eq=False)
class PairedBlock:
    """What the rows of one combination are made from.

    ``both`` counts the faces that both runs processed, ``every`` all labelled ones. ``names`` are
    those of the runs, ``read`` keeps what was read of the groups.
    """

    setting: Setting
    names: tuple[str, str]
    both: Pair
    every: Pair
    quantiles: tuple[Mapping[str, Quantiles], Mapping[str, Quantiles]]
    weights: Resampling
    read: dict[str, AnySides] = field(default_factory=dict, repr=False)

    @property
    def grouping(self) -> Grouping:
        """The groups."""
        return self.both.grouping

    def pair_of(self, metric: Metric) -> Pair:
        """The faces that a metric is read off."""
        return self.every if metric.counts_failures else self.both

    @cached_property
    def holders(self) -> tuple[FloatArray, FloatArray]:
        """Persons with a face of each class, (G, K): in every group, and outside it."""
        recalls = [m for m in self.setting.metrics if m.name == "recall"]
        grouped = self.both.runs[0]
        who = persons(recalls, self.setting.layout, grouped, self.grouping.known)
        pairs = [who[m.key] for m in recalls]
        here, there = (np.stack([pair[side].m for pair in pairs], axis=-1) for side in (0, 1))
        return here, there


def groups_of(block: PairedBlock, metric: Metric) -> AnySides:
    """A metric of both runs in every group; it is read once."""
    if metric.key not in block.read:
        places = with_classes(block, metric, all_groups(block.both))
        block.read[metric.key] = at(block, metric, places)
    return block.read[metric.key]


def with_classes(block: PairedBlock, metric: Metric, places: Places) -> Places:
    """Places with the classes that they show, for a mean over classes."""
    if not metric.masked:
        return places
    return replace(places, classes=block.holders[int(places.rest)][places.index] > 0)


def at(block: PairedBlock, metric: Metric, places: Places) -> AnySides:
    """A metric of both runs in some places."""
    if metric.quantile is None:
        return sides_of(block.setting, block.pair_of(metric), metric, places)
    pair = block.pair_of(metric)
    who = persons([metric], block.setting.layout, pair.runs[0], block.grouping.known)[metric.key]
    here = who[int(places.rest)].take(places.index)
    n = np.minimum(*(_faces(block, pair, run, places) for run in (0, 1)))
    parts = [_quantile(found[metric.key], places) for found in block.quantiles]
    values, samples = (np.stack([part[k] for part in parts]) for k in (0, 1))
    return QuantileSides(values, samples, n, here.m, here.effective)


def _quantile(q: Quantiles, places: Places) -> tuple[FloatArray, FloatArray]:
    """Values (R,) and replicates centred at them (B, R)."""
    value, sampled, grid = (
        (q.rest, q.rest_replicates, q.rest_grid) if places.rest else (q.value, q.replicates, q.grid)
    )
    chosen = places.index
    return value[chosen], value[chosen] + (sampled - grid)[:, chosen]


def _faces(block: PairedBlock, pair: Pair, run: int, places: Places) -> FloatArray:
    sums = block.setting.layout.unpack(totals_of(pair, run, places))
    return np.asarray(sums["n"])


def too_few(block: PairedBlock, metric: Metric, places: Places) -> BoolArray:
    """Where a class in the mean is shown by too few persons, (R,)."""
    if not metric.masked or places.classes is None:
        return np.zeros(len(places.index), dtype=np.bool_)
    held = block.holders[int(places.rest)][places.index]
    return np.asarray((places.classes & (held < FEW_PER_CLASS)).any(axis=1), dtype=np.bool_)


def enough(block: PairedBlock, sides: AnySides) -> BoolArray:
    """Where there are persons enough for a test."""
    return np.asarray(
        (sides.m >= block.setting.min_n) & (sides.m_eff >= MIN_EFFECTIVE), dtype=np.bool_
    )

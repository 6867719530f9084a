"""Means over seeds on one backbone: values of two aggregators and each person's influence on them.

Below 5 seeds what is compared are these trainings, and their spread only stands beside. From 5 on
the seeds are a sample: s^2 / k is added to the variance, s the standard deviation of the paired
differences, and t has at most k - 1 degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from audit.metrics.core import Metric
from audit.paired import Places, Sides, squares
from audit.paired_block import PairedBlock, at, enough, groups_of, too_few, with_classes
from audit.paired_tests import ONE_TRAINING, Statistic, Trainings, between_means, between_runs
from audit.seeds import LEAST

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SeedMean:
    """One metric in R places, both aggregators, k seeds.

    ``sides`` hold the means, ``changes`` (k, R) the differences seed by seed.
    """

    sides: Sides
    changes: FloatArray

    @property
    def k(self) -> int:
        """Seeds."""
        return len(self.changes)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation between seeds, (R,); NaN for one."""
        none = np.full(self.changes.shape[1], np.nan)
        return np.asarray(self.changes.std(axis=0, ddof=1)) if self.k > 1 else none

    def take(self, index: npt.NDArray[np.int64]) -> SeedMean:
        """Some of the places."""
        return SeedMean(self.sides.take(index), self.changes[:, index])


def seed_mean(
    blocks: Sequence[PairedBlock], metric: Metric, places: Places | None = None
) -> SeedMean:
    """The mean over seeds, a block each; of all groups, or of some places."""
    found = [groups_of(b, metric) if places is None else at(b, metric, places) for b in blocks]
    parts = [part for part in found if isinstance(part, Sides)]
    assert len(parts) == len(blocks)
    changes = np.stack([part.change for part in parts])
    first = parts[0]
    if len(parts) == 1:
        return SeedMean(first, changes)
    psi = tuple(
        csc_array(sum((p.psi[i] for p in parts[1:]), start=first.psi[i]) / len(parts))
        for i in (0, 1)
    )
    values = np.mean([part.values for part in parts], axis=0)
    var = squares(csc_array(psi[1] - psi[0]))
    var = np.where(np.isnan(first.var), np.nan, var)
    n_eff = np.mean([part.n_eff for part in parts], axis=0)
    sides = replace(first, values=values, psi=(psi[0], psi[1]), var=var, n_eff=n_eff)
    return SeedMean(sides, changes)


def trainings(changes: FloatArray) -> Trainings:
    """What the choice of seeds adds, from differences seed by seed (k, R)."""
    k = len(changes)
    if k < LEAST:
        return ONE_TRAINING
    return Trainings(changes.var(axis=0, ddof=1) / k, k - 1)


def statistic(metric: Metric, mean: SeedMean) -> Statistic:
    """The second aggregator less the first in every place."""
    if mean.k == 1:
        return between_runs(metric, mean.sides)
    return between_means(metric, mean.sides, trainings(mean.changes))


def hidden(blocks: Sequence[PairedBlock], metric: Metric) -> BoolArray:
    """The groups where a class in a mean over classes is shown by too few persons."""
    first = blocks[0]
    places = Places(np.arange(len(first.grouping.groups)))
    return too_few(first, metric, with_classes(first, metric, places))


def tested(blocks: Sequence[PairedBlock], metric: Metric, mean: SeedMean) -> BoolArray:
    """The groups that are known and have persons enough."""
    first = blocks[0]
    return first.grouping.known & enough(first, mean.sides) & ~hidden(blocks, metric)

"""What an age audit adds up for every face, decided from the whole table before the sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.bands import Band
from audit.metrics.age import age_metrics, impossible
from audit.metrics.age_curves import SPREAD_BINS, curve_features, curve_layout
from audit.metrics.age_features import age_features, age_layout
from audit.metrics.core import Layout, Metric
from audit.metrics.distribution import distribution_metrics, impossible_distribution
from audit.metrics.distribution_features import (
    LEGAL_AGES,
    DistributionPlan,
    distribution_features,
    distribution_shapes,
    over,
)
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AgePlan:
    """Bands of the band metrics, and what the optional columns of the table bring."""

    bands: tuple[Band, ...]
    distribution: DistributionPlan | None = None


def age_plan(shards: Sequence[Predictions], bands: tuple[Band, ...]) -> AgePlan:
    """The plan of an age table; all of its shards have a distribution, or none."""
    if shards[0].distribution is None:
        return AgePlan(bands)
    assert shards[0].truth is not None
    is_band = shards[0].truth.is_band
    return AgePlan(
        bands, DistributionPlan(bands, is_band, _legal(shards, is_band=is_band), _spread(shards))
    )


def _legal(shards: Sequence[Predictions], *, is_band: bool) -> tuple[float, ...]:
    """The legal ages with faces on both sides of them and no band of the truth across them.

    To leave out the faces whose band lies across would choose them by their truth, and a calibrated
    model would look biased.
    """
    found = []
    for age in LEGAL_AGES:
        sides: set[float] = set()
        for shard in shards:
            assert shard.truth is not None
            used = shard.labelled & shard.processed
            known = over(shard.truth.low[used], shard.truth.high[used], age, is_band=is_band)
            sides |= set(np.unique(np.nan_to_num(known, nan=-1.0)).tolist())
        found += [age] if sides == {0.0, 1.0} else []
    return tuple(found)


def _spread(shards: Sequence[Predictions]) -> tuple[float, ...]:
    """Edges of the spread of the distributions with equally many faces between them."""
    parts = []
    for shard in shards:
        assert shard.distribution is not None
        used = np.flatnonzero(shard.labelled & shard.processed)
        parts += [shard.distribution.take(rows).std for rows in np.split(used, _cuts(len(used)))]
    std = np.sort(np.concatenate(parts))
    if not len(std):
        return ()
    last = len(std) - 1
    at = (min(-(-len(std) * j // SPREAD_BINS), last) for j in range(1, SPREAD_BINS))
    return tuple(float(std[i]) for i in at)


def _cuts(n: int) -> list[int]:
    return list(range(2**15, n, 2**15))


def plan_layout(plan: AgePlan) -> Layout:
    """The features of the metrics."""
    more = distribution_shapes(plan.distribution) if plan.distribution else {}
    return Layout({**age_layout().shapes, **more})


def plan_features(shard: Predictions, plan: AgePlan, weight: FloatArray) -> FloatArray:
    """Features of every face for the metrics, (n, F)."""
    found = age_features(shard, plan.bands, weight)
    if plan.distribution is None:
        return found
    return np.concatenate([found, distribution_features(shard, plan.distribution, weight)], axis=1)


def plan_metrics(plan: AgePlan) -> tuple[Metric, ...]:
    """Every metric of the table; which of them cannot exist says ``plan_impossible``."""
    return (*age_metrics(), *(distribution_metrics(plan.distribution) if plan.distribution else ()))


def plan_impossible(shards: Sequence[Predictions], plan: AgePlan) -> dict[str, str]:
    """Metric name -> note, for the metrics that cannot exist for this table at all."""
    found = {name: note for s in shards for name, note in impossible(s, plan.bands).items()}
    return found | (impossible_distribution(plan.distribution) if plan.distribution else {})


def plan_curves(shard: Predictions, plan: AgePlan, weight: FloatArray) -> csr_array | None:
    """Features of every face for the curves, sparse, or ``None`` where there are none."""
    if plan.distribution is None:
        return None
    return curve_features(shard, plan.distribution, weight)


def plan_curve_layout(plan: AgePlan) -> Layout | None:
    """The features of the curves."""
    return None if plan.distribution is None else curve_layout(plan.distribution)

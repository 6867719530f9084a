"""What an age audit adds up for every face, decided from the whole table before the sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.bands import Band
from audit.facts import Facts
from audit.gates import Gate
from audit.metrics.age import age_metrics, impossible
from audit.metrics.age_features import COUNTS, age_features, age_layout, is_exact, over
from audit.metrics.core import Layout, Metric
from audit.metrics.distribution import distribution_metrics, impossible_distribution
from audit.metrics.distribution_curves import (
    SPREAD_BINS,
    distribution_curve_shapes,
    distribution_pieces,
)
from audit.metrics.distribution_features import (
    LEGAL_AGES,
    DistributionPlan,
    distribution_features,
    distribution_shapes,
)
from audit.metrics.error_bins import error_bin_pieces, error_bin_shapes
from audit.metrics.gate import gate_metrics, impossible_gates
from audit.metrics.gate_features import (
    GatePlan,
    gate_curve_shapes,
    gate_features,
    gate_pieces,
    gate_shapes,
)
from audit.metrics.pieces import counts_pieces, from_pieces
from audit.metrics.spline import knots_of, spline_features
from audit.metrics.stated import (
    impossible_stated,
    stated_features,
    stated_metrics,
    stated_shapes,
)
from audit.metrics.where import where_metrics, where_pieces, where_shapes
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AgePlan:
    """Bands of the band metrics, and what the optional columns of the table bring.

    ``knots`` are those of the spline of the true age, none where no error in years exists;
    ``levels`` those of the intervals that the table states, in percent; ``looks`` the metrics of
    where the model looked; ``errors`` says whether every error is exact, so that its distribution
    is drawn.
    """

    bands: tuple[Band, ...]
    distribution: DistributionPlan | None = None
    gates: GatePlan | None = None
    knots: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    looks: tuple[str, ...] = ()
    errors: bool = False


def age_plan(
    shards: Sequence[Predictions], bands: tuple[Band, ...], gates: Sequence[Gate] = ()
) -> AgePlan:
    """The plan of an age table; all of its shards have a distribution, or none."""
    first = shards[0]
    assert first.truth is not None
    assert first.estimate is not None
    is_band = first.truth.is_band
    gate_plan = None
    if gates:
        failures = any((shard.labelled & ~shard.processed).any() for shard in shards)
        gate_plan = GatePlan(tuple(gates), not is_band, failures, first.estimate.is_band)
    distribution = None
    if first.distribution is not None:
        legal = _legal(shards, is_band=is_band)
        distribution = DistributionPlan(bands, is_band, legal, _spread(shards))
    exact = is_exact(first)
    knots = _knots(shards) if exact else ()
    levels = () if first.intervals is None else first.intervals.levels
    return AgePlan(bands, distribution, gate_plan, knots, levels, first.extras, exact)


def _knots(shards: Sequence[Predictions]) -> tuple[float, ...]:
    ages = [
        shard.truth.low[shard.labelled & shard.processed]
        for shard in shards
        if shard.truth is not None
    ]
    return knots_of(np.concatenate(ages))


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
    gates = gate_shapes(plan.gates) if plan.gates else {}
    own = {**stated_shapes(plan.levels), **where_shapes(plan.looks)}
    return Layout({**age_layout().shapes, **more, **gates, **own})


def plan_features(shard: Predictions, plan: AgePlan, weight: FloatArray) -> FloatArray:
    """Features of every face for the metrics, (n, F)."""
    found = [age_features(shard, plan.bands, weight)]
    if plan.distribution is not None:
        found.append(distribution_features(shard, plan.distribution, weight))
    if plan.gates is not None:
        found.append(gate_features(shard, plan.gates, weight))
    if plan.levels:
        found.append(stated_features(shard, weight))
    if plan.looks and shard.where is not None:
        found.append(_look_features(shard, plan, weight))
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _look_features(shard: Predictions, plan: AgePlan, weight: FloatArray) -> FloatArray:
    assert shard.where is not None
    used = np.flatnonzero(shard.labelled & shard.processed)
    pieces = where_pieces(shard.where, used, weight[used])
    found = from_pieces(pieces, Layout(where_shapes(plan.looks)), len(shard))
    return np.asarray(found.todense())


def plan_metrics(plan: AgePlan) -> tuple[Metric, ...]:
    """Every metric of the table; which of them cannot exist says ``plan_impossible``."""
    more = distribution_metrics(plan.distribution) if plan.distribution else ()
    gates = gate_metrics(plan.gates) if plan.gates else ()
    return (*age_metrics(), *more, *gates, *stated_metrics(plan.levels), *where_metrics(plan.looks))


def plan_impossible(facts: Facts, plan: AgePlan) -> dict[str, str]:
    """Metric name -> note, for the metrics that cannot exist for this table at all."""
    truth, estimate = facts.bands
    found = impossible(plan.bands, truth_is_band=truth, estimate_is_band=estimate)
    found |= impossible_distribution(plan.distribution) if plan.distribution else {}
    found |= impossible_gates(plan.gates) if plan.gates else {}
    return found | impossible_stated(plan.levels, truth_is_band=truth)


def plan_curve_layout(plan: AgePlan) -> Layout | None:
    """The sums of the curves, or ``None`` where there are none beyond the error by age."""
    shapes = distribution_curve_shapes(plan.distribution) if plan.distribution else {}
    if plan.gates is not None and not plan.gates.predicted_bands:
        shapes |= gate_curve_shapes(plan.gates)
    shapes |= error_bin_shapes() if plan.errors else {}
    return Layout({**dict.fromkeys(COUNTS, ()), **shapes}) if shapes else None


def plan_curves(shard: Predictions, plan: AgePlan, weight: FloatArray) -> csr_array | None:
    """What every face adds to the sums of the curves, sparse (n, F): few of many bins each."""
    layout = plan_curve_layout(plan)
    if layout is None:
        return None
    pieces = counts_pieces(shard, weight)
    if plan.distribution is not None:
        pieces += distribution_pieces(shard, plan.distribution, weight)
    if plan.gates is not None and not plan.gates.predicted_bands:
        pieces += gate_pieces(shard, plan.gates, weight)
    if plan.errors:
        pieces += error_bin_pieces(shard, weight)
    return from_pieces(pieces, layout, len(shard))


def plan_splines(shard: Predictions, plan: AgePlan, weight: FloatArray) -> FloatArray | None:
    """What every face adds to the regression on age, (n, F), or ``None`` where there is none."""
    return spline_features(shard, plan.knots, weight) if plan.knots else None

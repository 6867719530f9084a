"""Bootstrap and fold values of one combination, for the groups that may be worst or best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from audit.absolute import Errors, exact_quantiles, histogram
from audit.block import Block, Quantiles, Setting, possible
from audit.bootstrap import (
    Replicates,
    Request,
    boot_weights,
    fold_weights,
    replicate,
    replicate_quantiles,
    sizes_of,
)
from audit.groups import Grouping, merged_cells
from audit.largest import Resampled, range_estimates, tested_groups
from audit.metrics.core import Metric
from audit.replicated import moved, replicated
from audit.rest import Rest, rest_of
from audit.units import GroupedSums, UnitSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Weightings:
    """The resampled units and their weights: bootstrap (B, units) and fold indicators."""

    sums: UnitSums
    boot: FloatArray
    fold: FloatArray

    @cached_property
    def columns(self) -> FloatArray:
        """The table as it is, training parts, folds and replicates, a column each (units, R)."""
        once = np.ones((1, self.fold.shape[1]))
        rows = np.concatenate([once, 1.0 - self.fold, self.fold, self.boot])
        return np.ascontiguousarray(rows.T)


def weightings(setting: Setting, sums: UnitSums) -> Weightings:
    """Weights of the resampled units: persons, or hash buckets above 2^14 persons."""
    keys = sums.by_unit[0]
    return Weightings(
        sums, boot_weights(keys, setting.seed, setting.n_boot), fold_weights(keys, setting.seed)
    )


def resample(setting: Setting, block: Block, weights: Weightings) -> Resampled:
    """Replicates and cross-fitting folds of every metric that has gaps."""
    metrics = [m for m in possible(setting) if m.interval != "none"]
    eligible = {m.key: tested_groups(setting, block, m) for m in metrics}
    rest = {m.key: rest_of(setting, block, m) for m in metrics}
    found = Resampled(eligible, rest)
    for metric in metrics:
        if metric.quantile is not None:
            _quantile(block, metric, found)
    _sums(setting, block, weights, [m for m in metrics if m.quantile is None], found)
    return found


def _quantile(block: Block, metric: Metric, found: Resampled) -> None:
    q, chosen, rest = (
        block.quantiles[metric.key],
        found.eligible[metric.key],
        found.rest[metric.key],
    )
    found.boot[metric.key] = Replicates(q.value[chosen] + (q.replicates - q.grid)[:, chosen])
    found.train[metric.key], found.test[metric.key] = q.train[:, chosen], q.test[:, chosen]
    at = rest.groups[rest.tested]
    here = Replicates(q.value[at] + (q.replicates - q.grid)[:, at])
    there = Replicates(q.rest[at] + (q.rest_replicates - q.rest_grid)[:, at])
    found.rest_t[metric.key] = _rest_statistic(metric, rest, here, there)


def _rest_statistic(metric: Metric, rest: Rest, here: Replicates, there: Replicates) -> FloatArray:
    """The statistic against the rest in every replicate, for the tested groups only."""
    sides = rest.sides.take(np.flatnonzero(rest.tested))
    a, b = moved(metric.interval, sides.a, here), moved(metric.interval, sides.b, there)
    return replicated(sides, a, b)


def _sums(
    setting: Setting,
    block: Block,
    weights: Weightings,
    metrics: Sequence[Metric],
    found: Resampled,
) -> None:
    """Fill in the metrics of sums: one pass over the weights for all of them."""
    requests: dict[tuple[str, str], Request] = {}
    for metric in metrics:
        chosen, rest = found.eligible[metric.key], found.rest[metric.key]
        tested = rest.groups[rest.tested] if setting.n_boot else chosen[:0]
        slope = block.slopes[metric.key] if metric.interval != "wilson" else None
        if rest.classes is not None:
            common = range_estimates(setting, block, metric, chosen)[2]
            assert common is not None
            mask = np.broadcast_to(common, (len(chosen), len(common)))
            requests[metric.key, "range"] = Request(metric, chosen, mask)
            joint = rest.classes[rest.tested][: len(tested)]
            requests[metric.key, "here"] = Request(metric, tested, joint)
            requests[metric.key, "there"] = Request(metric, tested, joint, rest=True)
        else:
            both = np.union1d(chosen, tested)
            requests[metric.key, "range"] = Request(metric, both, None, slope)
            requests[metric.key, "there"] = Request(metric, tested, rest=True)
    wanted = {key: r for key, r in requests.items() if len(r.groups)}
    if not wanted:
        return
    grouped = block.grouped
    layout, columns = setting.layout, weights.columns
    parts = replicate([*wanted.values()], layout, grouped, columns, block.grouping.known)
    by_key = dict(zip(wanted, parts, strict=True))
    outside = _outside(setting, wanted, grouped, block.grouping.known, columns)
    for metric in metrics:
        _fill(metric, weights, wanted, by_key, outside.get(metric.key), found)


def _fill(
    metric: Metric,
    weights: Weightings,
    requests: Mapping[tuple[str, str], Request],
    parts: Mapping[tuple[str, str], Replicates],
    outside: FloatArray | None,
    found: Resampled,
) -> None:
    """Split the weightings of one metric into folds and replicates, these relative to row 0."""
    key, k = metric.key, len(weights.fold)
    boot, rest = slice(1 + 2 * k, None), found.rest[metric.key]
    request = requests.get((key, "range"))
    if request is not None:
        part, chosen = parts[key, "range"], found.eligible[key]
        at = np.searchsorted(request.groups, chosen)
        relative = _relative(part)
        found.boot[key] = relative.take(boot, at)
        found.train[key], found.test[key] = (
            part.values[1 : 1 + k, at],
            part.values[1 + k : 1 + 2 * k, at],
        )
    if (key, "there") not in requests:
        return
    tested = requests[key, "there"].groups
    there = parts[key, "there"]
    if (key, "here") in requests:
        here = _relative(parts[key, "here"]).take(boot, slice(None))
    else:
        assert request is not None
        at = np.searchsorted(request.groups, tested)
        here = relative.take(boot, at)
        if outside is not None:
            there = replace(there, variances=_rest_spread(part, at, there, outside))
    there = _relative(there).take(boot, slice(None))
    found.rest_t[key] = _rest_statistic(metric, rest, here, there)


def _relative(part: Replicates) -> Replicates:
    """Variances and sizes as ratios to those of the table as it is, row 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = [None if p is None else p / p[:1] for p in (part.variances, part.sizes)]
    return Replicates(part.values, *ratio)


def _rest_spread(
    part: Replicates, at: IntArray, there: Replicates, outside: FloatArray
) -> FloatArray:
    """The variance of everyone else, up to a constant: that of the other groups' sums.

    ``outside`` (R,) is the spread of the groups that have no replicates of their own.
    """
    assert part.variances is not None
    assert part.sizes is not None
    assert there.sizes is not None
    spread = part.sizes**2 * part.variances
    others = spread.sum(axis=1, keepdims=True) - spread[:, at] + outside[:, None]
    return np.where(others[:1] > 0, others / there.sizes**2, 1.0)


def _outside(
    setting: Setting,
    requests: Mapping[tuple[str, str], Request],
    grouped: GroupedSums,
    known: BoolArray,
    columns: FloatArray,
) -> dict[str, FloatArray]:
    """Spread of the known groups without replicates of their own, by metric, (R,)."""
    slopes = {k: r for (k, kind), r in requests.items() if kind == "range" and r.slope is not None}
    if not slopes:
        return {}
    psi = np.zeros((len(grouped.unit), len(slopes)))
    for column, request in enumerate(slopes.values()):
        assert request.slope is not None
        for g in np.setdiff1d(np.flatnonzero(known), request.groups):
            entries = slice(grouped.starts[g], grouped.starts[g + 1])
            values = grouped.of(int(g))
            total = np.asarray(values.sum(axis=0), dtype=np.float64).reshape(-1)
            size = sizes_of(request.metric, setting.layout.unpack(total))
            psi[entries, column] = np.asarray(values @ request.slope[g]).reshape(-1) * size
    used = np.flatnonzero(psi.any(axis=1))
    square = np.zeros((len(grouped.keys), len(slopes)))
    np.add.at(square, grouped.unit[used], psi[used] ** 2)
    return dict(zip(slopes, (columns.T @ square).T, strict=True))


def all_quantiles(
    setting: Setting, errors: Errors | None, weights: Weightings, groupings: Sequence[Grouping]
) -> list[dict[str, Quantiles]]:
    """Quantile metrics of every combination: exact values, grid replicates and folds."""
    metrics = [m for m in possible(setting) if m.quantile is not None]
    if not metrics or errors is None:
        return [{} for _ in groupings]
    qs = tuple(m.quantile for m in metrics if m.quantile is not None)
    base, coarse = merged_cells(groupings)
    exact = exact_quantiles(errors, base, coarse, qs)
    keys = weights.sums.by_unit[0]
    counts = histogram(errors, base, len(coarse[0].of_cell), keys)
    fold = weights.fold
    weighting = np.concatenate([np.ones((1, fold.shape[1])), 1.0 - fold, fold, weights.boot])
    sampled = replicate_quantiles(counts, weighting, coarse, qs)
    k = len(fold)
    return [
        {
            m.key: Quantiles(
                value=value[0, i],
                rest=value[1, i],
                replicates=part[0, i, 1 + 2 * k :],
                rest_replicates=part[1, i, 1 + 2 * k :],
                grid=part[0, i, 0],
                rest_grid=part[1, i, 0],
                train=part[0, i, 1 : 1 + k],
                test=part[0, i, 1 + k : 1 + 2 * k],
            )
            for i, m in enumerate(metrics)
        }
        for value, part in zip(exact, sampled, strict=True)
    ]

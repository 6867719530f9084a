"""Bootstrap and fold values of one combination, for the groups that may be worst or best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Block, Quantiles, Setting, possible
from audit.bootstrap import (
    Replicates,
    boot_weights,
    cell_histogram,
    fold_weights,
    replicate,
    replicate_quantiles,
)
from audit.groups import Grouping, merged_cells
from audit.largest import Resampled, eligible_groups, range_estimates
from audit.metrics.quantile import group_quantiles, rest_quantiles
from audit.units import UnitSums, bucketed, group_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Weightings:
    """The resampled units and their weights: bootstrap (B, units) and fold indicators."""

    sums: UnitSums
    boot: FloatArray
    fold: FloatArray


def weightings(setting: Setting, sums: UnitSums) -> Weightings:
    """Weights of the resampled units: persons, or hash buckets above 2^14 persons."""
    small = bucketed(sums)
    keys = np.unique(small.unit)
    return Weightings(
        small, boot_weights(keys, setting.seed, setting.n_boot), fold_weights(keys, setting.seed)
    )


def resample(setting: Setting, block: Block, weights: Weightings) -> Resampled:
    """Replicates and cross-fitting folds of every metric that has gaps."""
    metrics = [m for m in possible(setting) if m.interval != "none"]
    eligible = {m.key: eligible_groups(setting, block, m) for m in metrics}
    boot: dict[str, Replicates] = {}
    train: dict[str, FloatArray] = {}
    test: dict[str, FloatArray] = {}
    for metric in metrics:
        if metric.quantile is not None:
            q, chosen = block.quantiles[metric.key], eligible[metric.key]
            shifted = q.value[chosen] + (q.replicates - q.grid)[:, chosen]
            boot[metric.key] = Replicates(shifted)
            train[metric.key], test[metric.key] = q.train[:, chosen], q.test[:, chosen]
    sums = [m for m in metrics if m.quantile is None and len(eligible[m.key]) > 1]
    if not sums:
        return Resampled(eligible, boot, train, test)
    masks: dict[str, npt.NDArray[np.bool_]] = {}
    for metric in sums:
        if metric.masked:
            common = range_estimates(setting, block, metric, eligible[metric.key])[2]
            assert common is not None
            masks[metric.key] = common
    wanted = np.unique(np.concatenate([eligible[m.key] for m in sums]))
    slopes = {m.key: block.slopes[m.key] for m in sums if m.interval != "wilson"}
    grouped = group_sums(weights.sums, block.grouping)
    fold = weights.fold
    stacked = np.concatenate([1.0 - fold, fold, weights.boot])
    found = replicate(sums, setting.layout, grouped, stacked, wanted, masks, slopes)
    k = len(fold)
    for metric in sums:
        at = np.searchsorted(wanted, eligible[metric.key])
        values, spread = found[metric.key].values[:, at], found[metric.key].variances
        train[metric.key], test[metric.key] = values[:k], values[k : 2 * k]
        boot[metric.key] = Replicates(
            values[2 * k :], None if spread is None else spread[2 * k :, at]
        )
    return Resampled(eligible, boot, train, test)


def all_quantiles(
    setting: Setting, sums: UnitSums, weights: Weightings, groupings: Sequence[Grouping]
) -> list[dict[str, Quantiles]]:
    """Quantile metrics of every combination: exact values, grid replicates and folds."""
    metrics = [m for m in possible(setting) if m.quantile is not None]
    rows = sums.rows
    if not metrics or rows.abs_error is None:
        return [{} for _ in groupings]
    qs = tuple(m.quantile for m in metrics if m.quantile is not None)
    base, coarse = merged_cells(groupings)
    histogram = cell_histogram(weights.sums.rows, base, len(coarse[0].of_cell))
    fold = weights.fold
    weighting = np.concatenate([np.ones((1, fold.shape[1])), 1.0 - fold, fold, weights.boot])
    sampled = replicate_quantiles(histogram, _aligned(weights, weighting), coarse, qs)
    found = []
    for grouping, part in zip(groupings, sampled, strict=True):
        group, n_groups = grouping.of_cell[rows.cell], len(grouping.groups)
        known = grouping.known[group]
        value = group_quantiles(rows.abs_error, rows.weight, group, n_groups, qs)
        rest = rest_quantiles(rows.abs_error[known], rows.weight[known], group[known], n_groups, qs)
        k = len(fold)
        found.append(
            {
                m.key: Quantiles(
                    value=value[i],
                    rest=rest[i],
                    replicates=part[0, i, 1 + 2 * k :],
                    rest_replicates=part[1, i, 1 + 2 * k :],
                    grid=part[0, i, 0],
                    rest_grid=part[1, i, 0],
                    train=part[0, i, 1 : 1 + k],
                    test=part[0, i, 1 + k : 1 + 2 * k],
                )
                for i, m in enumerate(metrics)
            }
        )
    return found


def _aligned(weights: Weightings, weighting: FloatArray) -> FloatArray:
    """The weights of the units that have a used row: the histogram knows no others."""
    keys, used = np.unique(weights.sums.unit), np.unique(weights.sums.rows.unit)
    return weighting if len(keys) == len(used) else weighting[:, np.searchsorted(keys, used)]

"""Bootstrap and fold values of one combination, for the groups that may be worst or best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.absolute import Errors, exact_quantiles, histogram
from audit.block import Block, Quantiles, Setting, possible
from audit.bootstrap import (
    Replicates,
    boot_weights,
    fold_weights,
    replicate,
    replicate_quantiles,
)
from audit.groups import Grouping, merged_cells
from audit.largest import Resampled, eligible_groups, range_estimates
from audit.units import UnitSums

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
    keys = sums.by_unit[0]
    return Weightings(
        sums, boot_weights(keys, setting.seed, setting.n_boot), fold_weights(keys, setting.seed)
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
    fold = weights.fold
    stacked = np.concatenate([1.0 - fold, fold, weights.boot])
    found = replicate(sums, setting.layout, block.grouped, stacked, wanted, masks, slopes)
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

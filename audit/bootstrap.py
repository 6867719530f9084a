"""The joint bootstrap: one Poisson weight per person and replicate for all metrics and groups.

A replicate is a weighting of the persons, and so is a fold of the cross-fitting: both are matrices
of weights (R, units) that meet the sums per unit in one product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.groups import Grouping
from audit.hashing import Keys, folds, poisson_weights
from audit.metrics.core import Layout, Metric
from audit.metrics.quantile import EDGES, grid_quantiles
from audit.units import GroupedSums, Values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
N_FOLDS, N_SPLITS = 5, 8
_BUDGET = 2**25
_CACHED = 64


def boot_weights(keys: Keys, seed: int, n_boot: int) -> FloatArray:
    """Poisson(1) weights of all replicates, shape (n_boot, units)."""
    return poisson_weights(keys, seed, 0, n_boot)


def fold_weights(keys: Keys, seed: int) -> FloatArray:
    """Indicators of the folds of all seeded splits, shape (splits x folds, units)."""
    rows = [
        folds(keys, seed, split, N_FOLDS) == fold
        for split in range(N_SPLITS)
        for fold in range(N_FOLDS)
    ]
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Replicates:
    """One metric under many weightings: values and studentising variances, shape (R, G)."""

    values: FloatArray
    variances: FloatArray | None = None


def _blocks(grouped: GroupedSums, wanted: IntArray, width: int) -> Iterator[IntArray]:
    step = max(1, _BUDGET // max(1, len(grouped.keys) * width))
    for start in range(0, len(wanted), step):
        yield wanted[start : start + step]


def _dense(grouped: GroupedSums, groups: IntArray, columns: IntArray) -> FloatArray:
    """Sums of some groups and columns by unit, shape (units, groups, columns)."""
    found = np.zeros((len(grouped.keys), len(groups), len(columns)))
    for i, g in enumerate(groups):
        entries = slice(grouped.starts[g], grouped.starts[g + 1])
        block: Values = grouped.of(int(g))[:, columns]
        found[grouped.unit[entries], i] = block.toarray() if isinstance(block, csr_array) else block
    return found


def replicate(
    metrics: Sequence[Metric],
    layout: Layout,
    grouped: GroupedSums,
    weights: FloatArray,
    wanted: IntArray,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    slopes: Mapping[str, FloatArray],
) -> dict[str, Replicates]:
    """Every metric under every weighting, for the wanted groups.

    Metrics that have ``slopes`` (gradients at the estimate, (G, F)) also get the variance of each
    replicate, sum_s w_s psi_s^2 with the influences psi held fixed.
    """
    needed = list(dict.fromkeys(name for m in metrics for name in m.features))
    columns = layout.columns(*needed)
    found = {m.key: np.empty((len(weights), len(wanted))) for m in metrics}
    spread = {key: np.empty_like(value) for key, value in found.items() if key in slopes}
    done = 0
    for groups in _blocks(grouped, wanted, len(columns)):
        dense = _dense(grouped, groups, columns)
        product = weights @ dense.reshape(len(dense), -1)
        totals = np.zeros((len(weights), len(groups), layout.size))
        totals[..., columns] = product.reshape(len(weights), len(groups), len(columns))
        sums = layout.unpack(totals)
        part = slice(done, done + len(groups))
        for metric in metrics:
            mask = {"classes": masks[metric.key]} if metric.key in masks else {}
            found[metric.key][:, part] = metric.formula(sums, **mask)
            if metric.key in slopes:
                steep = slopes[metric.key][groups][:, columns]
                psi = np.einsum("ugf,gf->ug", dense, steep)
                spread[metric.key][:, part] = weights @ psi**2
        done += len(groups)
    return {key: Replicates(value, spread.get(key)) for key, value in found.items()}


def replicate_quantiles(
    histogram: csr_array,
    weights: FloatArray,
    groupings: Sequence[Grouping],
    qs: Sequence[float],
) -> list[FloatArray]:
    """Grid quantiles of every group and of its rest: per grouping (2, len(qs), R, G).

    ``histogram`` holds weights by (bin, cell of the groupings) and unit.
    """
    n_cells = histogram.shape[0] // len(EDGES)
    found = [np.empty((2, len(qs), len(weights), len(g.groups))) for g in groupings]
    members = [_membership(g, n_cells) for g in groupings]
    for start in range(0, len(weights), _CACHED):
        part = slice(start, start + _CACHED)
        counts = histogram @ np.ascontiguousarray(weights[part].T)
        counts = counts.reshape(len(EDGES), n_cells, -1)
        cells = np.ascontiguousarray(counts.transpose(1, 0, 2)).reshape(n_cells, -1)
        for out, member, g in zip(found, members, groupings, strict=True):
            summed = (member @ cells).reshape(member.shape[0], len(EDGES), -1)
            for b in range(1, len(EDGES)):
                summed[:, b] += summed[:, b - 1]
            rest = summed[g.known].sum(axis=0) - summed
            for i, q in enumerate(qs):
                out[0, i, part] = grid_quantiles(summed, q).T
                out[1, i, part] = grid_quantiles(rest, q).T
    return found


def _membership(grouping: Grouping, n_cells: int) -> csr_array:
    return csr_array(
        (np.ones(n_cells), (grouping.of_cell, np.arange(n_cells))),
        shape=(len(grouping.groups), n_cells),
    )

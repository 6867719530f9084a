"""The joint bootstrap: one Poisson weight per person and replicate for all metrics and groups.

A replicate is a weighting of the persons, and so is a fold of the cross-fitting: both are columns
of one matrix of weights that meets the sums per unit in one product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from audit.groups import Grouping
from audit.hashing import Keys, folds, poisson_weights
from audit.metrics.core import Layout, Metric
from audit.metrics.quantile import EDGES, grid_quantiles
from audit.units import GroupedSums, Values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
N_FOLDS, N_SPLITS = 5, 8
_BUDGET = 2**23
_FEW = 0.6
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
class Request:
    """One metric that is wanted under every weighting, in some groups or in everyone else of each.

    ``classes`` (groups, K) masks a mean over classes. With ``slope``, the gradients at the estimate
    (G, F), the variances of the groups are wanted too.
    """

    metric: Metric
    groups: IntArray
    classes: BoolArray | None = None
    slope: FloatArray | None = None
    rest: bool = False


@dataclass(frozen=True, eq=False)
class Replicates:
    """One metric under many weightings, arrays (R, G).

    ``sizes`` is the weight of the faces that enter. Quantiles have values only.
    """

    values: FloatArray
    variances: FloatArray | None = None
    sizes: FloatArray | None = None

    def take(self, rows: slice, groups: IntArray | slice = slice(None)) -> Replicates:
        """Some of the weightings, some of the groups."""
        more = (None if p is None else p[rows][:, groups] for p in (self.variances, self.sizes))
        return Replicates(self.values[rows][:, groups], *more)


def replicate(
    requests: Sequence[Request],
    layout: Layout,
    grouped: GroupedSums,
    weights: FloatArray,
    known: BoolArray,
) -> list[Replicates]:
    """Every request under every weighting.

    Parameters
    ----------
    weights : array (units, R)
        A column per weighting.
    known : array (G,)
        The groups that together are everyone.

    Notes
    -----
    The variance under a weighting is W^-2 u / (u - 1) [sum_s w_s q_s^2 - (sum_s w_s q_s)^2 / u]: q
    is the influence of unit s at the estimate times the weight that the group has there, W the
    weight and u the units that it has now. w_s enters once: a person drawn twice is two persons.
    Without the second sum it would be a spread about the value of the table, not of the replicate.
    """
    names = dict.fromkeys(name for r in requests for name in (*r.metric.features, "w"))
    columns = layout.columns(*names)
    everyone = np.zeros((weights.shape[1], layout.size))
    if any(request.rest for request in requests):
        everyone[:, columns] = weights.T @ _unit_totals(grouped, known, columns)
    all_sums = layout.unpack(everyone)
    slopes = {r.metric.key: r.slope for r in requests if r.slope is not None}
    found = [_empty(request, weights.shape[1]) for request in requests]
    wanted = np.unique(np.concatenate([request.groups for request in requests]))
    step = max(1, _BUDGET // (layout.size * weights.shape[1]))
    for start in range(0, len(wanted), step):
        groups = wanted[start : start + step]
        totals, spread = _products(layout, grouped, weights, groups, columns, slopes)
        here, table = layout.unpack(totals), layout.unpack(_totals(grouped, groups))
        for request, out in zip(requests, found, strict=True):
            at, into = np.nonzero(groups[:, None] == request.groups)
            own_names = (*request.metric.features, "w")
            sums = {name: here[name][at] for name in own_names}
            if request.rest:
                sums = {name: all_sums[name] - part for name, part in sums.items()}
            mask = {} if request.classes is None else {"classes": request.classes[into][:, None]}
            out.values[:, into] = request.metric.formula(sums, **mask).T
            size = sizes_of(request.metric, sums).T
            if out.sizes is not None:
                out.sizes[:, into] = size
            if out.variances is not None:
                raw = spread[request.metric.key][at].T
                own = sizes_of(request.metric, {name: table[name][at] for name in own_names})
                with np.errstate(divide="ignore", invalid="ignore"):
                    out.variances[:, into] = raw * (own / size) ** 2
    return found


def sizes_of(metric: Metric, sums: Mapping[str, FloatArray]) -> FloatArray:
    """The weight of the faces that enter a metric, from its sums."""
    return np.asarray(metric.parts(sums)[1] if metric.parts else sums["w"], dtype=np.float64)


def _empty(request: Request, n: int) -> Replicates:
    shape = (n, len(request.groups))
    variances = None if request.slope is None else np.full(shape, np.nan)
    return Replicates(np.full(shape, np.nan), variances, np.full(shape, np.nan))


def _totals(grouped: GroupedSums, groups: IntArray) -> FloatArray:
    return np.array([np.asarray(grouped.of(int(g)).sum(axis=0)).reshape(-1) for g in groups])


def _unit_totals(grouped: GroupedSums, known: BoolArray, columns: IntArray) -> FloatArray:
    used = np.flatnonzero(known[grouped.group])
    shape = (len(grouped.keys), len(grouped.unit))
    indicator = csr_array((np.ones(len(used)), (grouped.unit[used], used)), shape=shape)
    found = indicator @ grouped.values[:, columns]
    return np.asarray(found.todense() if issparse(found) else found)


def _products(
    layout: Layout,
    grouped: GroupedSums,
    weights: FloatArray,
    groups: IntArray,
    columns: IntArray,
    slopes: Mapping[str, FloatArray],
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Sums of some groups under every weighting, (g, R, F), and the spread of influences (g, R)."""
    n = weights.shape[1]
    totals = np.zeros((len(groups), n, layout.size))
    spread = {key: np.empty((len(groups), n)) for key in slopes}
    for i, g in enumerate(groups):
        entries = slice(grouped.starts[g], grouped.starts[g + 1])
        part: Values = grouped.of(int(g))[:, columns]
        values = part.toarray() if isinstance(part, csr_array) else part
        steep = np.array([slope[g, columns] for slope in slopes.values()]).reshape(-1, len(columns))
        psi = values @ steep.T
        table = np.column_stack([values, psi, psi**2, np.ones(len(values))])
        found = _weighted(weights, grouped.unit[entries], table)
        totals[i][:, columns] = found[:, : len(columns)]
        linear, square = np.split(found[:, len(columns) : -1], 2, axis=1)
        units = found[:, -1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            centred = (square - linear**2 / units) * units / (units - 1)
        for key, column in zip(slopes, np.where(units > 1, centred, np.nan).T, strict=True):
            spread[key][i] = column
    return totals, spread


def _weighted(weights: FloatArray, unit: IntArray, values: FloatArray) -> FloatArray:
    """Sum over units of weight x values (entries, c), (R, c): gathers units where they are few."""
    if len(unit) < _FEW * len(weights):
        return np.asarray(weights[unit].T @ values)
    table = np.zeros((len(weights), values.shape[1]))
    table[unit] = values
    return np.asarray(weights.T @ table)


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
    members = [g.membership for g in groupings]
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

"""Absolute errors of all used faces: exact quantiles, and the histogram that is resampled.

Kept in the bins of the grid, in small types (about 12 bytes a face), so that twenty million faces
fit in a laptop; a quantile then looks only at the faces of the bin that holds it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from audit.groups import Cell, Grouping
from audit.hashing import Keys
from audit.metrics.quantile import EDGES, bin_of, sorted_quantile
from audit.units import Rows, bucket_keys

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SmallArray = npt.NDArray[np.integer]
N_BINS = len(EDGES)
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class ErrorPart:
    """Faces of one part of a table by bin: ``starts[b] : starts[b + 1]`` are those of bin b.

    ``cell`` indexes ``cells`` and ``unit`` indexes ``keys``; no ``weight`` means 1 each.
    """

    cells: tuple[Cell, ...]
    keys: Keys
    starts: IntArray
    value: FloatArray
    cell: SmallArray
    unit: SmallArray
    weight: FloatArray | None


@dataclass(frozen=True, eq=False)
class Errors:
    """Faces of all parts; ``of_cell[p]`` maps the cells of part p to those of the table."""

    parts: tuple[ErrorPart, ...]
    of_cell: tuple[IntArray, ...]

    def bins(self, first: int, last: int) -> tuple[FloatArray, IntArray, FloatArray]:
        """Values, cells and weights of the faces of some bins."""
        at = [slice(part.starts[first], part.starts[last + 1]) for part in self.parts]
        value = np.concatenate([part.value[s] for part, s in zip(self.parts, at, strict=True)])
        both = zip(self.parts, self.of_cell, at, strict=True)
        cell = np.concatenate([of_cell[part.cell[s]] for part, of_cell, s in both])
        return value, cell, np.concatenate(list(map(_weight, self.parts, at)))


def _weight(part: ErrorPart, at: slice) -> FloatArray:
    return np.ones(at.stop - at.start) if part.weight is None else part.weight[at]


def error_part(rows: Rows, cells: Sequence[Cell], n_units: int) -> ErrorPart:
    """The used faces of one part of a table that has ``n_units`` persons in all."""
    assert rows.abs_error is not None
    used = np.flatnonzero(rows.weight > 0)
    bins = bin_of(rows.abs_error[used]).astype(np.uint8)
    used = used[np.argsort(bins, kind="stable")]
    starts = np.append(0, np.cumsum(np.bincount(bins, minlength=N_BINS))).astype(np.int64)
    keys, unit = np.unique(bucket_keys(rows.unit[used], n_units), return_inverse=True)
    weight = rows.weight[used]
    return ErrorPart(
        tuple(cells),
        keys,
        starts,
        rows.abs_error[used],
        rows.cell[used].astype(np.min_scalar_type(len(cells))),
        unit.astype(np.min_scalar_type(len(keys))),
        None if (weight == 1).all() else weight,
    )


def all_errors(parts: Sequence[ErrorPart], cells: Sequence[Cell]) -> Errors:
    """The parts as one table; a cell of theirs may be finer than the table's."""
    width = len(cells[0]) if cells else 0
    position = {cell: index for index, cell in enumerate(cells)}
    maps = [np.array([position[c[:width]] for c in part.cells], dtype=np.int64) for part in parts]
    return Errors(tuple(parts), tuple(maps))


def histogram(errors: Errors, base: IntArray, n_base: int, keys: Keys) -> csr_array:
    """Weights of |e| by (bin, base cell) and unit: sparse of shape (256 x base cells, units)."""
    total = sum(len(part.value) for part in errors.parts)
    data, indices = np.empty(total), np.empty(total, dtype=np.int32)
    starts = np.zeros(N_BINS * n_base + 1, dtype=np.int64)
    columns = [np.searchsorted(keys, part.keys).astype(np.int32) for part in errors.parts]
    done = 0
    for b in range(N_BINS):
        _, cell, weight = errors.bins(b, b)
        both = zip(errors.parts, columns, strict=True)
        unit = np.concatenate(
            [column[part.unit[part.starts[b] : part.starts[b + 1]]] for part, column in both]
        )
        found = coo_array((weight, (base[cell], unit)), shape=(n_base, len(keys))).tocsr()
        more = done + found.nnz
        data[done:more], indices[done:more] = found.data, found.indices
        starts[b * n_base + 1 : (b + 1) * n_base + 1] = done + found.indptr[1:]
        done = more
    shape = (N_BINS * n_base, len(keys))
    small = starts.astype(np.int32) if done < 2**31 else starts
    return csr_array((data[:done], indices[:done], small), shape=shape)


def exact_quantiles(
    errors: Errors, base: IntArray, groupings: Sequence[Grouping], qs: Sequence[float]
) -> list[FloatArray]:
    """Exact quantiles of every group and of its rest: per grouping (2, len(qs), G).

    The weights by bin say which bin holds a quantile; only its faces are put in order. ``base``
    maps the cells of the table to those of the groupings.
    """
    n_base = len(groupings[0].of_cell)
    counts = np.zeros((n_base, N_BINS))
    for b in range(N_BINS):
        _, cell, weight = errors.bins(b, b)
        counts[:, b] = np.bincount(base[cell], weight, n_base)
    found = [np.full((2, len(qs), len(item.groups)), np.nan) for item in groupings]
    wanted = defaultdict(list)
    for k, item in enumerate(groupings):
        for side, weights in enumerate(_sides(counts, item)):
            for g, cumulative in enumerate(np.cumsum(weights, axis=1)):
                total = float(cumulative[-1])
                if total <= _SLACK * counts.sum():
                    continue
                for i, q in enumerate(qs):
                    first, last = _place(cumulative, q)
                    before = float(cumulative[first - 1]) if first else 0.0
                    wanted[first, last].append((k, side, i, g, before, total))
    for (first, last), places in sorted(wanted.items()):
        value, cell, weight = _ordered(*errors.bins(first, last), base, n_base)
        for k, side, i, g, before, total in places:
            group = groupings[k].of_cell[cell]
            keep = group == g if side == 0 else (group != g) & groupings[k].known[group]
            cumulative = before + np.cumsum(weight[keep])
            found[k][side, i, g] = sorted_quantile(value[keep], cumulative, qs[i], total)
    return found


def _sides(counts: FloatArray, item: Grouping) -> tuple[FloatArray, FloatArray]:
    """Weights by bin of every group, and of everyone else whose group is known: (G, 256)."""
    here = np.zeros((len(item.groups), counts.shape[1]))
    np.add.at(here, item.of_cell, counts)
    known = np.where(item.known[:, None], here, 0.0)
    return here, np.maximum(known.sum(axis=0) - known, 0.0)


def _place(cumulative: FloatArray, q: float) -> tuple[int, int]:
    """The first and last bin in which the quantile may lie."""
    target, slack = q * cumulative[-1], _SLACK * cumulative[-1]
    first = int(np.searchsorted(cumulative, target - slack))
    last = int(np.searchsorted(cumulative, target + slack, side="right"))
    return first, min(last, len(cumulative) - 1)


def _ordered(
    value: FloatArray, cell: IntArray, weight: FloatArray, base: IntArray, n_base: int
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Faces in order of their error; equal errors of one cell as one face where they are many."""
    order = np.argsort(value, kind="stable")
    value, cell, weight = value[order], base[cell[order]], weight[order]
    rank = np.cumsum(np.concatenate([[0], value[1:] != value[:-1]]))
    if len(value) < 4 * n_base * (int(rank[-1]) + 1):
        return value, cell, weight
    code, at = np.unique(rank * n_base + cell, return_inverse=True)
    starts = np.searchsorted(rank, code // n_base)
    return value[starts], code % n_base, np.bincount(at, weight).astype(np.float64)

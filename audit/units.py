"""The waist of the engine: sums per person and cell. Only this module sees rows.

``UnitSums`` is additive, so shards merge by addition, and everything later (values, intervals,
bootstrap, folds) reads it instead of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, vstack

from audit.groups import Cell, Grouping
from audit.hashing import Keys, mix, row_keys, text_keys
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Values: TypeAlias = Any
"""Sums of shape (rows, F): a dense float64 array or a ``scipy.sparse.csr_array``."""
MAX_UNITS = 2**14
BUCKETS = 2**13


@dataclass(frozen=True, eq=False)
class Rows:
    """What row statistics need of every used face: quantiles, and redrawn labels."""

    unit: Keys
    cell: IntArray
    weight: FloatArray
    abs_error: FloatArray | None = None
    sample: Keys | None = None
    y: IntArray | None = None
    proba: FloatArray | None = None
    raw: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Sums of features by (person, cell): ``values[i]`` belongs to ``unit[i]`` and ``cell[i]``."""

    cells: tuple[Cell, ...]
    unit: Keys
    cell: IntArray
    values: Values
    rows: Rows | None = None

    @cached_property
    def by_unit(self) -> tuple[Keys, IntArray]:
        """The distinct units, sorted, and which of them every entry belongs to."""
        keys, index = np.unique(self.unit, return_inverse=True)
        return keys, index.astype(np.int64)


@dataclass(frozen=True, eq=False)
class GroupedSums:
    """Sums by (unit, group) of one combination, sorted by group.

    ``unit`` indexes ``keys``; ``starts[g] : starts[g + 1]`` are the entries of group g; ``shared``
    says whether a person lies in several groups.
    """

    keys: Keys
    unit: IntArray
    group: IntArray
    values: Values
    starts: IntArray
    n_groups: int
    shared: bool

    def of(self, group: int) -> Values:
        """The entries of one group, shape (persons, F)."""
        return self.values[self.starts[group] : self.starts[group + 1]]


def sample_keys(predictions: Predictions, start: int) -> Keys:
    """A key per face: its id, or its row number where the table has no ids."""
    if predictions.keys is not None:
        return predictions.keys[0]
    if predictions.sample_id is not None:
        return text_keys(predictions.sample_id.tolist(), "sample")
    return row_keys(start, len(predictions))


def person_keys(predictions: Predictions, samples: Keys) -> Keys:
    """The unit of resampling of every face: its person, else the face itself."""
    if predictions.keys is not None:
        return predictions.keys[1]
    if predictions.subject_id is None:
        return samples
    codes, names = pd.factorize(predictions.subject_id)
    keys = np.append(text_keys([str(name) for name in names], "subject"), np.uint64(0))
    return np.where(codes >= 0, keys[codes], samples)


def person_weight(units: Keys, labelled: npt.NDArray[np.bool_], weight: FloatArray) -> FloatArray:
    """Row weights that give every person total weight 1 over their labelled photos.

    Sampling weights share it out within a person; between persons they no longer count.
    """
    _, index = np.unique(units, return_inverse=True)
    total = np.bincount(index, weight * labelled)
    share = np.where(total > 0, total, 1.0)[index]
    return weight / share


def sum_rows(
    major: IntArray, minor: IntArray, n_minor: int, values: Values
) -> tuple[IntArray, IntArray, Values]:
    """Sum rows with the same (major, minor); the result is sorted by major, then minor."""
    code = major * n_minor + minor
    if len(code) == 0:
        return code, code, values
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    distinct = ordered[first]
    if len(distinct) == len(code):
        summed = values[order]
    else:
        starts = np.append(first, len(code))
        shape = (len(distinct), len(code))
        indicator = csr_array((np.ones(len(code)), order, starts), shape=shape)
        summed = indicator @ values
        summed = csr_array(summed) if isinstance(values, csr_array) else np.asarray(summed)
    return distinct // n_minor, distinct % n_minor, summed


def collect(
    cells: Sequence[Cell], cell: IntArray, values: Values, rows: Rows | None, units: Keys
) -> UnitSums:
    """Rows to sums by (person, cell)."""
    keys, index = np.unique(units, return_inverse=True)
    at_cell, at_unit, summed = sum_rows(cell, index.astype(np.int64), len(keys), values)
    return UnitSums(tuple(cells), keys[at_unit], at_cell, summed, rows)


def merge(parts: Sequence[UnitSums]) -> UnitSums:
    """Sums of several shards as one; persons and cells may occur in any of them."""
    if len(parts) == 1:
        return parts[0]
    cells = tuple(dict.fromkeys(cell for part in parts for cell in part.cells))
    position = {cell: index for index, cell in enumerate(cells)}
    maps = [np.array([position[cell] for cell in part.cells], dtype=np.int64) for part in parts]
    values: Values = (
        csr_array(vstack([part.values for part in parts]))
        if isinstance(parts[0].values, csr_array)
        else np.concatenate([part.values for part in parts])
    )
    some = [part.rows for part in parts if part.rows is not None]
    rows = _merge_rows(some, maps) if len(some) == len(parts) else None
    cell = np.concatenate([m[part.cell] for m, part in zip(maps, parts, strict=True)])
    return collect(cells, cell, values, rows, np.concatenate([part.unit for part in parts]))


def _merge_rows(parts: Sequence[Rows], maps: Sequence[IntArray]) -> Rows:
    def joined(name: str) -> npt.NDArray[np.generic] | None:
        found = [getattr(part, name) for part in parts]
        return None if found[0] is None else np.concatenate(found)

    cell = np.concatenate([m[part.cell] for m, part in zip(maps, parts, strict=True)])
    names = ("unit", "weight", "abs_error", "sample", "y", "proba", "raw")
    return Rows(cell=cell, **{name: joined(name) for name in names})  # type: ignore[arg-type]


def group_sums(sums: UnitSums, grouping: Grouping) -> GroupedSums:
    """Sums by (person, group) of one combination, sorted by group."""
    keys, unit = sums.by_unit
    n_groups = len(grouping.groups)
    group, unit_of, values = sum_rows(grouping.of_cell[sums.cell], unit, len(keys), sums.values)
    starts = np.searchsorted(group, np.arange(n_groups + 1)).astype(np.int64)
    shared = bool((np.bincount(unit_of) > 1).any())
    return GroupedSums(keys, unit_of, group, values, starts, n_groups, shared)


def entries(sums: UnitSums, chosen: npt.NDArray[np.bool_]) -> UnitSums:
    """Some of the entries, of the same cells."""
    at = np.flatnonzero(chosen)
    return replace(sums, unit=sums.unit[at], cell=sums.cell[at], values=sums.values[at])


def bucket_keys(keys: Keys, n_units: int) -> Keys:
    """The resampled unit of each person: the person, or a hash bucket above 2^14 persons."""
    return keys if n_units <= MAX_UNITS else mix(keys) % np.uint64(BUCKETS)


def bucketed(sums: UnitSums) -> UnitSums:
    """The same sums with persons put into hash buckets where there are more than 2^14 of them."""
    n_units = len(sums.by_unit[0])
    if n_units <= MAX_UNITS:
        return sums
    keys = bucket_keys(sums.unit, n_units)
    rows = (
        None if sums.rows is None else replace(sums.rows, unit=bucket_keys(sums.rows.unit, n_units))
    )
    return collect(sums.cells, sums.cell, sums.values, rows, keys)

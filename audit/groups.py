"""Attributes, the cells that they cut the faces into, and groups as unions of cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from audit.bands import DECADES, band_label, bands_from_edges, distinct_bands
from audit.columns import AgeColumn, as_ages, as_text
from audit.errors import InputError
from audit.predictions import Predictions
from audit.rows import Group

IntArray = npt.NDArray[np.int64]
Cell = tuple[str | None, ...]
DEFAULT_ATTRIBUTES = ("gender", "sex", "race", "ethnicity", "skin_tone", "age")
MAX_VALUES = 5_000
MAX_DRAWN = 24
"""Curves are made where there are no more groups than this."""


@dataclass(frozen=True, eq=False)
class Attribute:
    """One attribute of every face: its values in reading order, and codes (n,), -1 = unknown."""

    name: str
    values: tuple[str, ...]
    codes: IntArray


@dataclass(frozen=True, eq=False)
class Grouping:
    """One attribute combination: its groups and the group of every cell, -1 = none.

    ``known`` marks the groups whose every attribute is known; only they enter gaps.
    """

    names: tuple[str, ...]
    groups: tuple[Cell, ...]
    of_cell: IntArray
    known: npt.NDArray[np.bool_]

    def label(self, index: int) -> Group:
        """The group as {attribute: value}."""
        return dict(zip(self.names, self.groups[index], strict=True))

    @property
    def membership(self) -> csr_array:
        """1 where a cell is in a group, (G, C)."""
        cells = np.flatnonzero(self.of_cell >= 0)
        shape = (len(self.groups), len(self.of_cell))
        return csr_array((np.ones(len(cells)), (self.of_cell[cells], cells)), shape=shape)


def combinations_of(
    by: Sequence[str | Sequence[str]] | None, predictions: Predictions
) -> tuple[tuple[str, ...], ...]:
    """The attribute combinations asked for; by default every usual attribute that exists."""
    if by is None:
        columns = set(predictions.other.columns)
        found = [name for name in DEFAULT_ATTRIBUTES if name in columns]
        if predictions.task == "age" and "age" not in found:
            found.append("age")
        return tuple((name,) for name in found)
    wanted: list[tuple[str, ...]] = []
    for entry in by:
        names = tuple(entry.split(",")) if isinstance(entry, str) else tuple(entry)
        names = tuple(name.strip() for name in names)
        if len(set(names)) != len(names) or not all(names):
            raise InputError(
                f"--by {','.join(names)}: must name different attributes, separated by commas"
            )
        if names not in wanted:
            wanted.append(names)
    return tuple(wanted)


def attribute(predictions: Predictions, name: str, edges: Sequence[float] | None) -> Attribute:
    """Read one attribute of the table.

    ``age`` is cut into bands: those of ``edges``, else the bands of the truth, else decades.

    Raises
    ------
    InputError
        There is no such column, or it has thousands of values and so is an id.
    """
    if name == "age":
        ages = known_ages(predictions)
        if ages is not None:
            return _age_attribute(ages, edges)
    frame = predictions.other
    if name not in frame.columns:
        raise InputError(
            f"{predictions.place}: --by {name}: no such column; the table has "
            f"{', '.join(attributes_of(predictions)) or 'none'}"
        )
    codes, values = _factorized(frame[name], predictions.place)
    if len(values) > MAX_VALUES:
        raise InputError(
            f"{predictions.place}: --by {name}: {len(values)} different values, at most "
            f"{MAX_VALUES} are allowed; is it an id? group it into fewer values first"
        )
    return Attribute(name, tuple(map(str, values)), codes.astype(np.int64))


def attributes_of(predictions: Predictions) -> list[str]:
    """Every attribute that a table has."""
    have = [str(column) for column in predictions.other.columns]
    return [*have, *(["age"] if predictions.task == "age" and "age" not in have else [])]


def _factorized(column: pd.Series, place: str) -> tuple[IntArray, Sequence[str]]:
    """Codes and the distinct texts that occur, in order; quick where the table has them."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        codes, values = pd.factorize(as_text(column, place), sort=True)
        return codes.astype(np.int64), list(values)
    names = as_text(pd.Series(column.cat.categories, name=column.name), place)
    places, values = pd.factorize(names, sort=True)
    found = np.append(places, -1)[column.cat.codes]
    used = np.unique(found[found >= 0])
    compact = np.full(len(values) + 1, -1, dtype=np.int64)
    compact[used] = np.arange(len(used))
    return compact[found], [str(values[i]) for i in used]


def known_ages(predictions: Predictions) -> AgeColumn | None:
    """The true ages of a table: of the task, or of a column that reads as ages."""
    if predictions.task == "age":
        return predictions.truth
    if "age" not in predictions.other.columns:
        return None
    try:
        return _column_ages(predictions.other["age"], predictions.place)
    except InputError:
        return None


def _column_ages(column: pd.Series, place: str) -> AgeColumn:
    """Ages of a column; one of fixed texts is read as those are, whichever of them occur."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return as_ages(column, place)
    of_texts = as_ages(pd.Series(column.cat.categories.astype(str), name=column.name), place)
    codes = column.cat.codes
    low, high = np.append(of_texts.low, np.nan)[codes], np.append(of_texts.high, np.nan)[codes]
    return AgeColumn(low, high, of_texts.is_band, of_texts.mixed)


def _age_attribute(ages: AgeColumn, edges: Sequence[float] | None) -> Attribute:
    known = ages.known
    if ages.is_band and edges is None:
        bands = distinct_bands(ages.low[known], ages.high[known])
        position = {band: index for index, band in enumerate(bands)}
        pairs = zip(ages.low.tolist(), ages.high.tolist(), strict=True)
        codes = np.array([position.get(pair, -1) for pair in pairs], dtype=np.int64)
    else:
        bands = bands_from_edges(tuple(edges or DECADES))
        lows = np.array([band[0] for band in bands])
        codes = np.searchsorted(lows, np.where(known, ages.low, 0.0), side="right") - 1
        ends = np.array([band[1] for band in bands])[codes]
        inside = ages.high <= ends if ages.is_band else known
        codes = np.where(known & inside, codes, -1)
    used = np.unique(codes[codes >= 0])
    compact = np.full(len(bands) + 1, -1, dtype=np.int64)
    compact[used] = np.arange(len(used))
    return Attribute("age", tuple(band_label(bands[i]) for i in used), compact[codes])


def cells_of(attributes: Sequence[Attribute], n: int) -> tuple[list[Cell], IntArray]:
    """The finest observed intersections, and the cell of every face, shape (n,)."""
    index = np.zeros(n, dtype=np.int64)
    for item in attributes:
        _, index = np.unique(index * (len(item.values) + 1) + item.codes + 1, return_inverse=True)
    _, first, index = np.unique(index, return_index=True, return_inverse=True)
    rows = [
        tuple(None if (code := item.codes[row]) < 0 else item.values[code] for item in attributes)
        for row in first
    ]
    return rows, index.astype(np.int64)


def check_cells(n_values: Mapping[str, int], n_cells: int, limit: int) -> None:
    """Refuse more cells than an audit can hold; only observed cells count."""
    if n_cells > limit:
        product = " x ".join(f"{name} {count}" for name, count in n_values.items())
        raise InputError(
            f"--by: {product} make {n_cells} observed cells, at most {limit} are allowed; "
            "use fewer or coarser attributes, or raise --max-cells"
        )


def in_order(
    groups: Iterable[Cell], names: tuple[str, ...], order: Mapping[str, Mapping[str, int]]
) -> tuple[Cell, ...]:
    """The distinct groups in reading order, unknown ones last."""

    def rank(group: Cell) -> tuple[float, ...]:
        return tuple(
            math.inf if value is None else order[name][value]
            for name, value in zip(names, group, strict=True)
        )

    return tuple(sorted(set(groups), key=rank))


def grouping(
    cells: Sequence[Cell],
    attributes: Sequence[str],
    names: tuple[str, ...],
    order: Mapping[str, Mapping[str, int]],
) -> Grouping:
    """The groups of one combination: unions of cells, in reading order, unknown ones last."""
    at = [attributes.index(name) for name in names]
    projected = [tuple(cell[i] for i in at) for cell in cells]
    groups = in_order(projected, names, order)
    position = {group: index for index, group in enumerate(groups)}
    known = np.array([None not in group for group in groups], dtype=np.bool_)
    of_cell = np.array([position[group] for group in projected], dtype=np.int64)
    return Grouping(names, groups, of_cell, known)


def merged_cells(groupings: Sequence[Grouping]) -> tuple[IntArray, list[Grouping]]:
    """The coarsest cells that still tell all groups apart, and the groups as unions of them."""
    stacked = np.stack([item.of_cell for item in groupings])
    distinct, base = np.unique(stacked, axis=1, return_inverse=True)
    return base.reshape(-1).astype(np.int64), [
        replace(item, of_cell=distinct[row]) for row, item in enumerate(groupings)
    ]

"""Where a model looked: columns of a table, shares of each face over the canonical regions.

``where_<source>_<region>`` are the shares of one source of maps, such as ``gradcam``, over the nine
regions of ``audit.face_regions``; they sum to 1. ``where_<source>_at_<row>_<column>`` are shares of
the cells of a map of the canonical face, 7 x 7 from the top left, counted from 1. Both are empty
where it is not known where the model looked. Maps enter means of at least 20 people and nothing
else: they are never written again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.columns import as_number
from audit.errors import InputError
from audit.face_regions import REGIONS, SIDE

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
PREFIX = "where_"
TOLERANCE = 1e-3
_REGION = re.compile(rf"{PREFIX}([a-z0-9_]+?)_({'|'.join(REGIONS)})")
_CELL = re.compile(rf"{PREFIX}([a-z0-9_]+?)_at_([1-9][0-9]*)_([1-9][0-9]*)")


@dataclass(frozen=True, eq=False)
class Where:
    """By source: ``shares`` (n, 9) of the regions; ``maps`` (n, 49), row by row, where given.

    A face of which it is not known is NaN in its whole row.
    """

    shares: Mapping[str, FloatArray]
    maps: Mapping[str, FloatArray]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, one per source, in text order."""
        return tuple(f"{PREFIX}{source}" for source in sorted(self.shares))

    def columns(self) -> dict[str, FloatArray]:
        """The columns of the shares, by name; maps are not written."""
        return {
            name: self.shares[source][:, k]
            for source in sorted(self.shares)
            for k, name in enumerate(region_columns(source))
        }


def region_columns(source: str) -> tuple[str, ...]:
    """Names of the columns of one source's regions.

    Examples
    --------
    >>> region_columns("gradcam")[1]
    'where_gradcam_left_eye'
    """
    return tuple(f"{PREFIX}{source}_{region}" for region in REGIONS)


def cell_columns(source: str) -> tuple[str, ...]:
    """Names of the columns of one source's map, row by row.

    Examples
    --------
    >>> cell_columns("gradcam")[1]
    'where_gradcam_at_1_2'
    """
    at = range(1, SIDE + 1)
    return tuple(f"{PREFIX}{source}_at_{row}_{column}" for row in at for column in at)


def read_where(frame: pd.DataFrame, place: str) -> tuple[Where | None, list[str]]:
    """The shares and maps of a table, checked, and the columns that held them.

    Raises
    ------
    InputError
        A source lacks a region or a cell, a share is outside [0, 1], a row is empty in part, the
        shares of a face do not sum to 1 or its cells to more than 1, or a map has no shares.
    """
    names = list(map(str, frame.columns))
    sources = sorted({m[1] for m in map(_REGION.fullmatch, names) if m})
    mapped = sorted({m[1] for m in map(_CELL.fullmatch, names) if m})
    bare = [source for source in mapped if source not in sources]
    if bare:
        raise InputError(
            f"{place}: {cell_columns(bare[0])[0]} and the like are a map of {bare[0]!r}, which has "
            f"no shares of regions; give {region_columns(bare[0])[0]} and the other regions too"
        )
    if not sources:
        return None, []
    shares = {source: _read(frame, region_columns(source), place) for source in sources}
    maps = {source: _read(frame, cell_columns(source), place) for source in mapped}
    for source in sources:
        total = shares[source].sum(axis=1)
        _refuse(np.abs(total - 1) > TOLERANCE, total, f"{PREFIX}{source}_*", "must sum to 1", place)
        if source in maps:
            part = maps[source].sum(axis=1)
            rule = "must sum to at most 1"
            _refuse(part > 1 + TOLERANCE, part, f"{PREFIX}{source}_at_*", rule, place)
    used = [c for source in sources for c in region_columns(source)]
    return Where(shares, maps), [*used, *(c for source in mapped for c in cell_columns(source))]


def _read(frame: pd.DataFrame, names: tuple[str, ...], place: str) -> FloatArray:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(
            f"{place}: no column {missing[0]!r}; where a model looked is told by all of "
            f"{names[0]} to {names[-1]}"
        )
    values = np.column_stack([as_number(frame[name], place) for name in names])
    empty = np.isnan(values)
    part = empty.any(axis=1) & ~empty.all(axis=1)
    if part.any():
        row = int(part.argmax())
        raise InputError(
            f"{place} row {row + 1}: {names[int(empty[row].argmax())]} is empty and others of its "
            "source are not; give all of them or none"
        )
    odd = (values < 0) | (values > 1)
    if odd.any():
        row, column = (int(index[0]) for index in np.nonzero(odd))
        raise InputError(
            f"{place} row {row + 1}: {names[column]} is {values[row, column]:g}, must be between 0 "
            "and 1; it is a share"
        )
    return values


def _refuse(
    wrong: npt.NDArray[np.bool_], total: FloatArray, what: str, rule: str, place: str
) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{place} row {row + 1}: {what} sum to {total[row]:.6g}, {rule} +- {TOLERANCE:g}; "
            "they are shares of one face"
        )

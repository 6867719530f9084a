"""A data set as an audit sees it: attributes and labels of every face, and whose face it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from audit.bands import Band, band_label, parse_band
from audit.columns import as_ages, as_number, as_text, checked_truth
from audit.errors import InputError
from audit.groups import Attribute, Cell, Grouping, attribute, cells_of, check_cells, grouping
from audit.hashing import Keys
from audit.predictions import Predictions
from audit.units import person_keys, sample_keys

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
LABELS = ("expression", "age")
"""What a model would learn from a data set."""
NO_GROUPS = ("sample_id", "subject_id", "path")
"""Columns that name faces and divide nobody into groups."""


@dataclass(frozen=True, eq=False)
class Faces:
    """Who the faces are: ``unit`` (n,) numbers the persons whose ``keys`` (m,) are given.

    ``attributes`` holds every attribute and label that was asked for, ``years`` (n,) the exact
    ages, NaN where they are not known in years. ``has_ids`` says whether every face has an id, of
    itself or its person.
    """

    keys: Keys
    unit: IntArray
    has_people: bool
    has_ids: bool
    attributes: Mapping[str, Attribute]
    cells: tuple[Cell, ...]
    cell: IntArray
    years: FloatArray

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def m_eff(self) -> float:
        """(sum n_s)^2 / sum n_s^2 over the persons."""
        photos = np.bincount(self.unit).astype(np.float64)
        return float(photos.sum() ** 2 / (photos**2).sum())

    def grouped(self, names: tuple[str, ...]) -> tuple[Grouping, IntArray]:
        """The groups of some attributes, and the group of every face (n,)."""
        order = {
            name: {value: i for i, value in enumerate(item.values)}
            for name, item in self.attributes.items()
        }
        item = grouping(self.cells, tuple(self.attributes), names, order)
        return item, item.of_cell[self.cell]

    def by_person(self, columns: IntArray, n_columns: int, rows: IntArray) -> csr_array:
        """Faces of each person in each column, sparse (m, n_columns), of some of the rows."""
        ones = np.ones(len(rows))
        shape = (len(self.keys), n_columns)
        found = csr_array((ones, (self.unit[rows], columns[rows])), shape=shape)
        found.sum_duplicates()
        return found


def faces_of(
    frame: pd.DataFrame,
    names: Sequence[str],
    place: str,
    edges: Sequence[float] | None = None,
    max_cells: int = 20_000,
) -> Faces:
    """Read the attributes and labels of a data set.

    Parameters
    ----------
    frame : DataFrame
        With any of ``sample_id``, ``subject_id``, ``age`` (years or bands), ``expression``, and
        attributes; :func:`with_ages` makes ``age`` of ``age_low`` and ``age_high``.
    names : sequence of str
        The columns to read.
    edges : sequence of float, optional
        Edges of the age bands in years; by default the bands of the data, or decades.

    Raises
    ------
    InputError
        An id in place of an attribute, an age that is none, or too many cells.
    """
    frame = frame.reset_index(drop=True)
    ids = {
        name: as_text(frame[name], place, is_id=True) if name in frame.columns else None
        for name in ("sample_id", "subject_id")
    }
    people = ids["subject_id"]
    if people is not None and people.isna().all():
        people = None
    years = _years(frame, place)
    table = Predictions("expression", ids["sample_id"], people, frame, place)
    found = {name: attribute(table, name, edges) for name in names}
    cells, cell = cells_of(list(found.values()), len(frame))
    n_values = {name: len(item.values) for name, item in found.items()}
    check_cells(n_values, len(cells), max_cells)
    keys, unit = np.unique(person_keys(table, sample_keys(table, 0)), return_inverse=True)
    return Faces(
        keys=keys,
        unit=unit.astype(np.int64),
        has_people=people is not None,
        has_ids=ids["sample_id"] is not None or bool(people is not None and people.notna().all()),
        attributes=found,
        cells=tuple(cells),
        cell=cell,
        years=years,
    )


def with_ages(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """The frame with one column ``age``, where it has ``age_low`` and ``age_high`` instead.

    An open upper end is an empty ``age_high``.
    """
    if frame.empty:
        raise InputError(f"{place}: no faces; give at least one")
    if "age" in frame.columns or not {"age_low", "age_high"} <= {*frame.columns}:
        return frame
    low, high = (as_number(frame[f"age_{end}"], place) for end in ("low", "high"))
    high = np.where(np.isnan(high), np.inf, high)
    texts = [
        None if np.isnan(a) else band_label((a, b)) if a < b else f"{a:g}"
        for a, b in zip(low, high, strict=True)
    ]
    return frame.assign(age=pd.Series(texts, index=frame.index, dtype="str"))


def _years(frame: pd.DataFrame, place: str) -> FloatArray:
    """Exact ages; ages that are none, or impossible, are refused here."""
    nothing = np.full(len(frame), np.nan)
    if "age" not in frame.columns:
        return nothing
    ages = checked_truth(as_ages(frame["age"], place), frame["age"], place)
    return nothing if ages.is_band else ages.low


def labels_in(frame: pd.DataFrame) -> tuple[str, ...]:
    """The labels that a data set has, of which at least one is known."""
    return tuple(name for name in LABELS if name in frame.columns and frame[name].notna().any())


def band_of(text: str) -> Band:
    """The age band that a value of the attribute ``age`` means; one year is shown as that year."""
    return parse_band(text) or (float(text), float(text) + 1)

"""All that an audit reads of a table: sums that add up over parts of disjoint people.

A table in memory is one part; a streamed file is many. Everything after this reads the evidence and
never a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, diags_array

from audit.absolute import Errors, all_errors, error_part
from audit.collect import Collected, order_of
from audit.error_rows import GroupRates, added_errors, error_sums
from audit.groups import Cell, check_cells
from audit.metrics.core import Layout
from audit.moments import Moments, Wanted, added, all_moments
from audit.units import UnitSums, bucket_keys, collect, entries, merge

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Combination = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the audit knows of a table.

    Parameters
    ----------
    units : UnitSums
        Sums by resampled unit (a person, or a hash bucket above 2^14 persons) and cell of
        ``attributes``.
    moments : mapping
        Combination of attributes -> second moments over whole persons; some also by age.
    errors : Errors, optional
        Absolute errors of the faces, where ages are known exactly.
    order, n_unknown : mapping
        Attribute -> its values in reading order, and how many faces have none.
    n_units : int
        Persons in the whole table.
    spread : mapping
        Combination of attributes -> group -> what its distribution of the error needs.
    """

    attributes: tuple[str, ...]
    order: dict[str, dict[str, int]]
    n_unknown: dict[str, int]
    units: UnitSums
    moments: Mapping[Combination, Moments]
    errors: Errors | None
    n_units: int
    spread: Mapping[Combination, GroupRates] = field(default_factory=dict)


def gather(
    parts: Iterable[Collected],
    names: Sequence[str],
    combinations: Sequence[Combination],
    wanted: Wanted,
    n_units: int,
    max_cells: int,
    curves: Layout | None = None,
    drawn: Sequence[Combination] = (),
) -> Evidence:
    """Add up parts of a table that share no person.

    Parameters
    ----------
    names : sequence of str
        The attributes; parts may be cut further by age, which only serves curves.
    combinations : sequence of tuple of str
        Whose moments are needed: those with an attribute that a part lacks are left out.
    n_units : int
        Persons in the whole table: decides whether persons or buckets are resampled.
    curves : Layout, optional
        Of the sums of the curves of the parts.
    drawn : sequence of tuple of str
        Whose distributions of the error are drawn.

    Raises
    ------
    InputError
        More cells than ``max_cells``.
    """
    width, errors = len(names), []
    units: UnitSums | None = None
    waiting: list[UnitSums] = []
    moments: dict[Combination, Moments] = {}
    spread: dict[Combination, GroupRates] = {}
    dropped: set[Combination] = set()
    cells: dict[Cell, None] = {}
    values: dict[str, dict[str, None]] = {}
    n_unknown: dict[str, int] = {}
    for part in parts:
        there = [c for c in combinations if set(c) <= set(part.attributes)]
        dropped |= set(combinations) - set(there)
        found = all_moments(part.sums, part.attributes, part.order, there, wanted)
        for combination, new in found.items():
            known = moments.get(combination)
            moments[combination] = new if known is None else added(known, new)
        for combination, rates in error_sums(part, curves, drawn).items():
            spread[combination] = added_errors(spread.get(combination, {}), rates)
        more = _resampled(part.sums, width, n_units, wanted.columns)
        units, waiting = _absorbed(units, waiting, more)
        cells.update(dict.fromkeys(more.cells))
        _check(cells, names, values, part, max_cells)
        for name in part.attributes:
            n_unknown[name] = n_unknown.get(name, 0) + part.n_unknown[name]
        if part.sums.rows is not None and part.sums.rows.abs_error is not None:
            errors.append(error_part(part.sums.rows, part.sums.cells, n_units))
    assert units is not None
    units = merge([units, *waiting]) if waiting else units
    for combination in dropped:
        moments.pop(combination, None)
    return Evidence(
        tuple(names),
        {name: order_of(name, found) for name, found in values.items()},
        n_unknown,
        units,
        moments,
        all_errors(errors, units.cells) if errors else None,
        n_units,
        spread,
    )


def _check(
    cells: Mapping[Cell, None],
    names: Sequence[str],
    values: dict[str, dict[str, None]],
    part: Collected,
    max_cells: int,
) -> None:
    for name in part.attributes:
        values.setdefault(name, {}).update(dict.fromkeys(part.order[name]))
    check_cells({name: len(values[name]) for name in names}, len(cells), max_cells)


def _resampled(sums: UnitSums, width: int, n_units: int, columns: IntArray) -> UnitSums:
    """Sums by resampled unit and cell of the first ``width`` attributes, of the needed columns."""
    coarse = tuple(dict.fromkeys(cell[:width] for cell in sums.cells))
    position = {cell: index for index, cell in enumerate(coarse)}
    of_cell = np.array([position[cell[:width]] for cell in sums.cells], dtype=np.int64)
    keys = bucket_keys(sums.unit, n_units)
    values = sums.values
    if isinstance(values, csr_array):
        kept = np.isin(np.arange(values.shape[1]), columns).astype(np.float64)
        values = csr_array(values @ csr_array(diags_array(kept)))
        values.eliminate_zeros()
    return collect(coarse, of_cell[sums.cell], values, None, keys)


def _absorbed(
    total: UnitSums | None, waiting: list[UnitSums], more: UnitSums
) -> tuple[UnitSums, list[UnitSums]]:
    """The running sums and the entries that wait to be merged into them, with one part more.

    Entries that exist are added in place: soon all of them do, and nothing large is copied again.
    """
    if total is None:
        return more, []
    if not isinstance(more.values, csr_array):
        more = _without_known(total, more)
    waiting = [*waiting, more]
    if 4 * sum(len(part.cell) for part in waiting) < len(total.cell):
        return total, waiting
    return merge([total, *waiting]), []


def _without_known(total: UnitSums, more: UnitSums) -> UnitSums:
    """Add the entries that ``total`` has, in place; what is left over."""
    position = {cell: index for index, cell in enumerate(total.cells)}
    cell = np.array([position.get(cell, -1) for cell in more.cells], dtype=np.int64)[more.cell]
    keys, unit = total.by_unit
    at = np.minimum(np.searchsorted(keys, more.unit), len(keys) - 1)
    codes, code = total.cell * len(keys) + unit, cell * len(keys) + at
    place = np.minimum(np.searchsorted(codes, code), len(codes) - 1)
    there = (codes[place] == code) & (keys[at] == more.unit) & (cell >= 0)
    total.values[place[there]] += more.values[there]
    return entries(more, ~there)

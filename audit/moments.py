"""Second moments over whole persons of the groups of one attribute combination.

Variances by person, persons m, effective persons and the rarer outcome need whole persons, so they
cannot be read off buckets. But they are sums over persons: parts of a table that share no person
add up, and the groups are told apart by their labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from audit.groups import Cell, Grouping, grouping
from audit.units import GroupedSums, UnitSums, Values, entries, group_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_TOLERANCE = 1e-12
_FINE = 2_000


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is summed: the columns of the second moments, and the amounts whose persons count.

    Every row of ``coefficients`` (T, F) is an amount: a person enters where it is positive.
    """

    columns: IntArray
    coefficients: FloatArray


@dataclass(frozen=True, eq=False)
class Tally:
    """Persons with a positive amount, its total and sum of squares: (T, G); beside it the rest.

    ``everyone`` counts the persons of all known groups, ``gone`` those of them that have nothing
    outside the group; ``square_everyone`` and ``square_gone`` are the same for sums of squares.
    """

    m: FloatArray
    total: FloatArray
    square: FloatArray
    everyone: FloatArray
    gone: FloatArray
    square_everyone: FloatArray
    square_gone: FloatArray


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums (G, F), second moments over persons (G, f, f), and how groups share persons.

    ``cross[g]`` is the sum over persons of (sums in g)(sums in the other known groups)';
    ``everyone`` (f, f) the second moment of the persons' sums over all known groups. ``shares`` is
    true (G, G) where a person lies in both; ``several`` counts persons of several known groups.
    """

    wanted: Wanted
    groups: tuple[Cell, ...]
    totals: FloatArray
    second: FloatArray
    cross: FloatArray | None
    everyone: FloatArray
    tally: Tally
    shares: BoolArray
    several: int

    def at(self, groups: Sequence[Cell]) -> Moments:
        """The same for these groups, in their order; 0 for a group that is not there."""
        if tuple(groups) == self.groups:
            return self
        position = {group: index for index, group in enumerate(groups)}
        place = np.array([position[group] for group in self.groups], dtype=np.int64)

        def spread(values: npt.NDArray[Any], axis: int = 0) -> npt.NDArray[Any]:
            shape = list(values.shape)
            shape[axis] = len(groups)
            found = np.zeros(shape, dtype=values.dtype)
            found[(slice(None),) * axis + (place,)] = values
            return found

        t = self.tally
        return Moments(
            self.wanted,
            tuple(groups),
            spread(self.totals),
            spread(self.second),
            None if self.cross is None else spread(self.cross),
            self.everyone,
            Tally(
                spread(t.m, 1),
                spread(t.total, 1),
                spread(t.square, 1),
                t.everyone,
                spread(t.gone, 1),
                t.square_everyone,
                spread(t.square_gone, 1),
            ),
            np.asarray(spread(spread(self.shares), 1), dtype=np.bool_),
            self.several,
        )


def added(first: Moments, second: Moments) -> Moments:
    """The moments of two parts of a table that share no person."""
    groups = tuple(dict.fromkeys((*first.groups, *second.groups)))
    a, b = first.at(groups), second.at(groups)
    cross = a.cross if b.cross is None else b.cross if a.cross is None else a.cross + b.cross
    tally = Tally(
        *(x + y for x, y in zip(vars(a.tally).values(), vars(b.tally).values(), strict=True))
    )
    return Moments(
        a.wanted,
        groups,
        a.totals + b.totals,
        a.second + b.second,
        cross,
        a.everyone + b.everyone,
        tally,
        a.shares | b.shares,
        a.several + b.several,
    )


def all_moments(
    sums: UnitSums,
    attributes: Sequence[str],
    order: dict[str, dict[str, int]],
    combinations: Sequence[tuple[str, ...]],
    wanted: Wanted,
) -> dict[tuple[str, ...], Moments]:
    """Moments of every combination from the sums of whole persons.

    Persons of a single cell are summed by cell once, for all combinations; only the others are
    looked at again for each.
    """
    groupings = {c: grouping(sums.cells, attributes, c, order) for c in combinations}
    _, unit = sums.by_unit
    single = np.bincount(unit)[unit] == 1
    if len(sums.cells) > _FINE or not single.any():
        return {c: moments(group_sums(sums, g), g, wanted) for c, g in groupings.items()}
    finest = Grouping((), sums.cells, np.arange(len(sums.cells)), np.ones(len(sums.cells), bool))
    alone = moments(group_sums(entries(sums, single), finest), finest, wanted)
    found = {c: _coarser(alone, g) for c, g in groupings.items()}
    if single.all():
        return found
    rest = entries(sums, ~single)
    return {
        c: added(part, moments(group_sums(rest, groupings[c]), groupings[c], wanted))
        for c, part in found.items()
    }


def _coarser(cells: Moments, item: Grouping) -> Moments:
    """Moments by cell, of persons of one cell each, as those of a combination."""
    n = len(item.groups)

    def summed(values: FloatArray, axis: int = 0) -> FloatArray:
        moved = np.moveaxis(values, axis, 0)
        found = np.zeros((n, *moved.shape[1:]))
        np.add.at(found, item.of_cell, moved)
        return np.moveaxis(found, 0, axis)

    t = cells.tally
    m, total, square = summed(t.m, 1), summed(t.total, 1), summed(t.square, 1)
    second = summed(cells.second)
    return Moments(
        cells.wanted,
        item.groups,
        summed(cells.totals),
        second,
        None,
        second[item.known].sum(axis=0),
        _unshared(m, total, square, item.known),
        np.eye(n, dtype=np.bool_),
        0,
    )


def _unshared(m: FloatArray, total: FloatArray, square: FloatArray, known: BoolArray) -> Tally:
    gone, square_gone = np.where(known, m, 0.0), np.where(known, square, 0.0)
    return Tally(m, total, square, gone.sum(axis=1), gone, square_gone.sum(axis=1), square_gone)


def moments(grouped: GroupedSums, item: Grouping, wanted: Wanted) -> Moments:
    """Moments of one combination from the sums of whole persons by group."""
    core = grouped.values[:, wanted.columns]
    everyone = _unit_totals(grouped, core, item.known) if grouped.shared else None
    f = len(wanted.columns)
    totals = np.zeros((grouped.n_groups, grouped.values.shape[1]))
    second = np.zeros((grouped.n_groups, f, f))
    cross = np.zeros_like(second) if grouped.shared else None
    for g in range(grouped.n_groups):
        part = slice(grouped.starts[g], grouped.starts[g + 1])
        totals[g] = grouped.values[part].sum(axis=0)
        second[g] = _dense(core[part].T @ core[part])
        if cross is not None and everyone is not None:
            cross[g] = _dense(core[part].T @ everyone[grouped.unit[part]]) - second[g]
    whole = second[item.known].sum(axis=0) if everyone is None else _dense(everyone.T @ everyone)
    shares, several = _sharing(grouped, item.known)
    counts = tally(grouped, item.known, wanted.coefficients)
    return Moments(wanted, item.groups, totals, second, cross, whole, counts, shares, several)


def _dense(values: Values) -> FloatArray:
    return np.asarray(values.todense() if issparse(values) else values)


def _unit_totals(grouped: GroupedSums, core: Values, known: BoolArray) -> Values:
    used = np.flatnonzero(known[grouped.group])
    indicator = csr_array(
        (np.ones(len(used)), (grouped.unit[used], used)),
        shape=(len(grouped.keys), len(grouped.unit)),
    )
    found = indicator @ core
    return csr_array(found) if isinstance(core, csr_array) else np.asarray(found)


def _sharing(grouped: GroupedSums, known: BoolArray) -> tuple[BoolArray, int]:
    """Which groups share a person, (G, G), and how many persons lie in several known groups."""
    if not grouped.shared:
        return np.eye(grouped.n_groups, dtype=np.bool_), 0
    member = csr_array(
        (np.ones(len(grouped.unit)), (grouped.unit, grouped.group)),
        shape=(len(grouped.keys), grouped.n_groups),
    )
    both = np.asarray((member.T @ member).todense() > 0, dtype=np.bool_)
    often = np.bincount(grouped.unit[known[grouped.group]], minlength=1)
    return both, int((often > 1).sum())


def tally(grouped: GroupedSums, known: BoolArray, coefficients: FloatArray) -> Tally:
    """Persons with a positive amount in every group and outside it, for some amounts (T, F)."""
    rows = [_one(grouped, known, row) for row in coefficients]
    m, total, square = (np.stack([row[k] for row in rows]) for k in range(3))
    if not grouped.shared:
        return _unshared(m, total, square, known)
    everyone, gone, square_everyone, square_gone = (
        np.stack([np.asarray(row[k]) for row in rows]) for k in range(3, 7)
    )
    return Tally(m, total, square, everyone, gone, square_everyone, square_gone)


def _one(grouped: GroupedSums, known: BoolArray, row: FloatArray) -> tuple[FloatArray | float, ...]:
    amount = linear_sums(grouped.values, row)
    if (row < 0).any():
        size = linear_sums(grouped.values, np.abs(row))
        amount = np.where(np.abs(amount) <= _TOLERANCE * size, 0.0, amount)

    def by_group(values: npt.NDArray[Any]) -> FloatArray:
        return np.bincount(grouped.group, values, grouped.n_groups).astype(np.float64)

    found = by_group(amount > 0), by_group(amount), by_group(amount * amount)
    if not grouped.shared:
        return found
    used = known[grouped.group]
    whole = np.bincount(grouped.unit[used], amount[used], len(grouped.keys))
    here = whole[grouped.unit]
    left = np.where(used, here - amount, 0.0)
    left = np.where(left > _TOLERANCE * here, left, 0.0)
    return (
        *found,
        float((whole > 0).sum()),
        by_group(used & (here > 0) & (left <= 0)),
        float((whole**2).sum()),
        by_group(np.where(used, here**2 - left**2, 0.0)),
    )


def linear_sums(values: Values, coefficients: FloatArray) -> FloatArray:
    """One linear combination of the sums of every entry, (entries,)."""
    if isinstance(values, csr_array):
        return np.asarray(values @ coefficients)
    used = np.flatnonzero(coefficients)
    return np.asarray(sum((values[:, i] * coefficients[i] for i in used), np.zeros(len(values))))

"""Which cells of a table with margins to hide, so that no small one can be had by subtraction.

A total and its parts are published together: whoever knows the total and all parts but one knows
that one. So beside every small cell others are hidden, until no small cell follows from what is
left (complementary suppression; Hundepool et al., Statistical Disclosure Control, 2012, ch. 4).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import lsqr

Cell = TypeVar("Cell", bound=Hashable)
_DENSE = 1500
_KNOWN = 1e-6


@dataclass(frozen=True)
class Sum(Generic[Cell]):
    """A total and the cells that add up to it, all of them published unless hidden."""

    total: Cell
    parts: tuple[Cell, ...]


def hidden_cells(
    counts: Mapping[Cell, int],
    sums: Sequence[Sum[Cell]],
    k: int,
    inside: Mapping[Cell, Sequence[Cell]] | None = None,
) -> set[Cell]:
    """The cells to hide: those of 1 to k - 1 persons, and others that protect them.

    Afterwards, for every sum, its hidden parts are at least two with at least k persons together,
    or its total is hidden too; and no small cell is determined by all sums together, as linear
    equations in the hidden cells. Bounds on a hidden cell (it is at least 0, the hidden ones
    together are 14) remain.

    Parameters
    ----------
    counts : mapping
        Persons in each cell; empty cells hide nothing and protect nothing.
    sums : sequence of Sum
        What an outsider can add up.
    k : int
        The fewest persons that a visible cell may have.
    inside : mapping, optional
        Cells that are hidden along with a cell. They need no protection for their own sake.

    Examples
    --------
    >>> sorted(hidden_cells({"all": 60, "a": 3, "b": 20, "c": 37}, [Sum("all", tuple("abc"))], 10))
    ['a', 'b']
    """
    small = {cell for cell, n in counts.items() if 0 < n < k}
    state: _State[Cell] = _State(counts, k, inside or {}, set(), set())
    state.hide(small)
    found = [
        Sum(item.total, tuple(part for part in item.parts if counts.get(part, 0) > 0))
        for item in sums
        if counts.get(item.total, 0) > 0
    ]
    used = sorted(found, key=repr)
    while True:
        while sum(_protect(item, state) for item in used):
            pass
        known = [cell for cell in _determined(used, state.hidden) if cell in small]
        if not sum(_blur(cell, used, state) for cell in known):
            return state.hidden


@dataclass(frozen=True)
class _State(Generic[Cell]):
    """What is hidden so far, and which of that only because it lies inside a hidden cell."""

    counts: Mapping[Cell, int]
    k: int
    inside: Mapping[Cell, Sequence[Cell]]
    hidden: set[Cell]
    along: set[Cell]

    def hide(self, cells: Collection[Cell]) -> None:
        self.hidden.update(cells)
        self.along.difference_update(cells)
        for cell in cells:
            new = [c for c in self.inside.get(cell, ()) if c not in self.hidden]
            self.hidden.update(new)
            self.along.update(new)


def _protect(item: Sum[Cell], state: _State[Cell]) -> bool:
    """Hide what one sum lacks; whether anything was hidden."""
    own = [cell for cell in item.parts if cell in state.hidden]
    left = _by_size([cell for cell in item.parts if cell not in state.hidden], state.counts)
    before = len(state.hidden)
    if item.total in state.hidden:
        if not own and left and item.total not in state.along:
            state.hide(left[:1])
        return len(state.hidden) > before
    if all(cell in state.along for cell in own):
        return False
    while len(own) < 2 or sum(state.counts[c] for c in own) < state.k:
        if not left:
            state.hide([item.total])
            break
        own.append(left.pop(0))
        state.hide(own[-1:])
    return len(state.hidden) > before


def _by_size(cells: Sequence[Cell], counts: Mapping[Cell, int]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (counts.get(cell, 0), repr(cell)))


def _blur(cell: Cell, sums: Sequence[Sum[Cell]], state: _State[Cell]) -> bool:
    """Hide the smallest visible cell of a sum that a determined cell is in, or else of any sum."""
    for found in ([item for item in sums if cell in (item.total, *item.parts)], sums):
        visible = {c for item in found for c in (item.total, *item.parts)} - state.hidden
        if visible:
            state.hide(_by_size(list(visible), state.counts)[:1])
            return True
    return False


def _determined(sums: Sequence[Sum[Cell]], hidden: Collection[Cell]) -> list[Cell]:
    """Hidden cells that the visible ones determine.

    The sums are linear equations A x = b in the hidden cells. A random x less its projection on the
    rows of A is a random solution of A x = 0; a cell is determined where that is 0.
    """
    cells = sorted(hidden, key=repr)
    position = {cell: i for i, cell in enumerate(cells)}
    row, column, data = [], [], []
    for i, item in enumerate(sums):
        for cell, sign in ((item.total, 1.0), *((part, -1.0) for part in item.parts)):
            if cell in position:
                row.append(i)
                column.append(position[cell])
                data.append(sign)
    if not data:
        return []
    matrix = csr_array((data, (row, column)), shape=(len(sums), len(cells)))
    x = np.random.default_rng(0).standard_normal(len(cells))
    if len(cells) <= _DENSE:
        dense = matrix[np.unique(row)].toarray()
        seen = np.linalg.lstsq(dense, dense @ x, rcond=None)[0]
    else:
        seen = lsqr(matrix, matrix @ x, atol=1e-12, btol=1e-12, iter_lim=20 * len(cells))[0]
    return [cell for cell, rest in zip(cells, x - seen, strict=True) if abs(rest) < _KNOWN]

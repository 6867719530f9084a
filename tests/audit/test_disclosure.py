"""Complementary suppression: what an outsider who adds and subtracts can and cannot learn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.linalg import null_space

from audit.disclosure import Sum, hidden_cells


def learnt(counts: dict, sums: list[Sum], hidden: set) -> set:
    """Hidden cells that solve the system of all sums: no null vector moves them."""
    cells = sorted(hidden, key=repr)
    rows = []
    for item in sums:
        row = np.zeros(len(cells))
        for cell, sign in ((item.total, 1), *((p, -1) for p in item.parts)):
            if cell in hidden:
                row[cells.index(cell)] += sign
        rows.append(row)
    moves = null_space(np.array(rows))
    return {cell for cell, move in zip(cells, moves, strict=True) if np.abs(move).max() < 1e-9}


def cube(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[dict, list[Sum]]:
    """A random table with all of its margins; * is "all values"."""
    inner = rng.negative_binomial(0.5, 0.015, shape)
    counts = {}
    for key in itertools.product(*(("*", *range(size)) for size in shape)):
        at = tuple(slice(None) if k == "*" else k for k in key)
        counts[key] = int(inner[at].sum())
    sums = []
    for key in counts:
        for axis, k in enumerate(key):
            if k == "*":
                parts = [(*key[:axis], v, *key[axis + 1 :]) for v in range(shape[axis])]
                sums.append(Sum(key, tuple(parts)))
    return counts, sums


def test_one_margin_by_hand() -> None:
    counts = {"all": 60, "a": 3, "b": 20, "c": 37}
    sums = [Sum("all", ("a", "b", "c"))]
    assert hidden_cells(counts, sums, 3) == set()
    assert hidden_cells(counts, sums, 4) == {"a", "b"}
    # a and b together are 23 persons: too few for k = 24, so c goes too, then all of it is 60
    assert hidden_cells(counts, sums, 24) == {"a", "b", "c"}
    assert hidden_cells({"all": 8, "a": 3, "b": 5}, [Sum("all", ("a", "b"))], 10) == {
        "all", "a", "b",
    }  # fmt: skip


def test_a_part_that_is_all_of_its_total_takes_the_total_with_it() -> None:
    # x is all of a, and must not be had from it
    counts = {"all": 60, "a": 3, "x": 3, "b": 57}
    sums = [Sum("all", ("a", "b")), Sum("a", ("x",))]
    assert hidden_cells(counts, sums, 10) == {"a", "b", "x"}


def test_empty_cells_protect_nothing() -> None:
    counts = {"all": 60, "a": 3, "b": 0, "c": 57}
    assert hidden_cells(counts, [Sum("all", ("a", "b", "c"))], 10) == {"a", "c"}


def test_a_table_that_only_the_whole_system_gives_away() -> None:
    """2 x 2 hidden cells in a 3 x 3 table are safe; the small cell with a chain of others is not.

    Rows r, columns c. Hidden by single margins: each has two hidden cells, and still the equations
    of an odd arrangement may be solvable; the result must not be.
    """
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(60):
        counts, sums = cube(rng, (3, 4))
        hidden = hidden_cells(counts, sums, 10)
        small = {cell for cell, n in counts.items() if 0 < n < 10}
        found += bool(small)
        assert small <= hidden
        assert not learnt(counts, sums, hidden) & small
    assert found > 30


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 7, 3), (5, 5, 2)])
def test_no_small_cell_of_a_cube_can_be_solved_for(shape) -> None:
    rng = np.random.default_rng(6)
    for _ in range(12):
        counts, sums = cube(rng, shape)
        hidden = hidden_cells(counts, sums, 10)
        small = {cell for cell, n in counts.items() if 0 < n < 10}
        assert not learnt(counts, sums, hidden) & small
        for item in sums:  # nor the sum of a few small ones within one margin
            own = [p for p in item.parts if p in hidden and counts[p] > 0]
            if own and item.total not in hidden:
                assert sum(counts[p] for p in own) >= 10
                assert len(own) >= 2


def test_what_lies_inside_a_hidden_cell_is_hidden_along() -> None:
    counts = {"all": 60, "a": 3, "b": 57, "b1": 30, "b2": 27}
    inside = {"b": ["b1", "b2"]}
    found = hidden_cells(counts, [Sum("all", ("a", "b"))], 10, inside)
    assert found == {"a", "b", "b1", "b2"}


def test_order_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    counts, sums = cube(rng, (3, 3, 3))
    turned = dict(reversed(counts.items()))
    assert hidden_cells(counts, sums, 10) == hidden_cells(turned, sums[::-1], 10)

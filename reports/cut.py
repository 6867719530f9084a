"""Pages of bearable size: tables are cut, and say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from reports.blocks import Cell, Figure, Section, Table
from reports.language import say

MAX_GAP_ROWS = 2000
"""So many rows of gaps a page shows at most, over all its tables."""
ROWS_KEPT = (2000, 400, 150, 60, 30, 15, 8, 4)
LEVELS = (*((rows, 2000) for rows in ROWS_KEPT), *((4, rows) for rows in ROWS_KEPT[1:]))
"""Rows kept of tables that are folded away, and of all others, until a page is small enough."""


def cut(sections: Sequence[Section], size: int) -> tuple[Section, ...]:
    """The sections with at most ``MAX_GAP_ROWS`` rows of gaps and tables of about ``size`` bytes.

    Tables of gaps keep their first rows until the limit of the page is reached: those in sight
    before those that are folded away, which list all there is and would leave nothing for the
    rest. Then folded tables are cut to one number of rows until the page is small enough, and only
    if that does not do all others, too. A table that was cut says how many rows are missing and
    where they are. The first section stays whole.
    """
    kept = _rows_of_gaps(sections[1:])

    def limited(found: Table) -> Table:
        return _shorter(found, kept[found.id]) if found.gaps else found

    rest = [_changed(section, limited) for section in sections[1:]]
    folded, others = _rows_kept([found for section in rest for found in _tables(section)], size)

    def small(found: Table) -> Table:
        return _shorter(found, others if found.summary is None else folded)

    return (*sections[:1], *(_changed(section, small) for section in rest))


def _rows_kept(tables: Sequence[Table], size: int) -> tuple[int, int]:
    """The first of the levels at which the tables take at most so many bytes, else the last."""
    sums = [(found.summary is None, [0, *accumulate(map(_weight, found.rows))]) for found in tables]
    for folded, others in LEVELS:
        ends = ((upto, others if shown else folded) for shown, upto in sums)
        if sum(upto[min(rows, len(upto) - 1)] for upto, rows in ends) <= size:
            break
    return folded, others


def _tables(section: Section) -> list[Table]:
    """The tables of a section, those of its figures among them."""
    blocks = (block.table if isinstance(block, Figure) else block for block in section.blocks)
    return [found for found in blocks if isinstance(found, Table)]


def _rows_of_gaps(sections: Sequence[Section]) -> dict[str, int]:
    """How many rows each table of gaps keeps."""
    tables = [found for section in sections for found in _tables(section) if found.gaps]
    left, kept = MAX_GAP_ROWS, {}
    for found in sorted(tables, key=lambda found: found.summary is not None):
        kept[found.id] = min(len(found.rows), left)
        left -= kept[found.id]
    return kept


def _changed(section: Section, change: Callable[[Table], Table]) -> Section:
    blocks = [
        replace(block, table=change(block.table)) if isinstance(block, Figure)
        else change(block) if isinstance(block, Table) else block
        for block in section.blocks
    ]  # fmt: skip
    return replace(section, blocks=tuple(blocks))


def _shorter(found: Table, rows: int) -> Table:
    missing = len(found.rows) - rows
    if missing <= 0:
        return found
    told = say("{n:,} more rows of this table are in the record, and in its CSV.", n=missing)
    more = told if found.more is None else f"{told} {found.more}"
    return replace(found, rows=found.rows[:rows], more=more)


def _weight(row: Sequence[Cell]) -> int:
    """About how many bytes a row takes."""
    return sum(len(cell.text.encode()) + 70 for cell in row)

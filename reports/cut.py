"""Pages of bearable size: tables are cut, and say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from reports.blocks import Figure, Section, Table
from reports.language import say

MAX_GAP_ROWS = 2000
"""So many rows of gaps a page shows at most, over all its tables."""
ROWS_KEPT = (2000, 400, 150, 60, 30, 15, 8, 4)


def cut(sections: Sequence[Section], size: int) -> tuple[Section, ...]:
    """The sections with at most ``MAX_GAP_ROWS`` rows of gaps and tables of about ``size`` bytes.

    Tables of gaps keep their first rows until the limit of the page is reached: those in sight
    before those that are folded away, which list all there is and would leave nothing for the
    rest. Then all tables are cut to one number of rows until the page is small enough. A table that
    was cut says how many rows are missing and where they are. The first section stays whole.
    """
    kept = _rows_of_gaps(sections[1:])

    def limited(found: Table) -> Table:
        return _shorter(found, kept[found.id]) if found.gaps else found

    first, rest = sections[:1], [_changed(section, limited) for section in sections[1:]]
    for rows in ROWS_KEPT:
        found = [_changed(section, partial(_shorter, rows=rows)) for section in rest]
        if sum(map(_weight, found)) <= size:
            break
    return (*first, *found)


def _rows_of_gaps(sections: Sequence[Section]) -> dict[str, int]:
    """How many rows each table of gaps keeps."""
    tables = [
        found
        for section in sections
        for block in section.blocks
        if isinstance(found := block.table if isinstance(block, Figure) else block, Table)
        and found.gaps
    ]
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


def _weight(section: Section) -> int:
    """About how many bytes the tables of a section take."""
    tables = [
        block.table if isinstance(block, Figure) else block
        for block in section.blocks
        if isinstance(block, Figure | Table)
    ]
    cells = (cell for found in tables for row in found.rows for cell in row)
    return sum(len(cell.text.encode()) + 70 for cell in cells)

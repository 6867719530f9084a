"""Tables of changes, and figures of them: the same for groups and for differences of groups."""

from __future__ import annotations

from collections.abc import Sequence

from audit.comparison import Comparison, GapChange, PairedRow
from reports.blocks import Cell, Table, table
from reports.compared.lookup import better, short, unit
from reports.compared.words import (
    change_words,
    from_to,
    gap_sides,
    role_of,
    verdict_words,
    what,
    where,
)
from reports.figures import Mark
from reports.format import count, number, p_value, plain
from reports.words import mark_of

MAX_ROWS = 400
Row = PairedRow | GapChange


def changes_table(
    result: Comparison,
    rows: Sequence[Row],
    id: str,
    caption: str,
    *,
    fold: bool = True,
    limit: int = MAX_ROWS,
) -> Table:
    """One line for each change."""
    marks: dict[str, str] = {}
    found = [_cells(result, row, marks) for row in rows[:limit]]
    columns = (
        "metric", "where", "kind", "runs", "value", "change [interval]", "verdict", "p",
        "p adjusted", "margin", "faces", "people",
    )  # fmt: skip
    summary = f"{caption} ({count(len(rows))})" if fold else None
    cut = len(rows) - len(found)
    more = f"{count(cut)} more rows are in comparison.json." if cut > 0 else None
    return table(id, caption, columns, found, summary=summary, footnotes=marks, more=more,
                 gaps=True)  # fmt: skip


def _cells(result: Comparison, row: Row, marks: dict[str, str]) -> list[Cell]:
    u = unit(result, row.metric)
    kind = row.kind.replace("_", " ") if isinstance(row, GapChange) else "value"
    sides = gap_sides(result, row) if isinstance(row, GapChange) else where(row)
    return [
        Cell(what(row), head=True),
        Cell(sides),
        Cell(kind),
        Cell(f"{short(result, row.run_b)} − {short(result, row.run_a)}"),
        Cell(from_to(result, row) if row.value is not None else ""),
        Cell(change_words(result, row, word=False), row.value, mark_of(row.note, marks)),
        Cell(verdict_words(row)),
        *(Cell("" if p is None else p_value(p), p) for p in (row.p, row.p_adjusted)),
        Cell("" if row.margin is None else number(row.margin, u), row.margin),
        Cell(count(row.n), row.n),
        Cell(count(row.n_subjects), row.n_subjects),
    ]


def mark(result: Comparison, row: Row) -> Mark:
    """One line of a forest plot."""
    label = gap_sides(result, row) if isinstance(row, GapChange) else where(row)
    if row.class_ is not None:
        label = f"{plain(row.class_)}: {label}"
    hover = f"{label}: {from_to(result, row)}, {change_words(result, row)}; {verdict_words(row)}"
    return Mark(label, row.value, row.low, row.high, count(row.n_subjects), hover, role_of(row))


def by_gain(result: Comparison, rows: Sequence[Row]) -> list[Row]:
    """Who loses most first, then who gains; rows without a value last."""
    sign = {"higher": 1.0, "lower": -1.0}

    def loss(row: Row) -> tuple[bool, float]:
        if row.value is None:
            return True, 0.0
        return False, row.value * sign.get(better(result, row.metric), -1.0)

    return sorted(rows, key=loss)

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
from reports.format import bracketed, count, number, p_value, plain
from reports.language import say
from reports.sections.gaps import KINDS
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
        say("metric"), say("where"), say("kind"), say("runs"), say("value"),
        say("change [interval]"), say("verdict"), "p", say("p adjusted"), say("margin"),
        say("faces"), say("people"),
    )  # fmt: skip
    summary = bracketed(caption, count(len(rows))) if fold else None
    more = more_rows(len(rows) - len(found))
    return table(id, caption, columns, found, summary=summary, footnotes=marks, more=more,
                 gaps=True)  # fmt: skip


def more_rows(n: int) -> str | None:
    """Where the rows are that a table leaves out, if it leaves out any."""
    if n <= 0:
        return None
    return say("{n} more rows are in {file}.", n=count(n), file="comparison.json")


def _cells(result: Comparison, row: Row, marks: dict[str, str]) -> list[Cell]:
    u = unit(result, row.metric)
    kind = say(KINDS[row.kind]) if isinstance(row, GapChange) else say("value")
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
        label = say("{name}: {text}", name=plain(row.class_), text=label)
    hover = say(
        "{label}: {values}, {change}; {verdict}",
        label=label, values=from_to(result, row), change=change_words(result, row),
        verdict=verdict_words(row),
    )  # fmt: skip
    return Mark(label, row.value, row.low, row.high, count(row.n_subjects), hover, role_of(row))


def by_gain(result: Comparison, rows: Sequence[Row]) -> list[Row]:
    """Who loses most first, then who gains; rows without a value last."""
    sign = {"higher": 1.0, "lower": -1.0}

    def loss(row: Row) -> tuple[bool, float]:
        if row.value is None:
            return True, 0.0
        return False, row.value * sign.get(better(result, row.metric), -1.0)

    return sorted(rows, key=loss)

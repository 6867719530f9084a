"""Worst slices of up to three attributes: found on half of the people, measured on the others."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import SliceRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.figures import Mark, forest
from reports.format import (
    count,
    estimate,
    group_value,
    metric_title,
    number,
    p_value,
    plain,
    plural,
)
from reports.lookup import unit
from reports.words import level_words, mark_of

_READING = (
    "The worst of hundreds of groups looks bad by chance. So the slices below were chosen on one "
    "half of the persons, and all that is printed was measured on the other half, except the last "
    "column: the difference that made the choice, which flatters the search. A slice counts as "
    "confirmed where its adjusted p is below 0.05. That none is confirmed does not show that no "
    "group is served worse."
)
CONFIRMED = 0.05


def build(result: AuditResult) -> Section | None:
    """A figure and a table of the slices, or the sentence why none were searched."""
    if result.spec.slices is None:
        return None
    searched = Prose((f"Searched: {plain(result.spec.slices)}.",))
    rows = result.slices
    if not rows:
        return Section("slices", "Worst slices", (searched,))
    confirmed = [row for row in rows if _confirmed(row)]
    words = f"{len(confirmed)} of {plural(len(rows), 'slice')} confirmed"
    words += ": " + "; ".join(_name(row) for row in confirmed) + "." if confirmed else "."
    blocks: list[Block] = [Prose((_READING,)), Prose((words,))]
    drawn = [row for row in rows if row.gap is not None]
    lines = _table(result, rows)
    blocks.append(_figure(result, drawn, lines) if drawn else lines)
    return Section("slices", "Worst slices", (*blocks, searched))


def _confirmed(row: SliceRow) -> bool:
    return row.p_adjusted is not None and row.p_adjusted < CONFIRMED


def _name(row: SliceRow) -> str:
    return ", ".join(f"{plain(name)} {group_value(value)}" for name, value in row.group.items())


def _figure(result: AuditResult, rows: Sequence[SliceRow], lines: Table) -> Figure:
    u = unit(result, rows[0].metric)
    what = metric_title(rows[0].metric)
    marks = [
        Mark(
            _name(row),
            row.gap,
            row.low,
            row.high,
            count(row.n_subjects),
            f"{_name(row)}: {estimate(row.gap, row.low, row.high, u)}",
            "gap" if _confirmed(row) else "inconclusive",
        )
        for row in rows
    ]
    spec, height = forest(
        marks, axis=f"difference in {what} to everyone else" + (f", {plain(u)}" if u else ""),
        right="people", reference=0.0, reference_label="no difference",
    )  # fmt: skip
    for trace in spec["data"]:  # these are no verdicts: there is no margin
        if trace.get("name", "").startswith("verdict"):
            trace["name"] = "confirmed" if trace["name"].endswith(": gap") else "not confirmed"
    title = f"{what.capitalize()} of each slice minus that of everyone else"
    caption = f"On the confirming half, with its {level_words(result)} interval."
    said = "; ".join(mark.hover for mark in marks)
    panel = Panel("slices-plot", title, f"{title}. {said}.", spec, height)
    return Figure("slices-figure", title, caption, (panel,), lines)


def _table(result: AuditResult, rows: Sequence[SliceRow]) -> Table:
    marks: dict[str, str] = {}
    lines = []
    for row in rows:
        u = unit(result, row.metric)
        lines.append([
            Cell(_name(row), head=True),
            Cell(number(row.value, u), row.value, mark_of(row.note, marks)),
            Cell(estimate(row.gap, row.low, row.high, u), row.gap),
            Cell(p_value(row.p), row.p), Cell(p_value(row.p_adjusted), row.p_adjusted),
            Cell(count(row.n_subjects), row.n_subjects), Cell(count(row.n), row.n),
            Cell(number(row.found, u), row.found),
        ])  # fmt: skip
    columns = (
        "slice", metric_title(rows[0].metric), "difference to everyone else [interval]", "p",
        "p adjusted", "people", "faces", "difference where it was chosen",
    )  # fmt: skip
    caption = "Worst slices, on the half of the persons that did not choose them"
    return table("slices-table", caption, columns, lines, footnotes=marks)

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
from reports.lookup import better, defined_by_age, unit
from reports.words import REGRESSION, level_words, mark_of

_READING = (
    "The worst of hundreds of groups looks bad by chance. So the slices below were chosen on one "
    "half of the persons, and all that is printed was measured on the other half, except the last "
    "column: the difference that made the choice, which flatters the search. A slice is confirmed "
    "where it is worse on the other half too, with an adjusted p below 0.05. That none is "
    "confirmed does not show that no group is served worse."
)
_WORSE = {"lower": "Right of the dashed line", "higher": "Left of the dashed line"}
_CONFIRMED = {True: "yes", False: "no", None: ""}


def build(result: AuditResult) -> Section | None:
    """A figure and a table of the slices, or the sentence why none were searched."""
    if result.spec.slices is None:
        return None
    searched = Prose((f"Searched: {plain(result.spec.slices)}.",))
    rows = result.slices
    if not rows:
        return Section("slices", "Worst slices", (searched,))
    blocks: list[Block] = [Prose((_READING, _found(rows)))]
    if any(defined_by_age(result, list(row.group)) for row in rows):
        blocks.append(Prose((f"Slices by age: {REGRESSION[0].lower()}{REGRESSION[1:]}",)))
    drawn = [row for row in rows if row.gap is not None]
    lines = _table(result, rows)
    blocks.append(_figure(result, drawn, lines) if drawn else lines)
    return Section("slices", "Worst slices", (*blocks, searched))


def _found(rows: Sequence[SliceRow]) -> str:
    confirmed = [row for row in rows if row.confirmed]
    words = f"{len(confirmed)} of {plural(len(rows), 'slice')} confirmed"
    return words + (": " + "; ".join(map(_name, confirmed)) if confirmed else "") + "."


def _name(row: SliceRow) -> str:
    return ", ".join(f"{plain(name)} {group_value(value)}" for name, value in row.group.items())


def _figure(result: AuditResult, rows: Sequence[SliceRow], lines: Table) -> Figure:
    metric = rows[0].metric
    u, what = unit(result, metric), metric_title(metric)
    marks = [
        Mark(
            _name(row),
            row.gap,
            row.low,
            row.high,
            count(row.n_subjects),
            f"{_name(row)}: {estimate(row.gap, row.low, row.high, u)}",
            "confirmed" if row.confirmed else "unconfirmed",
        )
        for row in rows
    ]
    spec, height = forest(
        marks, axis="difference to everyone else" + (f", {plain(u)}" if u else ""),
        right="people", reference=0.0, reference_label="no difference",
    )  # fmt: skip
    title = f"{what.capitalize()} of each slice minus that of everyone else"
    caption = f"On the half that did not choose them, with {level_words(result)} intervals."
    worse = _WORSE.get(better(result, metric))
    caption += f" {worse} a slice is served worse." if worse else ""
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
            Cell(_CONFIRMED[row.confirmed]),
            Cell(count(row.n_subjects), row.n_subjects), Cell(count(row.n), row.n),
            Cell(number(row.found, u), row.found),
        ])  # fmt: skip
    columns = (
        "slice", metric_title(rows[0].metric), "difference to everyone else [interval]", "p",
        "p adjusted", "confirmed", "people", "faces", "difference where it was chosen",
    )  # fmt: skip
    caption = "Worst slices, on the half of the persons that did not choose them"
    return table("slices-table", caption, columns, lines, footnotes=marks)

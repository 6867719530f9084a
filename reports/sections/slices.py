"""Worst slices of up to three attributes: found on half of the people, measured on the others."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import SliceRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.figures import Mark, forest
from reports.format import (
    beside,
    capital,
    commas,
    count,
    estimate,
    group_value,
    metric_title,
    number,
    p_value,
    plain,
    plural,
    semicolons,
    sentences,
    unit_name,
)
from reports.language import english, say
from reports.lookup import better, defined_by_age, unit
from reports.words import REGRESSION, level_words, mark_of

_READING = english(
    "The worst of hundreds of groups looks bad by chance. So the slices below were chosen on one "
    "half of the persons, and all that is printed was measured on the other half, except the last "
    "column: the difference that made the choice, which flatters the search. A slice is confirmed "
    "where it is worse on the other half too, with an adjusted p below 0.05. That none is "
    "confirmed does not show that no group is served worse."
)
_WORSE = {
    "lower": english("Right of the dashed line a slice is served worse."),
    "higher": english("Left of the dashed line a slice is served worse."),
}


def build(result: AuditResult) -> Section | None:
    """A figure and a table of the slices, or the sentence why none were searched."""
    if result.spec.slices is None:
        return None
    searched = Prose((say("Searched: {text}.", text=plain(result.spec.slices)),))
    rows = result.slices
    if not rows:
        return Section("slices", say("Worst slices"), (searched,))
    blocks: list[Block] = [Prose((say(_READING), _found(rows)))]
    if any(defined_by_age(result, list(row.group)) for row in rows):
        text = say(REGRESSION)
        words = say("Slices by age: {text}", text=text[:1].lower() + text[1:])
        blocks.append(Prose((words,)))
    drawn = [row for row in rows if row.gap is not None]
    lines = _table(result, rows)
    blocks.append(_figure(result, drawn, lines) if drawn else lines)
    return Section("slices", say("Worst slices"), (*blocks, searched))


def _found(rows: Sequence[SliceRow]) -> str:
    confirmed = [row for row in rows if row.confirmed]
    words = say(
        "{n} of {slices} confirmed",
        n=len(confirmed),
        slices=plural(len(rows), english("{n} slice"), english("{n} slices")),
    )
    if not confirmed:
        return say("{text}.", text=words)
    return say("{name}: {text}.", name=words, text=semicolons(map(_name, confirmed)))


def _name(row: SliceRow) -> str:
    return commas(f"{plain(name)} {group_value(value)}" for name, value in row.group.items())


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
            say("{name}: {text}", name=_name(row), text=estimate(row.gap, row.low, row.high, u)),
            "confirmed" if row.confirmed else "unconfirmed",
        )
        for row in rows
    ]
    spec, height = forest(
        marks, axis=beside(say("difference to everyone else"), unit_name(u)),
        right=say("people"), reference=0.0, reference_label=say("no difference"),
    )  # fmt: skip
    title = say("{metric} of each slice minus that of everyone else", metric=capital(what))
    caption = say(
        "On the half that did not choose them, with {level} intervals.", level=level_words(result)
    )
    worse = _WORSE.get(better(result, metric))
    caption = sentences(caption, say(worse) if worse else "")
    said = semicolons(mark.hover for mark in marks)
    alt = say("{title}. {text}.", title=title, text=said)
    panel = Panel("slices-plot", title, alt, spec, height)
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
            Cell("" if row.confirmed is None else say("yes") if row.confirmed else say("no")),
            Cell(count(row.n_subjects), row.n_subjects), Cell(count(row.n), row.n),
            Cell(number(row.found, u), row.found),
        ])  # fmt: skip
    columns = (
        say("slice"), metric_title(rows[0].metric), say("difference to everyone else [interval]"),
        "p", say("p adjusted"), say("confirmed"), say("people"), say("faces"),
        say("difference where it was chosen"),
    )  # fmt: skip
    caption = say("Worst slices, on the half of the persons that did not choose them")
    return table("slices-table", caption, columns, lines, footnotes=marks)

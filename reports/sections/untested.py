"""What was not computed or not tested, and why: silence is no finding."""

from __future__ import annotations

from collections.abc import Iterable

from audit.result import AuditResult
from audit.rows import AggregateGap, Gap, MetricRow
from reports.blocks import Cell, Prose, Section, table
from reports.format import (
    combination_label,
    count,
    group_label,
    metric_label,
    note_codes,
    note_words,
    semicolons,
    without_margin,
)
from reports.language import english, say

MAX_ROWS = 500
MAX_NAMES = 12

_READING = english(
    "A group that is missing from a comparison is not a group without a gap. This table gathers "
    "by reason every value, interval and difference that does not exist or was not tested; "
    "audit.json has each row."
)


def build(result: AuditResult) -> Section | None:
    """One line for each reason and combination of attributes."""
    values: dict[tuple[str, str, str], dict[str, dict[str, None]]] = {}
    counts: dict[tuple[str, str, str], int] = {}

    def put(what: str, note: str | None, where: str, metric: str, groups: Iterable[str]) -> None:
        key = (note_words(note) or say("no reason given"), what, where)
        found = values.setdefault(key, {"metrics": {}, "groups": {}})
        found["metrics"][metric] = None
        found["groups"].update(dict.fromkeys(groups))
        counts[key] = counts.get(key, 0) + 1

    for row in result.metrics:
        if what := _lacks(row):
            where = combination_label(list(row.group)) or say("everyone")
            name = metric_label(row.metric, row.class_)
            put(what, row.note, where, name, [group_label(row.group)])
    for gap in result.gaps:
        if what := _lacks(gap):
            sides = (getattr(gap, "a", None), getattr(gap, "b", None))
            groups = [group_label(side) for side in sides if side]
            name = metric_label(gap.metric, gap.class_)
            where = combination_label(gap.attributes)
            lacks = say("difference: {what}", what=what)
            put(lacks, without_margin(gap.note), where, name, groups)
    if not values:
        return None
    rows = []
    for key, found in values.items():
        rows.append([
            Cell(key[0], head=True), Cell(key[1]), Cell(key[2]), Cell(_list(found["metrics"])),
            Cell(_list(found["groups"])), Cell(count(counts[key]), counts[key]),
        ])  # fmt: skip
    columns = (
        say("why"), say("what"), say("groups by"), say("metrics"), say("groups"), say("rows"),
    )  # fmt: skip
    cut = len(rows) - MAX_ROWS
    more = say("{n} more lines are in audit.json.", n=count(cut)) if cut > 0 else None
    caption = say("Not computed or not tested")
    lines = table("untested-table", caption, columns, rows[:MAX_ROWS], more=more)
    return Section("untested", say("Not tested"), (Prose((say(_READING),)), lines))


def _lacks(row: MetricRow | Gap) -> str | None:
    """What a row does not have, as its note says."""
    if row.value is None:
        return say("no value")
    if isinstance(row, AggregateGap):  # by their nature without an interval, as their section says
        return None
    if "below_min_n" in note_codes(row.note):
        return say("shown, not tested")
    return say("no interval") if row.note and row.low is None and row.high is None else None


def _list(names: dict[str, None]) -> str:
    shown = list(names)[:MAX_NAMES]
    rest = len(names) - len(shown)
    named = semicolons(shown)
    return say("{some}; and {n} more", some=named, n=rest) if rest else named

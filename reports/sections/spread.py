"""Spread over all groups: one number for many groups, each beside what chance alone would make."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from audit.metrics.one_vs_rest import ONE_VS_REST
from audit.result import AuditResult
from audit.rows import AggregateGap
from reports.blocks import Block, Cell, Column, Heading, Prose, Section, Table, table
from reports.definitions import defined
from reports.format import (
    bracketed,
    combination_label,
    count,
    metric_label,
    note_words,
    number,
    plain,
    semicolons,
    sentences,
    unit_name,
)
from reports.language import english, say
from reports.lookup import chosen_metrics, unit
from reports.sections.fairness import CHANCE
from reports.words import mark_of

MAX_ROWS = 1000
_SINGLE = {
    "sd_between": english("SD between groups"),
    "tau2": english("SD beyond noise"),
    "gini": english("Gini"),
    "gei_between": english("entropy between groups"),
}
_TWO = {"fdr": "FDR", "garbe": "GARBE", "inequity": english("inequity rate")}
_SAID = frozenset({"biased_extreme", "noise_removed", "of_errors"})
_READING = english(
    "Each is one number for how far all groups of at least the tested size lie apart. Chance alone "
    "makes it larger than 0 (FDR: below 1; inequity: above 1), the more so the smaller and the "
    "more numerous the groups, so it stands beside its expectation if all groups had the same "
    "true value. The SD beyond noise has the variance of noise taken off: 0 where no more than "
    "that is left (the record keeps the variance, which may be negative). Shares of which more is "
    "better enter Gini and entropy as error rates."
)

Key = tuple[str, str | None, tuple[str, ...]]


def build(result: AuditResult) -> Section | None:
    """The leading metrics in sight, all others folded, then what the numbers are."""
    rows: dict[Key, dict[str, AggregateGap]] = {}
    for gap in result.gaps:
        if isinstance(gap, AggregateGap):
            key = (gap.metric, gap.class_, tuple(gap.attributes))
            rows.setdefault(key, {})[gap.kind] = gap
    if not rows:
        return None
    lead = chosen_metrics(result)
    two = {key: found for key, found in rows.items() if set(found) & set(_TWO)}
    single = {key: found for key, found in rows.items() if key not in two}
    first = {k: found for k, found in single.items() if k[0] in lead and k[1] is None}
    blocks: list[Block] = [Prose((say(_READING),))]
    if first:
        blocks.append(_table(result, first, _SINGLE, "spread-lead", say("Leading metrics")))
    if two:
        heading = say("False positives and false negatives together")
        blocks += [Heading("spread-two", heading), Prose((_two_words(result),))]
        blocks.append(_table(result, two, _TWO, "spread-two-table", heading, fold=len(two) > 30))
    rest = {key: found for key, found in single.items() if key not in first}
    if rest:
        others = say("All other metrics")
        blocks.append(_table(result, rest, _SINGLE, "spread-rest", others, fold=True))
    if result.spec.aggregates:
        blocks.append(_definitions(result))
    return Section("spread", say("Spread over all groups"), tuple(blocks))


def _two_words(result: AuditResult) -> str:
    if result.task == "expression":
        return say(
            "Of each class against all others: a false positive is a face of another class that "
            "is given the class, a false negative a face of the class that is given another."
        )
    return say(
        "Of each age gate: a false positive is a person under age who passes, a false negative a "
        "person of age who does not."
    )


def _table(
    result: AuditResult,
    rows: Mapping[Key, Mapping[str, AggregateGap]],
    kinds: Mapping[str, str],
    id: str,
    caption: str,
    *,
    fold: bool = False,
) -> Block:
    marks: dict[str, str] = {}
    bare = {k: f for k, f in rows.items() if all(gap.value is None for gap in f.values())}
    rows = {key: found for key, found in rows.items() if key not in bare}
    if not rows:
        words = english("{n} by {names} have no value: {why}.")
        return Prose((say("{name}: {text}", name=caption, text=_without(bare, words)),))
    used = [kind for kind in kinds if any(kind in found for found in rows.values())]
    columns: list[Column] = [Column(say("metric")), Column(say("groups by"))]
    for kind in used:
        columns.append(Column(say(kinds[kind]), numeric=True))
        if kind != "tau2":
            columns.append(Column(say(CHANCE), numeric=True))
        if kind == "gei_between":
            columns.append(Column(say("entropy within groups"), numeric=True))
    lines = []
    for (metric, class_, names), found in list(rows.items())[:MAX_ROWS]:
        cells = [Cell(_name(metric, class_), head=True), Cell(combination_label(names))]
        for kind in used:
            cells += _cells(found.get(kind), kind, unit(result, metric), marks)
        lines.append(cells)
    cut = len(rows) - len(lines)
    more = say("{n} more rows are in audit.json.", n=count(cut)) if cut > 0 else ""
    if bare:
        words = english("{n} more by {names} have no value: {why}.")
        more = sentences(more, _without(bare, words))
    summary = bracketed(caption, count(len(rows))) if fold else None
    return table(
        id, caption, columns, lines, summary=summary, footnotes=marks, more=more or None, gaps=True
    )


def _without(rows: Mapping[Key, Mapping[str, AggregateGap]], words: str) -> str:
    """Which have no value at all, and why: they need no row each."""
    why = dict.fromkeys(note_words(gap.note) for found in rows.values() for gap in found.values())
    names = semicolons(dict.fromkeys(combination_label(names) for *_, names in rows))
    return say(words, n=count(len(rows)), names=names, why=semicolons(filter(None, why)))


def _name(metric: str, class_: str | None) -> str:
    if metric == ONE_VS_REST and class_ is not None:
        return say("{name} against all others", name=plain(class_))
    return metric_label(metric, class_)


def _cells(gap: AggregateGap | None, kind: str, u: str, marks: dict[str, str]) -> list[Cell]:
    if gap is None:
        return [Cell("")] * {"tau2": 1, "gei_between": 3}.get(kind, 2)
    u = u if kind in {"sd_between", "tau2"} else ""
    parts = gap.note.split("; ") if gap.note else []
    note = "; ".join(part for part in parts if part not in _SAID)
    shown = gap.value
    if kind == "tau2" and shown is not None:
        shown = math.sqrt(max(shown, 0.0))
    cells = [Cell(number(shown, u), gap.value, mark_of(note, marks))]
    if kind != "tau2":
        cells.append(Cell(number(gap.null_expected, u), gap.null_expected))
    if kind == "gei_between":
        cells.append(Cell(number(gap.within), gap.within))
    return cells


def _definitions(result: AuditResult) -> Table:
    names = {**_SINGLE, **_TWO}
    lines: Sequence[Sequence[Cell]] = [
        [Cell(say(names[kind]) if kind in names else plain(kind), head=True), Cell(plain(kind)),
         Cell(unit_name(m.unit)), Cell(defined(m.definition)), Cell(plain(say(m.source)))]
        for kind, m in result.spec.aggregates.items()
    ]  # fmt: skip
    columns = (
        say("number"), say("kind in the record"), say("unit"), say("definition"), say("source"),
    )  # fmt: skip
    caption = say("What each number is")
    return table("spread-definitions", caption, columns, lines, summary=caption)

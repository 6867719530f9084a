"""The table of verdicts: for each attribute the largest gap, its verdict, and what stays of it."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import RangeGap
from reports.blocks import Cell, Column, Table, table
from reports.format import (
    EM_DASH,
    beside,
    combination_label,
    commas,
    count,
    estimate,
    faces,
    group_label,
    metric_label,
    metric_title,
    note_words,
    number,
    people,
    plain,
    row_estimate,
    unit_word,
    without_margin,
)
from reports.language import say
from reports.lookup import defined_by_age, headline, metric_row, range_gap, unit
from reports.on_equal_terms import adjusted, oriented
from reports.words import SOURCES, badge, level_words, margin_words, verdict_label

MAX_ROWS = 5
NO_BREAK = "\u00a0"


def verdicts(result: AuditResult) -> Table | None:
    """The leading metric for every attribute, then other metrics that have a verdict.

    None where nothing was compared.
    """
    metric = headline(result)
    leading = [
        (names, range_gap(result, metric or "", names)) for names in result.spec.combinations
    ]
    if metric is None or not leading:
        return None
    rows: list[tuple[list[str], str, RangeGap | None]] = [(n, metric, gap) for n, gap in leading]
    rows.sort(key=lambda row: len(row[0]))  # single attributes first
    others = [
        (gap.attributes, metric_label(gap.metric, gap.class_), gap)
        for gap in result.gaps
        if isinstance(gap, RangeGap)
        and gap.verdict is not None
        and (gap.metric, gap.class_) != (metric, None)
    ]
    others.sort(key=lambda row: row[2].verdict != "gap")
    rows += others
    with_metric = bool(others)
    cells = [
        [
            Cell(combination_label(names), head=True, detail=_assigned(result, names)),
            *([Cell(metric_label(name))] if with_metric else []),
            *_numbers(result, names, gap),
        ]
        for names, name, gap in rows[:MAX_ROWS]
    ]
    shown = say("largest gap [{level}]", level=level_words(result))
    heads: list[str | Column] = [
        say("groups by"), *([say("metric")] if with_metric else []), say("worst"), say("best"),
        Column(shown, numeric=True), say("verdict"), Column(say("on equal terms"), numeric=True),
    ]  # fmt: skip
    cut = len(rows) - MAX_ROWS
    more = say("{n} more rows stand under Differences.", n=count(cut)) if cut > 0 else None
    caption = say("Verdict for each attribute, {metric}", metric=metric_title(metric))
    return table("verdicts", caption, heads, cells, more=more, stack=True)


def _assigned(result: AuditResult, names: list[str]) -> str:
    """Who assigned the labels of one attribute; of several, their own rows say."""
    if len(names) > 1 or names[0] not in result.spec.attributes:
        return ""
    spec = result.spec.attributes[names[0]]
    unknown = say("{faces} unknown", faces=faces(spec.n_unknown)) if spec.n_unknown else ""
    return beside(say("labels: {source}", source=say(SOURCES[spec.source])), unknown)


def _numbers(result: AuditResult, names: list[str], gap: RangeGap | None) -> list[Cell]:
    if gap is None or gap.value is None:
        why = note_words(without_margin(gap.note)) if gap else say("no such row in the record")
        dash, verdict = Cell(EM_DASH), Cell(say("not tested"), detail=why, tone="open")
        return [dash, dash, dash, verdict, dash]
    u = unit(result, gap.metric)
    label, tone = badge(gap)
    debiased = (
        say("debiased {value}", value=number(gap.debiased, u)) if gap.debiased is not None else ""
    )
    margin = (
        say("no margin was stated")
        if gap.margin is None
        else say("margin {margin}", margin=margin_words(gap, u))
    ).replace(" ", NO_BREAK)
    return [
        _side(result, gap, 0),
        _side(result, gap, 1),
        Cell(estimate(gap.value, gap.low, gap.high, u, unit_word(u)), gap.value, detail=debiased),
        Cell(label, tone=tone, detail=margin),
        _terms(result, names, gap),
    ]


def _side(result: AuditResult, gap: RangeGap, place: int) -> Cell:
    group = (gap.a, gap.b)[place]
    if group is None:
        return Cell(EM_DASH)
    row = metric_row(result, gap.metric, group, gap.class_)
    if row is None:
        return Cell(group_label(group))
    who = people(row.n_subjects).replace(" ", NO_BREAK)
    value = row_estimate(row, unit(result, gap.metric))
    extremes = (say("highest"), say("lowest")) if gap.kind == "max_minus_min" else ("", "")
    return Cell(group_label(group), detail=beside(extremes[place], value, who))


def _terms(result: AuditResult, names: list[str], gap: RangeGap) -> Cell:
    """The same gap when both groups are given the same mix."""
    if defined_by_age(result, names):
        return Cell(say("groups of age"), detail=say("partly regression to the mean"))
    row = adjusted(result, gap)
    if row is None:
        return Cell(EM_DASH, detail=say("not adjusted in this record"))
    row = oriented(result, row, gap)
    mix = commas(map(plain, row.adjusts_for))
    terms = (
        say("adjusted for {terms}", terms=mix)
        if row.kind == "adjusted_difference"
        else say("at equal {terms}", terms=mix)
    )
    u = unit(result, gap.metric)
    value = estimate(row.value, row.low, row.high, u, unit_word(u))
    return Cell(value, row.value, detail=beside(verdict_label(row.verdict), terms))

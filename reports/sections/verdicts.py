"""The table of verdicts: for each attribute the largest gap, its verdict, and what stays of it."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import RangeGap
from reports.blocks import Cell, Column, Table, table
from reports.format import (
    EM_DASH,
    combination_label,
    count,
    estimate,
    group_label,
    metric_label,
    metric_title,
    note_words,
    number,
    plain,
    plural,
    row_estimate,
    unit_word,
    without_margin,
)
from reports.lookup import defined_by_age, headline, metric_row, range_gap, unit
from reports.on_equal_terms import adjusted, oriented
from reports.words import BADGES, SOURCES, badge, level_words, margin_words

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
    shown = f"largest gap [{level_words(result)}]"
    heads: list[str | Column] = ["groups by", *(["metric"] if with_metric else []), "worst", "best",
             Column(shown, numeric=True), "verdict",
             Column("on equal terms", numeric=True)]  # fmt: skip
    cut = len(rows) - MAX_ROWS
    more = f"{count(cut)} more rows stand under Differences." if cut > 0 else None
    caption = f"Verdict for each attribute, {metric_title(metric)}"
    return table("verdicts", caption, heads, cells, more=more, stack=True)


def _assigned(result: AuditResult, names: list[str]) -> str:
    """Who assigned the labels of one attribute; of several, their own rows say."""
    if len(names) > 1 or names[0] not in result.spec.attributes:
        return ""
    spec = result.spec.attributes[names[0]]
    unknown = f", {plural(spec.n_unknown, 'face')} unknown" if spec.n_unknown else ""
    return f"labels: {SOURCES[spec.source]}{unknown}"


def _numbers(result: AuditResult, names: list[str], gap: RangeGap | None) -> list[Cell]:
    if gap is None or gap.value is None:
        why = note_words(without_margin(gap.note)) if gap else "no such row in the record"
        dash, verdict = Cell(EM_DASH), Cell("not tested", detail=why, tone="open")
        return [dash, dash, dash, verdict, dash]
    u = unit(result, gap.metric)
    label, tone = badge(gap)
    debiased = f"debiased {number(gap.debiased, u)}" if gap.debiased is not None else ""
    margin = "no margin was stated" if gap.margin is None else f"margin {margin_words(gap, u)}"
    margin = margin.replace(" ", NO_BREAK)
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
    people = plural(row.n_subjects, "person", "people")
    value = row_estimate(row, unit(result, gap.metric))
    extreme = ("highest", "lowest")[place] if gap.kind == "max_minus_min" else ""
    shown = ", ".join(filter(None, (extreme, value, people)))
    return Cell(group_label(group), detail=shown.replace(" p", f"{NO_BREAK}p"))


def _terms(result: AuditResult, names: list[str], gap: RangeGap) -> Cell:
    """The same gap when both groups are given the same mix."""
    if defined_by_age(result, names):
        return Cell("groups of age", detail="partly regression to the mean")
    row = adjusted(result, gap)
    if row is None:
        return Cell(EM_DASH, detail="not adjusted in this record")
    row = oriented(result, row, gap)
    how = "adjusted for" if row.kind == "adjusted_difference" else "at equal"
    terms = f"{how} {', '.join(map(plain, row.adjusts_for))}"
    said = BADGES[row.verdict][0] if row.verdict else ""
    u = unit(result, gap.metric)
    value = estimate(row.value, row.low, row.high, u, unit_word(u))
    return Cell(value, row.value, detail=f"{said}, {terms}" if said else terms)

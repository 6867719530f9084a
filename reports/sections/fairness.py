"""Fairness statistics: how far all groups of an attribute differ, each beside chance alone."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import FairnessRow, Group
from reports.blocks import Block, Cell, Column, Heading, Prose, Section, Table, table
from reports.definitions import defined
from reports.format import (
    beside,
    bracketed,
    combination_label,
    count,
    group_label,
    group_value,
    metric_label,
    number,
    plain,
    plural,
    sentences,
)
from reports.language import english, say
from reports.words import by, mark_of

TITLES = {
    "equal_opportunity": english("recall, widest difference"),
    "equal_opportunity_mean": english("recall, widest difference, mean over classes"),
    "equal_opportunity_max": english("recall, widest difference of any class"),
    "equalized_odds": english("all rates of confusion, widest difference, mean"),
    "overall_disparity": english("recall below the best group's, mean"),
    "demographic_parity": english("share given a class, widest difference"),
    "demographic_parity_mean": english("share given a class, widest difference, mean over classes"),
    "demographic_parity_max": english("share given a class, widest difference of any class"),
    "total_variation_mean": english("distance of predictions between two groups, mean"),
    "total_variation_max": english("distance of predictions between two groups, largest"),
    "accuracy_ratio": english("accuracy of the worst group over that of the best"),
    "nsd": english("unequal size of the groups"),
    "nmi_labels": english("true class tells the group"),
    "nmi_predictions": english("predicted class tells the group"),
    "npmi_labels": english("true class and group occur together (NPMI)"),
    "npmi_predictions": english("predicted class and group occur together (NPMI)"),
}
_READING = english(
    "These statistics have no interval and must be read against the value beside them, the one "
    "expected by chance alone when the groups do not differ. Extremes over groups are never at "
    "parity in a sample: the more and the smaller the groups, the further from it by chance. A "
    "dash in its place: no chance value is computed, the statistic describes these faces."
)
_SAID_ABOVE = ("biased_extreme", "descriptive")
CHANCE = english("by chance alone")


def build(result: AuditResult) -> Section | None:
    """A part for each combination of attributes that has such rows."""
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        rows = [row for row in result.fairness if row.attributes == list(names)]
        if rows:
            blocks += _combination(result, list(names), rows, f"fairness-{i}")
    if not blocks:
        return None
    return Section("fairness", say("Fairness statistics"), (Prose((say(_READING),)), *blocks))


def _combination(
    result: AuditResult, names: list[str], rows: list[FairnessRow], id: str
) -> list[Block]:
    pointwise = [row for row in rows if row.group is not None]
    by_class = [row for row in rows if row.group is None and row.class_ is not None]
    whole = [row for row in rows if row.group is None and row.class_ is None]
    blocks: list[Block] = [Heading(id, by(names))]
    if whole:
        blocks.append(_whole(result, names, whole, f"{id}-table"))
    if by_class:
        blocks.append(_by_class(result, names, by_class, f"{id}-class"))
    for name in dict.fromkeys(row.metric for row in pointwise):
        found = [row for row in pointwise if row.metric == name]
        blocks.append(_pointwise(result, names, found, f"{id}-{len(blocks)}"))
    return blocks


def _whole(result: AuditResult, names: list[str], rows: list[FairnessRow], id: str) -> Table:
    marks: dict[str, str] = {}
    lines = [
        [
            Cell(_title(row.metric), head=True), _value(result, row, marks), _chance(result, row),
            Cell(count(row.n_groups), sort=row.n_groups), Cell(count(row.n), sort=row.n),
            Cell(_definition(result, row.metric)),
        ]
        for row in rows
    ]  # fmt: skip
    caption = say(
        "{names}: how far the groups differ, and how far by chance", names=combination_label(names)
    )
    numbers = [_right(head) for head in (say("value"), say(CHANCE), say("groups"), say("faces"))]
    columns = (Column(say("statistic")), *numbers, Column(say("definition")))
    return table(id, caption, columns, lines, footnotes=marks)


def _by_class(result: AuditResult, names: list[str], rows: list[FairnessRow], id: str) -> Table:
    marks: dict[str, str] = {}
    metrics = list(dict.fromkeys(row.metric for row in rows))
    index = {(row.metric, row.class_): row for row in rows}
    lines = []
    for class_ in dict.fromkeys(row.class_ for row in rows):
        cells = [Cell(plain(class_ or ""), head=True)]
        for metric in metrics:
            row = index.get((metric, class_))
            cells += [_value(result, row, marks), _chance(result, row)]
        lines.append(cells)
    heads = [_right(head) for metric in metrics for head in (plain(metric), say(CHANCE))]
    caption = say(
        "{names}: each class, with the value expected by chance alone beside it",
        names=combination_label(names),
    )
    more = sentences(
        *(say("{name}: {text}.", name=_title(m), text=_definition(result, m)) for m in metrics)
    )
    columns: list[str | Column] = [say("class"), *heads]
    return table(id, caption, columns, lines, summary=caption, footnotes=marks, more=more)


def _pointwise(result: AuditResult, names: list[str], rows: list[FairnessRow], id: str) -> Table:
    marks: dict[str, str] = {}
    metric = rows[0].metric
    classes = list(dict.fromkeys(row.class_ for row in rows))
    index = {(_key(row.group, names), row.class_): row for row in rows}
    lines = [
        [
            *(Cell(group_value(value), head=True) for value in key),
            *(_value(result, index.get((key, class_)), marks) for class_ in classes),
        ]
        for key in dict.fromkeys(key for key, _ in index)
    ]
    columns = [
        *(Column(group_label({"": name})) for name in names),
        *(_right(plain(class_ or "")) for class_ in classes),
    ]
    title = say(TITLES[metric]) if metric in TITLES else plain(metric)
    n_groups = plural(len(lines), english("{n} group"), english("{n} groups"))
    n_classes = plural(len(classes), english("{n} class"), english("{n} classes"))
    caption = say("{name}: {text}", name=combination_label(names), text=title)
    caption = beside(caption, f"{n_groups} × {n_classes}")
    more = say("{name}: {text}.", name=metric_label(metric), text=_definition(result, metric))
    return table(id, caption, columns, lines, summary=caption, footnotes=marks, more=more)


def _key(group: Group | None, names: Sequence[str]) -> tuple[str | None, ...]:
    return tuple((group or {}).get(name) for name in names)


def _value(result: AuditResult, row: FairnessRow | None, marks: dict[str, str]) -> Cell:
    if row is None:
        return Cell("")
    parts = row.note.split("; ") if row.note else []
    note = "; ".join(part for part in parts if part not in _SAID_ABOVE)
    return Cell(number(row.value, _unit(result, row.metric)), row.value, mark_of(note, marks))


def _chance(result: AuditResult, row: FairnessRow | None) -> Cell:
    if row is None:
        return Cell("")
    return Cell(number(row.null_expected, _unit(result, row.metric)), row.null_expected)


def _title(metric: str) -> str:
    words = TITLES.get(metric)
    return plain(metric) if words is None else bracketed(say(words), plain(metric))


def _definition(result: AuditResult, metric: str) -> str:
    spec = result.spec.fairness.get(metric)
    return defined(spec.definition) if spec else ""


def _unit(result: AuditResult, metric: str) -> str:
    spec = result.spec.fairness.get(metric)
    return spec.unit if spec else ""


def _right(name: str) -> Column:
    return Column(name, numeric=True)

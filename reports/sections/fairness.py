"""Fairness statistics: how far all groups of an attribute differ, each beside chance alone."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import FairnessRow, Group
from reports.blocks import Block, Cell, Column, Heading, Prose, Section, Table, table
from reports.format import (
    combination_label,
    count,
    group_label,
    group_value,
    metric_label,
    number,
    plain,
    plural,
)
from reports.words import by, mark_of

TITLES = {
    "equal_opportunity": "recall, widest difference",
    "equal_opportunity_mean": "recall, widest difference, mean over classes",
    "equal_opportunity_max": "recall, widest difference of any class",
    "equalized_odds": "all rates of confusion, widest difference, mean",
    "overall_disparity": "recall below the best group's, mean",
    "demographic_parity": "share given a class, widest difference",
    "demographic_parity_mean": "share given a class, widest difference, mean over classes",
    "demographic_parity_max": "share given a class, widest difference of any class",
    "total_variation_mean": "distance of predictions between two groups, mean",
    "total_variation_max": "distance of predictions between two groups, largest",
    "accuracy_ratio": "accuracy of the worst group over that of the best",
    "nsd": "unequal size of the groups",
    "nmi_labels": "true class tells the group",
    "nmi_predictions": "predicted class tells the group",
    "npmi_labels": "true class and group occur together (NPMI)",
    "npmi_predictions": "predicted class and group occur together (NPMI)",
}
_READING = (
    "These statistics have no interval and must be read against the value beside them, the one "
    "expected by chance alone when the groups do not differ. Extremes over groups are never at "
    "parity in a sample: the more and the smaller the groups, the further from it by chance. A "
    "dash in its place: no chance value is computed, the statistic describes these faces."
)
_SAID_ABOVE = ("biased_extreme", "descriptive")
CHANCE = "by chance alone"


def build(result: AuditResult) -> Section | None:
    """A part for each combination of attributes that has such rows."""
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        rows = [row for row in result.fairness if row.attributes == list(names)]
        if rows:
            blocks += _combination(result, list(names), rows, f"fairness-{i}")
    if not blocks:
        return None
    return Section("fairness", "Fairness statistics", (Prose((_READING,)), *blocks))


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
    caption = f"{combination_label(names)}: how far the groups differ, and how far by chance"
    numbers = [_right(head) for head in ("value", CHANCE, "groups", "faces")]
    columns = (Column("statistic"), *numbers, Column("definition"))
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
    heads = [_right(head) for metric in metrics for head in (plain(metric), CHANCE)]
    caption = f"{combination_label(names)}: each class, with the value expected {CHANCE} beside it"
    more = " ".join(f"{_title(m)}: {_definition(result, m)}." for m in metrics)
    return table(id, caption, ("class", *heads), lines, summary=caption, footnotes=marks, more=more)


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
    caption = f"{combination_label(names)}: {TITLES.get(metric, plain(metric))}"
    caption += f", {plural(len(lines), 'group')} × {plural(len(classes), 'class', 'classes')}"
    more = f"{metric_label(metric)}: {_definition(result, metric)}."
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
    return plain(metric) if words is None else f"{words} ({plain(metric)})"


def _definition(result: AuditResult, metric: str) -> str:
    spec = result.spec.fairness.get(metric)
    return plain(spec.definition) if spec else ""


def _unit(result: AuditResult, metric: str) -> str:
    spec = result.spec.fairness.get(metric)
    return spec.unit if spec else ""


def _right(name: str) -> Column:
    return Column(name, numeric=True)

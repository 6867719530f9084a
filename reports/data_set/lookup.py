"""Finding rows in the record of a data set. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import FairnessRow, MetricRow
from reports.format import (
    EM_DASH,
    beside,
    estimate,
    faces,
    group_label,
    note_words,
    number,
    p_value,
    row_estimate,
)
from reports.language import english, say

CHANCE = english("by chance alone")
LABELS = {"expression": english("expression"), "age": english("age")}


def rows_of(
    result: AuditResult, metric: str, names: Sequence[str] | None = None
) -> list[MetricRow]:
    """The rows of one metric, by one combination of attributes if it is named."""
    return [
        row
        for row in result.metrics
        if row.metric == metric and (names is None or [*row.group] == [*names])
    ]


def everyone(result: AuditResult, metric: str) -> MetricRow | None:
    """The row of a metric that is of all faces."""
    return next(iter(rows_of(result, metric, [])), None)


def statistics(result: AuditResult, metric: str, names: Sequence[str]) -> list[FairnessRow]:
    """The rows of one statistic over the groups of one combination."""
    return [r for r in result.fairness if r.metric == metric and r.attributes == [*names]]


def statistic(result: AuditResult, metric: str, names: Sequence[str]) -> FairnessRow | None:
    """The statistic over all groups of one combination."""
    return next(iter(statistics(result, metric, names)), None)


def labels_of(result: AuditResult) -> list[str]:
    """The labels that were set beside groups."""
    found = {row.metric for row in result.fairness}
    return [name for name in LABELS if f"nmi_{name}" in found]


def label_word(label: str) -> str:
    """A label of the data set as a word."""
    return say(LABELS[label])


def share_of(row: MetricRow, times: str = "") -> str:
    """The value of a row with its interval."""
    return estimate(row.value, row.low, row.high, "share", times)


def beside_chance(row: FairnessRow | None) -> str:
    """A statistic beside its value by chance, with its test; or the reason why it has none."""
    if row is None:
        return EM_DASH
    if row.value is None:
        return f"{EM_DASH} {note_words(row.note)}"
    by_chance = say("by chance {n}", n=number(row.null_expected))
    return beside(
        number(row.value),
        by_chance if row.null_expected is not None else "",
        f"p {p_value(row.p)}" if row.p is not None else "",
    )


def share_hover(row: MetricRow) -> str:
    """The share of a group, and of how many faces it is."""
    return say(
        "{group}: {share}, {faces}",
        group=group_label(row.group), share=row_estimate(row, "share"), faces=faces(row.n),
    )  # fmt: skip


def first_groups(drawn: int, groups: int) -> str:
    """That a figure has not all groups."""
    return say("The first {n} of {all} groups are drawn; the table has all.", n=drawn, all=groups)


def notes_in(row: FairnessRow) -> list[str]:
    """The notes of a row, each with its details."""
    return row.note.split("; ") if row.note else []


def extremes(rows: Sequence[MetricRow]) -> tuple[MetricRow, MetricRow] | None:
    """The rows with the least and the largest value."""
    valued = [(row.value, i) for i, row in enumerate(rows) if row.value is not None]
    if not valued:
        return None
    return rows[min(valued)[1]], rows[max(valued)[1]]

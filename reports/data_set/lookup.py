"""Finding rows in the record of a data set. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import FairnessRow, MetricRow
from reports.format import EM_DASH, estimate, note_words, number, p_value

CHANCE = "by chance alone"
LABELS = ("expression", "age")


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


def share_of(row: MetricRow, times: str = "") -> str:
    """The value of a row with its interval."""
    return estimate(row.value, row.low, row.high, "share", times)


def beside_chance(row: FairnessRow | None) -> str:
    """A statistic beside its value by chance, with its test; or the reason why it has none."""
    if row is None:
        return EM_DASH
    if row.value is None:
        return f"{EM_DASH} {note_words(row.note)}"
    chance = f", by chance {number(row.null_expected)}" if row.null_expected is not None else ""
    p = f", p {p_value(row.p)}" if row.p is not None else ""
    return f"{number(row.value)}{chance}{p}"


def notes_in(row: FairnessRow) -> list[str]:
    """The notes of a row, each with its details."""
    return row.note.split("; ") if row.note else []


def extremes(rows: Sequence[MetricRow]) -> tuple[MetricRow, MetricRow] | None:
    """The rows with the least and the largest value."""
    valued = [(row.value, i) for i, row in enumerate(rows) if row.value is not None]
    if not valued:
        return None
    return rows[min(valued)[1]], rows[max(valued)[1]]

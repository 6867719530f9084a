"""One row as a mark of a forest plot."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.figures import Mark, Role
from reports.format import count, group_label, plural, row_estimate
from reports.lookup import is_small


def row_mark(result: AuditResult, row: MetricRow, u: str, *, people: bool = False) -> Mark:
    """The value and interval of a group, beside it its faces, and its people where asked."""
    label = group_label(row.group)
    hover = f"{label}: {row_estimate(row, u)}, {plural(row.n, 'face')}"
    right = f"{count(row.n)} / {count(row.n_subjects)}" if people else count(row.n)
    role: Role = "small" if is_small(result, row) else "plain"
    return Mark(label, row.value, row.low, row.high, right, hover, role)

"""One row as a mark of a forest plot."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.figures import Mark, Role
from reports.format import beside, count, faces, group_label, row_estimate
from reports.language import say
from reports.lookup import is_small
from reports.words import level_words


def cut_words(n: int, drawn: int) -> str:
    """That not all of ``n`` groups are drawn, or nothing."""
    if n <= drawn:
        return ""
    return say("The first {n} of {all} groups are drawn; the table has all.", n=drawn, all=n)


def bars_words(result: AuditResult) -> str:
    """What the bars of a figure are."""
    return say("Bars are {level} intervals.", level=level_words(result))


def panels_words(n: int, drawn: int) -> str:
    """That not all of ``n`` groups have a panel, or nothing."""
    if n <= drawn:
        return ""
    return say("The first {n} of {all} groups are drawn.", n=drawn, all=n)


def hollow_words(result: AuditResult, marks: Sequence[Mark]) -> str:
    """What hollow marks are, where there are any."""
    if not any(mark.role == "small" for mark in marks):
        return ""
    n = result.spec.min_n
    return say("Hollow: fewer than {n} persons, shown but not tested.", n=n)


def row_mark(result: AuditResult, row: MetricRow, u: str, *, people: bool = False) -> Mark:
    """The value and interval of a group, beside it its faces, and its people where asked."""
    label = group_label(row.group)
    hover = say("{name}: {text}", name=label, text=beside(row_estimate(row, u), faces(row.n)))
    right = f"{count(row.n)} / {count(row.n_subjects)}" if people else count(row.n)
    role: Role = "small" if is_small(result, row) else "plain"
    return Mark(label, row.value, row.low, row.high, right, hover, role)

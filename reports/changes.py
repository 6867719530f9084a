"""A diff between two records, a change a line."""

from __future__ import annotations

from collections.abc import Iterator

from audit.changes import AuditDiff, ChangedGap, ChangedMetric
from reports.format import combination_label, group_label, metric_label, number, plain

_MOST = 20


def lines(diff: AuditDiff) -> Iterator[str]:
    """What the diff says: verdicts and presence in full, of the rest the largest changes."""
    if diff.same:
        yield "the records say the same"
        return
    for gap in diff.verdicts:
        yield f"verdict  {_gap(gap)}: {gap.verdict_old or 'none'} -> {gap.verdict_new or 'none'}"
    for row in diff.presence:
        detail = f" ({plain(row.detail)})" if row.detail else ""
        verb = "appeared" if row.only_in == "new" else "vanished"
        yield f"{verb}  {row.what} {plain(row.name)}{detail}"
    for setting in diff.settings:
        values = " -> ".join(plain(str(value)) for value in (setting.old, setting.new))
        yield f"setting  {plain(setting.name)}: {values}"
    metrics = sorted(diff.metrics, key=_size)
    yield from _shown([f"metric   {_metric(row)}" for row in metrics], "metrics")
    gaps = sorted(diff.gaps, key=_size)
    yield from _shown([f"gap      {_gap(row)}: {_numbers(row)}" for row in gaps], "gaps")
    for table in diff.tables:
        yield f"table    {table} differ"
    yield diff.reading


def _size(row: ChangedMetric | ChangedGap) -> float:
    return -abs(row.change or 0.0)


def _shown(found: list[str], what: str) -> Iterator[str]:
    yield from found[:_MOST]
    if len(found) > _MOST:
        yield f"         {len(found) - _MOST} more {what} changed; --json lists them"


def _metric(row: ChangedMetric) -> str:
    name = f"{metric_label(row.metric, row.class_)}, {group_label(row.group)}"
    overlap = {True: "intervals overlap", False: "intervals apart", None: "no intervals"}
    return f"{name}: {_numbers(row)} ({overlap[row.intervals_overlap]})"


def _gap(row: ChangedGap) -> str:
    sides = " against ".join(group_label(side) for side in (row.a, row.b) if side is not None)
    by = combination_label(row.attributes)
    return f"{metric_label(row.metric, row.class_)} by {by}, {row.kind} {sides}".rstrip()


def _numbers(row: ChangedMetric | ChangedGap) -> str:
    return f"{number(row.old)} -> {number(row.new)}"

"""What changed between two records: a list to read and to keep, not a test."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Set
from typing import Any, Literal, TypeVar

from audit.changes import AuditDiff, ChangedGap, ChangedMetric, ChangedSetting, Presence
from audit.errors import InputError
from audit.result import AuditResult
from audit.rows import AdjustedGap, Gap, Group, MetricRow, RangeGap

Row = TypeVar("Row")
Pairs = list[tuple[Row, Row]]
_NUMBERS = ("value", "low", "high", "low_90", "high_90", "method", "note")
_TABLES: tuple[Literal["fairness", "slices", "curves"], ...] = ("fairness", "slices", "curves")


def diff(old: AuditResult, new: AuditResult) -> AuditDiff:
    """List what differs between two records of one task, in the order of the newer one.

    A largest gap is the same gap whoever is worst. Rows of a group or a metric that only one record
    has are not listed one by one.

    Raises
    ------
    InputError
        The tasks differ.
    """
    if old.task != new.task:
        raise InputError(
            f"diff: the older record's task is {old.task}, the newer one's {new.task}; "
            "give two records of one task"
        )
    metrics, old_metrics, new_metrics = _matched(old.metrics, new.metrics, _metric_key)
    gaps, old_gaps, new_gaps = _matched(old.gaps, new.gaps, _gap_key)
    changed = [_gap(a, b) for a, b in gaps if _gap_changed(a, b)]
    moved = [_metric(a, b) for a, b in metrics if _metric_changed(a, b)]
    turned = [row for row in changed if row.verdict_old != row.verdict_new]
    presence = [
        *_presence(old, new),
        *_lone_rows(old, new, new_metrics, new_gaps, "new"),
        *_lone_rows(old, new, old_metrics, old_gaps, "old"),
    ]
    settings = [*_settings(old, new)]
    tables = [name for name in _TABLES if getattr(old, name) != getattr(new, name)]
    return AuditDiff(
        task=new.task,
        old=old.run.model,
        new=new.run.model,
        same=not (moved or changed or presence or settings or tables),
        verdicts=turned,
        metrics=moved,
        gaps=[row for row in changed if row.verdict_old == row.verdict_new],
        presence=presence,
        settings=settings,
        tables=tables,
        unchanged={"metrics": len(metrics) - len(moved), "gaps": len(gaps) - len(changed)},
    )


def _matched(
    old: Iterable[Row], new: Iterable[Row], key: Callable[[Row], Hashable]
) -> tuple[Pairs[Row], list[Row], list[Row]]:
    """Rows that both have, in the order of the newer ones, and those that only one side has."""
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    both = [(before[name], row) for name, row in after.items() if name in before]
    return (
        both,
        [row for name, row in before.items() if name not in after],
        [row for name, row in after.items() if name not in before],
    )


def _side(group: Group | None) -> Hashable:
    return None if group is None else tuple(sorted(group.items(), key=str))


def _metric_key(row: MetricRow) -> Hashable:
    return row.metric, row.class_, _side(row.group)


def _gap_key(row: Gap) -> Hashable:
    fixed = not isinstance(row, RangeGap)
    sides = [_side(getattr(row, side, None)) if fixed else None for side in ("a", "b")]
    mix = (row.reference, *row.adjusts_for) if isinstance(row, AdjustedGap) else ()
    return row.metric, row.class_, tuple(sorted(row.attributes)), row.kind, *sides, *mix


def _metric_changed(a: MetricRow, b: MetricRow) -> bool:
    counts = ("n", "n_subjects", "n_failed", "n_unlabelled")
    return any(getattr(a, name) != getattr(b, name) for name in (*_NUMBERS, *counts))


def _gap_changed(a: Gap, b: Gap) -> bool:
    names = (*_NUMBERS, "low_adjusted", "high_adjusted", "verdict", "margin", "a", "b")
    return any(getattr(a, name, None) != getattr(b, name, None) for name in names)


def _metric(a: MetricRow, b: MetricRow) -> ChangedMetric:
    return ChangedMetric(
        metric=b.metric, class_=b.class_, group=b.group, old=a.value, new=b.value,
        change=_less(b.value, a.value), intervals_overlap=_overlap(a, b), n_old=a.n, n_new=b.n,
        note_old=a.note, note_new=b.note,
    )  # fmt: skip


def _gap(a: Gap, b: Gap) -> ChangedGap:
    sides = {side: getattr(b, side, None) for side in ("a", "b")}
    others = isinstance(b, RangeGap) and any(getattr(a, side) != sides[side] for side in sides)
    was = {f"{side}_old": getattr(a, side) for side in sides} if others else {}
    return ChangedGap(
        metric=b.metric, class_=b.class_, attributes=b.attributes, kind=b.kind, old=a.value,
        new=b.value, change=_less(b.value, a.value), verdict_old=a.verdict, verdict_new=b.verdict,
        margin_old=a.margin, margin_new=b.margin, **sides, **was,
    )  # fmt: skip


def _less(new: float | None, old: float | None) -> float | None:
    return None if new is None or old is None else new - old


def _overlap(a: MetricRow, b: MetricRow) -> bool | None:
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return None
    return a.low <= b.high and b.low <= a.high


def _presence(old: AuditResult, new: AuditResult) -> Iterator[Presence]:
    """Metrics, groups, warnings and files that only one record has."""
    kinds: dict[Literal["metric", "group", "warning", "file"], Callable[[AuditResult], Any]] = {
        "metric": lambda result: dict.fromkeys(result.spec.metrics),
        "group": lambda result: {label(row.group): None for row in result.metrics},
        "warning": lambda result: {
            f"{row.code}{f' ({row.where})' if row.where else ''}: {row.message}": None
            for row in result.warnings
        },
        "file": lambda result: {file.name: file.sha256 for file in result.run.files},
    }
    for what, names_of in kinds.items():
        before, after = names_of(old), names_of(new)
        for side, here, there in (("new", after, before), ("old", before, after)):
            for name, detail in here.items():
                if name not in there:
                    yield Presence(what=what, only_in=side, name=name, detail=detail)


def _lone_rows(
    old: AuditResult,
    new: AuditResult,
    metrics: Iterable[MetricRow],
    gaps: Iterable[Gap],
    side: Literal["old", "new"],
) -> Iterator[Presence]:
    """Rows that one record has although both have its metric and its groups."""
    groups = {label(row.group) for row in old.metrics} & {label(row.group) for row in new.metrics}
    both = old.spec.metrics.keys() & new.spec.metrics.keys()
    for row in metrics:
        if row.metric in both and label(row.group) in groups:
            detail = f"{_named(row)}, {label(row.group)}"
            yield Presence(what="metric", only_in=side, name=row.metric, detail=detail)
    for gap in gaps:
        sides = [getattr(gap, name, None) for name in ("a", "b")]
        known = all(label(group) in groups for group in sides if group is not None)
        if gap.metric in both and known:
            told = " against ".join(label(group) for group in sides if group is not None)
            by = ",".join(gap.attributes)
            detail = ", ".join(filter(None, (f"{_named(gap)} by {by}", gap.kind, told)))
            yield Presence(what="gap", only_in=side, name=gap.metric, detail=detail)


def label(group: Group) -> str:
    """A group in words that tell an unknown value from one that is called so."""
    parts = [f"{name}={'?' if text is None else repr(text)}" for name, text in group.items()]
    return ", ".join(parts) or "everyone"


def _named(row: MetricRow | Gap) -> str:
    return row.metric if row.class_ is None else f"{row.metric}[{row.class_}]"


def _settings(old: AuditResult, new: AuditResult) -> Iterator[ChangedSetting]:
    """Facts of the run and settings of the spec that differ, and files of another content."""
    metrics = old.spec.metrics.keys() & new.spec.metrics.keys()
    before, after = _facts(old, metrics), _facts(new, metrics)
    for name in dict.fromkeys([*after, *before]):
        if before.get(name) != after.get(name):
            yield ChangedSetting(name=name, old=before.get(name), new=after.get(name))
    files = [{file.name: file.sha256 for file in result.run.files} for result in (old, new)]
    for name in files[1]:
        if name in files[0] and files[0][name] != files[1][name]:
            yield ChangedSetting(name=f"run.files.{name}", old=files[0][name], new=files[1][name])


def _facts(result: AuditResult, metrics: Set[str]) -> dict[str, Any]:
    run = result.run.model_dump(mode="json", exclude={"files"})
    spec = result.spec.model_dump(mode="json")
    spec["metrics"] = {name: spec["metrics"][name] for name in spec["metrics"] if name in metrics}
    return dict(_flat({"run": run, "spec": spec}))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value

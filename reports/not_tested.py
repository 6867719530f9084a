"""What the leading metric could not test, in a line for each reason: for the first screen."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.format import (
    beside,
    combination_label,
    commas,
    count,
    group_label,
    metric_title,
    note_words,
    people,
    persons,
    semicolons,
    without_margin,
)
from reports.language import say
from reports.lookup import headline, is_small, range_gap

MAX_NAMES = 3


def not_tested(result: AuditResult) -> tuple[str, ...]:
    """Groups without a test, attributes without a comparison, and metrics without a value."""
    metric = headline(result)
    return (*_groups(result, metric), *_attributes(result, metric), *_metrics(result))


def _groups(result: AuditResult, metric: str | None) -> list[str]:
    found: dict[tuple[str, str], list[MetricRow]] = {}
    totals: dict[str, int] = {}
    for row in result.metrics:
        if row.metric != metric or row.class_ is not None or not row.group:
            continue
        if None in row.group.values():
            continue  # unknown is no group: the sources of the labels count it
        where = combination_label(list(row.group))
        totals[where] = totals.get(where, 0) + 1
        if row.value is None:
            found.setdefault((where, note_words(row.note) or say("no value")), []).append(row)
        elif is_small(result, row):
            few = say(
                "fewer than {people}, shown but not tested", people=persons(result.spec.min_n)
            )
            found.setdefault((where, few), []).append(row)
    return [
        say(
            "{n} of {all} groups by {names}: {why} ({groups}).",
            n=len(rows), all=totals[where], names=where, why=why, groups=_named(rows),
        )
        for (where, why), rows in found.items()
    ]  # fmt: skip


def _named(rows: list[MetricRow]) -> str:
    names = [beside(group_label(row.group), people(row.n_subjects)) for row in rows[:MAX_NAMES]]
    rest = len(rows) - MAX_NAMES
    named = semicolons(names)
    return say("{some}; and {n} more", some=named, n=count(rest)) if rest > 0 else named


def _attributes(result: AuditResult, metric: str | None) -> list[str]:
    said = []
    for names in result.spec.combinations:
        gap = range_gap(result, metric, names) if metric else None
        if gap is None or gap.value is None:
            why = note_words(without_margin(gap.note)) if gap else say("no such row in the record")
            said.append(
                say(
                    "By {names}: no comparison, {why}.",
                    names=combination_label(names), why=why or say("no reason given"),
                )
            )  # fmt: skip
    return said


def _metrics(result: AuditResult) -> list[str]:
    """Metrics that have no value even for everyone, by their reason."""
    found: dict[str, dict[str, None]] = {}
    for row in result.metrics:
        if not row.group and row.value is None:
            why = note_words(row.note) or say("no reason given")
            found.setdefault(why, {})[metric_title(row.metric)] = None
    said = []
    for why, metrics in found.items():
        names = list(metrics)
        rest = len(names) - MAX_NAMES
        named = commas(names[:MAX_NAMES])
        if rest > 0:
            named = say("{some} and {n} more", some=named, n=count(rest))
        said.append(say("{name}: {text}.", name=named, text=why))
    return said

"""The short answer of an audit, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.result import AuditResult
from audit.rows import Group, RangeGap
from hae.cli.summary import overall, worst_and_best
from reports.format import (
    EVERYONE,
    METRIC_TITLES,
    count,
    estimate,
    faces,
    note_words,
    number,
    people,
    row_estimate,
    unit_word,
)
from reports.lookup import headline, metric_row, unit
from reports.sections.challenge import SIDES, target_words

MARKS = {"serious": "[bold]serious[/]", "warning": "warning", "info": "note"}
"""Severities, the worst first, and what stands before their messages."""


def print_summary(result: AuditResult, out: Path) -> None:
    """Print who did worst and best on the headline metric, what to beware of, and the report."""
    console = Console(highlight=False)
    console.print(f"[bold]{escape(_title(result))}[/]")
    console.print(escape(_overall(result)))
    gaps = worst_and_best(result)
    if gaps:
        console.print(_table(result, gaps))
    for line in _gates(result):
        console.print(escape(line))
    order = list(MARKS)
    for warning in sorted(result.warnings, key=lambda found: order.index(found.severity)):
        where = f" ({warning.where})" if warning.where else ""
        console.print(f"{MARKS[warning.severity]}: {escape(warning.message + where)}")
    console.print(f"report: {out / 'report.html'}", markup=False, soft_wrap=True)


def _title(result: AuditResult) -> str:
    data = f" on {result.run.data}" if result.run.data else ""
    return f"{result.task}: {result.run.model}{data}"


def _overall(result: AuditResult) -> str:
    row = overall(result)
    if row is None:
        return "no metric has a value; see the notes in the report"
    measure = unit(result, row.metric)
    value = estimate(row.value, row.low, row.high, measure, unit_word(measure))
    who = faces(row.n)
    if result.spec.unit_of_resampling == "person":
        who += f" of {people(row.n_subjects)}"
    failed = f"{row.n_failed:,} failed" if row.n_failed else "none failed"
    counts = [who, failed]
    if row.n_unlabelled:
        counts.append(f"{row.n_unlabelled:,} without truth")
    title = METRIC_TITLES.get(row.metric, row.metric)
    level = f"{100 * result.spec.level:g} % interval"
    return f"{title}: {value} ({level}); {', '.join(counts)}"


def _table(result: AuditResult, gaps: list[RangeGap]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    stated = dict.fromkeys(
        f"verdict at ±{number(gap.margin, unit(result, gap.metric))}"
        for gap in gaps
        if gap.verdict is not None and gap.margin is not None
    )
    last = ["difference [95 %]", *stated]
    for name in ("by", "worst", "best", "\n".join(last)):
        table.add_column(name, overflow="fold")
    for gap in gaps:
        by = escape(" x ".join(gap.attributes))
        if gap.value is None or gap.a is None or gap.b is None:
            table.add_row(by, "", "", escape(note_words(gap.note) or "not tested"))
            continue
        measure = unit(result, gap.metric)
        difference = estimate(gap.value, gap.low, gap.high, measure)
        if gap.verdict is not None:
            difference += f"\n{gap.verdict}"
        table.add_row(by, _group(result, gap.a), _group(result, gap.b), difference)
    return table


def _gates(result: AuditResult) -> Iterator[str]:
    """Both errors of every age gate, and the challenge age that keeps to the target."""
    for gate in result.spec.gates:
        found = [(side, metric_row(result, name, {}, gate)) for name, side in SIDES]
        shown = [
            f"{side} {row_estimate(row, '')} (n {count(row.n)})"
            if row.value is not None
            else f"{side} not known: {note_words(row.note)}"
            for side, row in found
            if row is not None
        ]
        yield f"gate {gate}: {'; '.join(shown)}"
    for legal in dict.fromkeys(gate.split(":")[0] for gate in result.spec.gates):
        if metric_row(result, "challenge_age_every_group", {}, legal) is not None:
            yield f"legal age {legal}: {target_words(result, legal)}"


def _group(result: AuditResult, group: Group) -> str:
    metric = headline(result)
    row = metric_row(result, metric, group) if metric else None
    name = ", ".join(value or "unknown" for value in group.values()) or EVERYONE
    if row is None:
        return escape(name)
    return escape(f"{name} {number(row.value, unit(result, row.metric))} (n {count(row.n)})")

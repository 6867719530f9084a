"""Age gates: who passes too young, who is stopped although of age, and from which age on."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import Group, MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.definitions import defined
from reports.figures import forest, lines
from reports.format import (
    bracketed,
    capital,
    count,
    group_value,
    plain,
    row_estimate,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.lookup import groups_in_order, metric_row, unit
from reports.sections import challenge
from reports.sections.challenge import SIDES
from reports.sections.curves import banded, curves_of, points_table
from reports.sections.marks import cut_words, row_mark
from reports.words import by, level_words, mark_of

MAX_MARKS = 30
NEAR = 15
"""Errors by single year are drawn so many years around the legal age; the table has all."""
_READING = english(
    "A gate lets a person pass whose estimate is at least the challenge age: 18:25 is a legal age "
    "of 18 and a challenge age of 25. Too young and passed: the share of people under the legal "
    "age who pass. Of age and stopped: the share of people of legal age who do not pass, and are "
    "asked for a document. A face that was not processed does not pass. People whose age band lies "
    "across the legal age are left out."
)
_MORE = (
    ("gate_severity", english("years too young, mean of those who pass")),
    ("gate_far_share", english("share of those who pass over 3 years too young")),
    ("gate_fpr_processed", english("too young and passed, processed faces")),
    ("gate_fnr_processed", english("of age and stopped, processed faces")),
)
_FIXED = (
    "teen_tpr", "teen_under", "teen_over", "teen_fpr_below", "teen_fpr_above", "teen_mae",
    "nist_mae_26", "nist_fpr_12",
)  # fmt: skip


def build(result: AuditResult) -> Section | None:
    """Every gate with its groups, then the challenge age of every legal age.

    Gates without any value have the reasons only.
    """
    gates = result.spec.gates
    if not gates:
        return None
    blocks: list[Block] = [Prose((say(_READING),)), _everyone(result)]
    rates = [row for row in result.metrics if row.metric in dict(SIDES)]
    if all(row.value is None for row in rates):
        return Section("gates", say("Age gates"), tuple(blocks))
    for gate in gates:
        id = f"gate-{gate}".replace(":", "-").replace(".", "_")
        legal, challenge_age = gate.split(":")
        title = say(
            "Gate {gate}: legal age {legal}, passing from an estimate of {challenge} years",
            gate=gate, legal=legal, challenge=challenge_age,
        )  # fmt: skip
        blocks.append(Heading(id, title))
        for i, names in enumerate(result.spec.combinations):
            blocks += _groups(result, gate, list(names), f"{id}-{i}")
        blocks += _by_year(result, gate, id)
    for legal in dict.fromkeys(gate.split(":")[0] for gate in gates):
        blocks += challenge.blocks_of(result, legal)
    return Section("gates", say("Age gates"), (*blocks, *_fixed(result)))


def _everyone(result: AuditResult) -> Table:
    """All gates, one a row."""
    valued = {row.metric for row in result.metrics if row.value is not None}
    marks: dict[str, str] = {}
    lines_ = []
    more = [pair for pair in _MORE if pair[0] in valued]
    for gate in result.spec.gates:
        cells = [Cell(plain(gate), head=True)]
        for metric, _ in (*SIDES, *more):
            row = metric_row(result, metric, {}, gate)
            cells.append(_value(row, unit(result, metric), marks))
            if metric in dict(SIDES):
                cells.append(_n(row.n if row else None))
        lines_.append(cells)
    heads = [head for _, side in SIDES for head in (say(side), say("of faces"))]
    columns: list[str | Column] = [
        say("gate"),
        *(Column(head, numeric=True) for head in (*heads, *(say(h) for _, h in more))),
    ]
    return table("gates-everyone", say("Everyone"), columns, lines_, footnotes=marks)


def _groups(result: AuditResult, gate: str, names: list[str], id: str) -> list[Block]:
    """Both rates of the groups of one attribute; where attributes meet, as a table."""
    groups = [
        group
        for group in groups_in_order(result, names, "gate_fpr", gate)
        if any((row := metric_row(result, m, group, gate)) and row.n != 0 for m, _ in SIDES)
    ]
    if not groups:
        return []
    title = say("Gate {gate} {by}", gate=plain(gate), by=by(names))
    drawn = len(names) == 1 and "age" not in names
    found = _table(result, gate, names, groups, f"{id}-table", title, fold=not drawn)
    if not drawn:
        return [found]
    panels = []
    hollow = False
    for metric, side in SIDES:
        rows = [metric_row(result, metric, group, gate) for group in groups[:MAX_MARKS]]
        marks = [row_mark(result, row, unit(result, metric)) for row in rows if row is not None]
        hollow |= any(mark.role == "small" and mark.value is not None for mark in marks)
        whole = metric_row(result, metric, {}, gate)
        spec, height = forest(
            marks, axis=say("share {side}", side=say(side)), right=say("faces"),
            reference=whole.value if whole else None, reference_label=say("everyone"),
        )  # fmt: skip
        said = semicolons(mark.hover for mark in marks[:12])
        alt = say("{title}, {side}. {text}.", title=title, side=say(side), text=said)
        panels.append(Panel(f"{id}-{metric[5:]}", capital(say(side)), alt, spec, height))
    caption = sentences(
        say("Shares with {level} intervals.", level=level_words(result)),
        say("Hollow: fewer than {n} persons, not tested.", n=result.spec.min_n) if hollow else "",
        cut_words(len(groups), MAX_MARKS),
    )
    return [Figure(f"{id}-figure", title, caption, tuple(panels), found, "half")]


def _table(
    result: AuditResult,
    gate: str,
    names: list[str],
    groups: list[Group],
    id: str,
    title: str,
    *,
    fold: bool,
) -> Table:
    marks: dict[str, str] = {}
    rows = []
    for group in groups:
        cells = [Cell(group_value(group[name]), head=True) for name in names]
        for metric, _ in SIDES:
            row = metric_row(result, metric, group, gate)
            cells.append(_value(row, unit(result, metric), marks))
            cells += [_n(row.n if row else None), _n(row.n_subjects if row else None)]
        rows.append(cells)
    heads = [head for _, side in SIDES for head in (say(side), say("of faces"), say("of people"))]
    columns = [*(Column(plain(n)) for n in names), *(Column(h, numeric=True) for h in heads)]
    summary = bracketed(title, say("{n} groups", n=count(len(rows)))) if fold else None
    return table(id, title, columns, rows, summary=summary, footnotes=marks)


def _value(row: MetricRow | None, u: str, marks: dict[str, str]) -> Cell:
    if row is None:
        return Cell("")
    return Cell(row_estimate(row, u), row.value, mark_of(row.note, marks))


def _n(n: int | None) -> Cell:
    return Cell("" if n is None else count(n), n)


def _by_year(result: AuditResult, gate: str, id: str) -> list[Block]:
    """Both errors of everyone along the true age."""
    found = {
        side: curve
        for metric, side in reversed(SIDES)
        for curve in curves_of(result, f"{metric}_by_year", gate).get((), [])
    }
    if not found:
        return []
    legal = float(gate.split(":")[0])
    series = []
    for side, curve in found.items():
        near = [row for row in curve.rows if abs(float(row.x) - legal) <= NEAR]
        series.append((say(side), near))
    title = say("Errors of gate {gate} by true age", gate=plain(gate))
    spec = lines(
        [line for side, rows in series for line in banded(rows, side)],
        x_axis=say("true age, whole years"), y_axis=say("share who err"), top=1.02,
    )  # fmt: skip
    caption = say(
        "Who is {legal} or older errs by being stopped, who is younger by passing. Bands are "
        "{level} intervals by person. Drawn are {n} years around the legal age.",
        legal=f"{legal:g}", level=level_words(result), n=NEAR,
    )  # fmt: skip
    n = sum(len(rows) for _, rows in series)
    alt = say("{title}: {n} points, in the table.", title=title, n=n)
    panel = Panel(f"{id}-year", title, alt, spec, 330)
    heads = (say("true age"), say("share who err"), "")
    rows = points_table(f"{id}-year-table", title, list(found.values()), heads, "")
    return [Figure(f"{id}-year-figure", title, caption, (panel,), rows)]


def _fixed(result: AuditResult) -> list[Block]:
    """Rates of fixed ages: 13 to 16, and the means of NIST; those that exist."""
    marks: dict[str, str] = {}
    rows = []
    for name in _FIXED:
        row, spec = metric_row(result, name, {}), result.spec.metrics.get(name)
        if row is None or spec is None or row.value is None:
            continue
        rows.append([
            Cell(name, head=True), _value(row, spec.unit, marks), _n(row.n),
            Cell(defined(spec.definition)),
        ])  # fmt: skip
    if not rows:
        return []
    numbers = (Column(say("value [interval]"), numeric=True), Column(say("faces"), numeric=True))
    caption = say("Ages 13 to 16, and NIST's means")
    columns = (say("metric"), *numbers, say("definition"))
    return [table("gates-fixed", caption, columns, rows, summary=caption, footnotes=marks)]

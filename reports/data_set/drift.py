"""How far a data set is from another one."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.data_set.lookup import CHANCE, first_groups, rows_of, share_hover
from reports.figures import Mark, forest
from reports.format import (
    combination_label,
    count,
    estimate,
    group_label,
    group_value,
    number,
    p_value,
    plain,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.words import by, level_words, mark_of

MAX_MARKS = 40
MAX_ROWS = 1000
_WORDS = {
    "drift_tv": english("total variation"),
    "drift_js": english("Jensen-Shannon divergence (bits)"),
    "drift_w1_age": english("distance of exact ages (years)"),
}
_READING = english(
    "Two samples of one population differ too: each distance stands beside its mean if the people "
    "of both were dealt out anew, and p says how often that reaches it. A person of both data sets "
    "counts as two there, and as one in the changes of the shares."
)


def build(result: AuditResult) -> Section | None:
    """The distances of all combinations, then the change of every group's share."""
    rows = [row for row in result.fairness if row.metric in _WORDS]
    if not rows:
        return None
    marks: dict[str, str] = {}
    lines = [
        [
            Cell(combination_label(row.attributes), head=True), Cell(say(_WORDS[row.metric])),
            Cell(number(row.value, "years" if row.metric == "drift_w1_age" else ""), row.value,
                 mark_of(None if row.note in ("biased_extreme", "descriptive") else row.note,
                         marks)),
            Cell(number(row.null_expected), row.null_expected), Cell(p_value(row.p), row.p),
            Cell(count(row.n), row.n),
        ]
        for row in rows
    ]  # fmt: skip
    heads = (say("value"), say(CHANCE), "p", say("faces of both"))
    columns = [
        Column(say("by")), Column(say("distance")), *(Column(h, numeric=True) for h in heads)
    ]  # fmt: skip
    caption = say("How far the two data sets are apart")
    blocks: list[Block] = [
        Prose((say(_READING),)),
        table("drift-table", caption, columns, lines, footnotes=marks),
    ]
    for i, names in enumerate(result.spec.combinations):
        changes = rows_of(result, "share_change", names)
        if changes:
            blocks += [Heading(f"drift-{i}", by(names)), _figure(result, changes, f"drift-{i}")]
    return Section("drift", say("Drift"), tuple(blocks))


def _figure(result: AuditResult, rows: list[MetricRow], id: str) -> Figure:
    title = say("Change of shares by {groups}", groups=combination_label([*rows[0].group]))
    marks = [
        Mark(group_label(row.group), row.value, row.low, row.high, count(row.n), share_hover(row))
        for row in rows[:MAX_MARKS]
    ]
    spec, height = forest(
        marks, axis=say("change of the share"), right=say("faces of both"), reference=0.0,
        reference_label=say("no change"),
    )  # fmt: skip
    caption = say(
        "Share in the other data set minus the share in this one, with its {level} interval by "
        "person.",
        level=level_words(result),
    )
    if len(rows) > MAX_MARKS:
        caption = sentences(caption, first_groups(MAX_MARKS, len(rows)))
    said = semicolons(mark.hover for mark in marks[:12])
    alt = say("{name}: {text}", name=title, text=said)
    panel = Panel(f"{id}-plot", title, alt, spec, height)
    return Figure(f"{id}-figure", title, caption, (panel,), _table(rows, f"{id}-table", title))


def _table(rows: list[MetricRow], id: str, caption: str) -> Table:
    marks: dict[str, str] = {}
    lines = [
        [
            *(Cell(group_value(value), head=True) for value in row.group.values()),
            Cell(estimate(row.value, row.low, row.high, "share"), row.value,
                 mark_of(row.note, marks)),
            Cell(p_value(row.p), row.p), Cell(count(row.n), row.n),
        ]
        for row in rows[:MAX_ROWS]
    ]  # fmt: skip
    heads = (say("change [interval]"), "p", say("faces of both"))
    columns = [*(Column(plain(name)) for name in rows[0].group),
               *(Column(head, numeric=True) for head in heads)]  # fmt: skip
    return table(id, caption, columns, lines, footnotes=marks)

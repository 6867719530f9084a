"""Whether the backbones agree on who is served worst."""

from __future__ import annotations

from collections import Counter

from audit.generality.record import ConcordanceRow, Generality
from reports.blocks import Block, Cell, Prose, Section, table
from reports.format import (
    bracketed,
    combination_label,
    commas,
    count,
    estimate,
    group_label,
    number,
    plain,
)
from reports.grid.lookup import leading
from reports.language import english, say
from reports.words import mark_of

_READING = english(
    "Kendall's W is 1 where all backbones rank the groups alike and about 0 where each ranks them "
    "in its own way. The interval is over people drawn again: one near 1 says that the order would "
    "stay. Because all backbones see the same people they agree on much of their luck even if no "
    "group differs; the mean W in that case stands beside it."
)


def build(result: Generality) -> Section | None:
    """A row for every aggregator in every combination."""
    rows = [row for row in result.concordance if row.metric == leading(result)]
    if not rows:
        return None
    marks: dict[str, str] = {}
    found = [
        [
            Cell(plain(row.aggregator), head=True), Cell(combination_label(row.attributes)),
            Cell(estimate(row.value, row.low, row.high), row.value, mark_of(row.note, marks)),
            Cell("" if row.null_expected is None else number(row.null_expected), row.null_expected),
            Cell(_worst(row)), Cell(count(row.n_backbones), row.n_backbones),
            Cell(count(row.n_groups), row.n_groups),
        ]
        for row in rows
    ]  # fmt: skip
    columns = (
        say("aggregator"), say("groups by"), say("W [interval]"), say("without differences"),
        say("served worst (backbones)"), say("backbones"), say("groups"),
    )  # fmt: skip
    caption = say("Kendall's W over backbones: who is served worst")
    blocks: list[Block] = [
        Prose((say(_READING),)),
        table("agreement-table", caption, columns, found, footnotes=marks),
    ]
    return Section("agreement", say("Who is served worst"), tuple(blocks))


def _worst(row: ConcordanceRow) -> str:
    times = Counter(group_label(worst.group) for worst in row.worst)
    return commas(bracketed(group, str(n)) for group, n in times.most_common())

"""Does the gap between groups shrink or widen? Before and after, on every backbone."""

from __future__ import annotations

from audit.generality.record import GapRow, Generality, SummaryRow
from reports.blocks import Block, Cell, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import Mark, forest
from reports.format import (
    beside,
    combination_label,
    count,
    group_label,
    listed,
    metric_title,
    number,
    p_value,
    plain,
    semicolons,
    sentences,
    unit_name,
)
from reports.grid.lookup import (
    change,
    combinations,
    contrasts,
    gaps_of,
    leading,
    role_of,
    some_marks,
    summaries_of,
    titled,
    unit,
    verdict_words,
    words,
)
from reports.language import english, say
from reports.words import mark_of

MAX_MARKS = 60
_READING = english(
    "The gap is that between the worst and the best served group of the mean over the whole grid, "
    "the same two groups in every row: groups chosen by the control alone would come out nearer "
    "for any other aggregator by chance. Left of the line the gap is narrower with the aggregator."
)


def build(result: Generality) -> Section | None:
    """A figure and a table for each combination."""
    if not result.gaps:
        return None
    metric = leading(result)
    blocks: list[Block] = [Prose((say(_READING),))]
    for i, names in enumerate(combinations(result)):
        singles = [r for pair in contrasts(result) for r in gaps_of(result, metric, pair, names)]
        over = [
            row
            for pair in contrasts(result)
            for row in summaries_of(result, metric, pair, names, "worst_minus_best")
        ]
        if singles:
            blocks.append(Heading(f"gaps-{i}", combination_label(names)))
            blocks.append(_figure(result, metric, names, (singles, over), f"gaps-{i}"))
    title = say("Gaps before and after")
    return Section("gaps", title, tuple(blocks)) if len(blocks) > 1 else None


def _figure(
    result: Generality,
    metric: str,
    names: list[str],
    rows: tuple[list[GapRow], list[SummaryRow]],
    id: str,
) -> Figure:
    singles, over = rows
    u, title = unit(result, metric), metric_title(metric)
    marks: list[Mark] = []
    for pair in contrasts(result):
        name = titled(result, *pair)
        for row in over:
            if (row.aggregator, row.against) == pair and row.value is not None:
                marks.append(_over(result, name, row))
        marks += [
            _mark(result, name, row)
            for row in singles
            if (row.aggregator, row.against) == pair and row.value is not None
        ]
    drawn = marks[:MAX_MARKS]
    spec, height = forest(
        drawn, axis=beside(say("change of the gap in {metric}", metric=title), unit_name(u)),
        right=say("before → after"), reference=0.0, reference_label=say("no change"),
    )  # fmt: skip
    sides = [group_label(side) for side in (singles[0].a, singles[0].b) if side is not None]
    heading = say(
        "Gap in {metric} by {groups}: {sides}",
        metric=title, groups=combination_label(names), sides=listed(sides),
    )  # fmt: skip
    caption = say("Bars are 95 % intervals of the paired change.")
    if len(drawn) < len(marks):
        caption = sentences(caption, some_marks(len(drawn), len(marks)))
    said = semicolons(f"{mark.label} {number(mark.value, u)}" for mark in drawn[:12])
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel(f"{id}-plot", heading, alt, spec, height)
    shown = _table(result, rows, f"{id}-table", heading)
    return Figure(f"{id}-figure", heading, caption, (panel,), shown)


def _from_to(result: Generality, row: GapRow) -> str:
    u = unit(result, row.metric)
    return f"{number(row.value_a, u)} → {number(row.value_b, u)}"


def _over(result: Generality, name: str, row: SummaryRow) -> Mark:
    found = words(result, row.metric, change(row))
    hover = say("{name}, all backbones: {text}", name=name, text=found)
    narrower = say("{n} of {all} narrower", n=row.n_better, all=row.n_backbones)
    label = say("{name}: all backbones", name=name)
    return Mark(label, *change(row), narrower, hover, "summary")


def _mark(result: Generality, name: str, row: GapRow) -> Mark:
    label = say("{aggregator} on {backbone}", aggregator=name, backbone=plain(row.backbone))
    hover = say(
        "{label}: {values}, {change}; {verdict}",
        label=label, values=_from_to(result, row),
        change=words(result, row.metric, change(row)), verdict=verdict_words(row),
    )  # fmt: skip
    return Mark(label, *change(row), _from_to(result, row), hover, role_of(row))


def _table(
    result: Generality, rows: tuple[list[GapRow], list[SummaryRow]], id: str, caption: str
) -> Table:
    marks: dict[str, str] = {}
    found = []
    every: list[GapRow | SummaryRow] = [*rows[1], *rows[0]]
    for row in every:
        found.append([
            Cell(titled(result, row.aggregator, row.against), head=True),
            Cell(plain(row.backbone) if isinstance(row, GapRow) else say("all backbones")),
            Cell(_from_to(result, row) if isinstance(row, GapRow) else ""),
            Cell(words(result, row.metric, change(row)), row.value, mark_of(row.note, marks)),
            Cell(verdict_words(row)),
            *(Cell("" if p is None else p_value(p), p) for p in (row.p, row.p_adjusted)),
            Cell(count(row.n_subjects) if isinstance(row, GapRow) else ""),
        ])  # fmt: skip
    columns = (
        say("aggregator"), say("backbone"), say("gap: control → aggregator"),
        say("change [interval]"), say("verdict"), "p", say("p adjusted"), say("people"),
    )  # fmt: skip
    return table(id, caption, columns, found, footnotes=marks, gaps=True)

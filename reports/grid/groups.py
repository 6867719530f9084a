"""For whom: the gain of every group, over all backbones and on each."""

from __future__ import annotations

from audit.generality.record import GainRow, Generality, SummaryRow
from reports.blocks import Block, Figure, Heading, Panel, Prose, Section, Table
from reports.figures import Grid, Mark, forest, heat
from reports.format import (
    EM_DASH,
    beside,
    combination_label,
    count,
    group_label,
    metric_title,
    number,
    plain,
    plural,
    semicolons,
    sentences,
)
from reports.grid.gains import gains_table
from reports.grid.lookup import (
    combinations,
    contrasts,
    gain,
    gain_axis,
    gain_scale,
    gains_of,
    leading,
    role_of,
    some_marks,
    summaries_of,
    titled,
    unit,
    verdict_words,
    words,
)
from reports.grid.summary import summary_table
from reports.language import english, say

MAX_MARKS = 60
MAX_GROUPS = 14
_READING = english(
    "The map is the mean gain of every group over backbones; a star marks one that holds for all "
    "groups and aggregators together. In the plots below, right of the line the aggregator is "
    "better for that group. The first mark of a group is the "
    "mean over backbones, with its interval where there are at least 3; the others are the single "
    "backbones. All groups, aggregators and backbones of a combination are one family."
)


def build(result: Generality) -> Section | None:
    """A forest plot of every aggregator in every combination."""
    if not combinations(result):
        return None
    metric = leading(result)
    blocks: list[Block] = [Prose((say(_READING),))]
    for i, names in enumerate(combinations(result)):
        blocks.append(Heading(f"groups-{i}", combination_label(names)))
        rows = [r for pair in contrasts(result) for r in summaries_of(result, metric, pair, names)]
        caption = say("Gain over all backbones by {groups}", groups=combination_label(names))
        shown = summary_table(result, rows, f"groups-{i}-table", caption, where=True)
        blocks.append(_map(result, metric, rows, shown, f"groups-{i}") if rows else shown)
        for j, pair in enumerate(contrasts(result)):
            found = _figure(result, metric, pair, names, f"groups-{i}-{j}")
            if found is not None:
                blocks.append(found)
    return Section("groups", say("Gain of every group"), tuple(blocks))


def _map(result: Generality, metric: str, rows: list[SummaryRow], shown: Table, id: str) -> Figure:
    u = unit(result, metric)
    groups = list(dict.fromkeys(group_label(row.group) for row in rows))[:MAX_GROUPS]
    at = {
        (titled(result, row.aggregator, row.against), group_label(row.group)): row for row in rows
    }
    names = list(dict.fromkeys(name for name, _ in at))
    found = [[at.get((name, group)) for group in groups] for name in names]
    grid = Grid(
        names,
        groups,
        [[None if r is None else gain(result, r)[0] for r in row] for row in found],
        [[_short(result, r) for r in row] for row in found],
        [
            [_said(result, beside(name, group), r) for group, r in zip(groups, row, strict=True)]
            for name, row in zip(names, found, strict=True)
        ],
    )
    spec = heat(grid, bar=gain_scale(u), diverging=True)
    spec["data"][0]["reversescale"] = True  # a loss has the colour that alarms elsewhere
    heading = shown.caption
    caption = say("Above 0 the aggregator is better than the control.")
    if len(groups) == MAX_GROUPS:
        most = say("At most {n} groups are drawn; the table has all.", n=MAX_GROUPS)
        caption = sentences(caption, most)
    said = semicolons(_said(result, beside(*key), row) for key, row in list(at.items())[:12])
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel(f"{id}-map", heading, alt, spec, 90 + 34 * len(names))
    return Figure(f"{id}-map-figure", heading, caption, (panel,), shown)


def _short(result: Generality, row: SummaryRow | None) -> str:
    if row is None or row.value is None:
        return EM_DASH
    star = "*" if row.verdict in {"better", "worse"} else ""
    return number(gain(result, row)[0], unit(result, row.metric)) + star


def _said(result: Generality, where: str, row: GainRow | SummaryRow | None) -> str:
    if row is None:
        return say("{where}: not compared", where=where)
    found = words(result, row.metric, gain(result, row))
    return say("{where}: {gain}; {verdict}", where=where, gain=found, verdict=verdict_words(row))


def _figure(
    result: Generality, metric: str, pair: tuple[str, str], names: list[str], id: str
) -> Figure | None:
    single = [row for row in gains_of(result, metric, pair, names) if row.value is not None]
    over = {group_label(r.group): r for r in summaries_of(result, metric, pair, names)}
    if not single:
        return None
    marks: list[Mark] = []
    for group in dict.fromkeys(group_label(row.group) for row in single):
        if group in over and over[group].value is not None:
            marks.append(_over(result, group, over[group]))
        marks += [_mark(result, group, row) for row in single if group_label(row.group) == group]
    drawn = marks[:MAX_MARKS]
    u, title, name = unit(result, metric), metric_title(metric), titled(result, *pair)
    spec, height = forest(
        drawn, axis=gain_axis(title, u), right=say("people"), reference=0.0,
        reference_label=say("as {name}", name=plain(pair[1])),
    )  # fmt: skip
    heading = say(
        "{aggregator}: gain in {metric} by {groups}",
        aggregator=name, metric=title, groups=combination_label(names),
    )  # fmt: skip
    caption = say("Bars are 95 % intervals.")
    if len(drawn) < len(marks):
        caption = sentences(caption, some_marks(len(drawn), len(marks)))
    said = semicolons(f"{mark.label} {number(mark.value, u)}" for mark in drawn[:12])
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel(f"{id}-plot", heading, alt, spec, height)
    shown = gains_table(result, single, f"{id}-rows", heading)
    return Figure(f"{id}-figure", heading, caption, (panel,), shown, fold=True)


def _over(result: Generality, group: str, row: SummaryRow) -> Mark:
    value, low, high = gain(result, row)
    found = words(result, row.metric, (value, low, high))
    hover = say("{name}, all backbones: {text}", name=group, text=found)
    right = plural(row.n_backbones, english("{n} backbone"), english("{n} backbones"))
    label = say("{name}: all backbones", name=group)
    return Mark(label, value, low, high, right, hover, "summary")


def _mark(result: Generality, group: str, row: GainRow) -> Mark:
    value, low, high = gain(result, row)
    hover = _said(result, beside(group, plain(row.backbone)), row)
    label = say("{group} on {backbone}", group=group, backbone=plain(row.backbone))
    return Mark(label, value, low, high, count(row.n_subjects), hover, role_of(row))

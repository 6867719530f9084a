"""Backbone by backbone: what every aggregator gains over the control."""

from __future__ import annotations

from audit.generality.record import GainRow, Generality
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.figures import Grid, heat
from reports.format import (
    EM_DASH,
    count,
    group_label,
    metric_title,
    number,
    p_value,
    plain,
    semicolons,
)
from reports.grid.lookup import (
    contrasts,
    gain,
    gain_scale,
    gains_of,
    in_unit,
    leading,
    titled,
    unit,
    verdict_words,
    words,
)
from reports.language import english, say
from reports.words import mark_of

WIDE = 4
"""Backbones up to which a cell of the map has room for the interval."""
_READING = english(
    "Each cell is the gain of one aggregator on one backbone, the mean over the seeds that both "
    "have. A star marks a gain or a loss whose interval excludes 0 for the whole table together: "
    "all aggregators on all backbones are one family."
)


def build(result: Generality) -> Section:
    """The map and its table, a metric each."""
    blocks: list[Block] = [Prose((say(_READING),))]
    blocks += [_map(result, metric) for metric in result.spec.analysed]
    return Section("gains", say("Gain on every backbone"), tuple(blocks))


def _map(result: Generality, metric: str) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    pairs, backbones = contrasts(result), result.spec.backbones
    rows = [{row.backbone: row for row in gains_of(result, metric, pair)} for pair in pairs]
    names = [titled(result, *pair) for pair in pairs]
    wide = len(backbones) <= WIDE
    grid = Grid(
        names,
        [plain(name) for name in backbones],
        [[_value(result, row.get(b)) for b in backbones] for row in rows],
        [[_text(result, row.get(b), wide=wide) for b in backbones] for row in rows],
        [
            [_hover(result, name, b, row.get(b)) for b in backbones]
            for name, row in zip(names, rows, strict=True)
        ],
    )
    spec = heat(grid, bar=gain_scale(u), diverging=True, letters=24)
    spec["data"][0]["reversescale"] = True  # a loss has the colour that alarms elsewhere
    heading = say("Gain in {metric}: aggregators and backbones", metric=title)
    every = [row for found in rows for row in found.values()]
    said = semicolons(
        say("{aggregator} on {backbone} {gain}", aggregator=plain(r.aggregator),
            backbone=plain(r.backbone), gain=number(gain(result, r)[0], u))
        for r in every[:12]
    )  # fmt: skip
    alt = say("{title}. {said}.", title=heading, said=said)
    caption = say("Above 0 the aggregator is better than the control. An empty cell has no number.")
    leads = metric == leading(result)
    shown = gains_table(result, every, f"gains-{metric}-table", heading)
    panel = Panel(f"gains-{metric}-plot", heading, alt, spec, 90 + 34 * len(rows))
    return Figure(f"gains-{metric}-figure", heading, caption, (panel,), shown, fold=not leads)


def _value(result: Generality, row: GainRow | None) -> float | None:
    return None if row is None else gain(result, row)[0]


def _text(result: Generality, row: GainRow | None, *, wide: bool) -> str:
    if row is None or row.value is None:
        return EM_DASH
    low, high = row.low_adjusted, row.high_adjusted
    star = "*" if low is not None and high is not None and (low > 0 or high < 0) else ""
    found = gain(result, row)
    if wide:
        return words(result, row.metric, found) + star
    return number(found[0], unit(result, row.metric)) + star


def _hover(result: Generality, name: str, backbone: str, row: GainRow | None) -> str:
    where = say("{aggregator} on {backbone}", aggregator=name, backbone=plain(backbone))
    if row is None:
        return say("{where}: not in the grid", where=where)
    found = words(result, row.metric, gain(result, row))
    return say("{where}: {gain}; {verdict}", where=where, gain=found, verdict=verdict_words(row))


def gains_table(result: Generality, rows: list[GainRow], id: str, caption: str) -> Table:
    """One line for each backbone and aggregator, and group where there are groups."""
    marks: dict[str, str] = {}
    where = any(row.group for row in rows)
    found = []
    for row in rows:
        u = unit(result, row.metric)
        cells = [Cell(titled(result, row.aggregator, row.against), head=True)]
        if where:
            cells.append(Cell(group_label(row.group)))
        cells += [
            Cell(plain(row.backbone)),
            Cell(f"{number(row.value_a, u)} → {number(row.value_b, u)}" if row.n_seeds else ""),
            Cell(words(result, row.metric, gain(result, row)), gain(result, row)[0],
                 mark_of(row.note, marks)),
            Cell(verdict_words(row)),
            *(Cell("" if p is None else p_value(p), p) for p in (row.p, row.p_adjusted)),
            Cell(count(row.n_seeds), row.n_seeds),
            Cell("" if row.sd_seeds is None else in_unit(result, row.metric, row.sd_seeds),
                 row.sd_seeds),
            Cell(count(row.n), row.n), Cell(count(row.n_subjects), row.n_subjects),
        ]  # fmt: skip
        found.append(cells)
    columns = [
        say("aggregator"), *([say("group")] if where else []), say("backbone"),
        say("control → aggregator"), say("gain [interval]"), say("verdict"), "p",
        say("p adjusted"), say("seeds"), say("SD between seeds"), say("faces"), say("people"),
    ]  # fmt: skip
    return table(id, caption, columns, found, footnotes=marks)

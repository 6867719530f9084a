"""What a gain costs: parameters, time and memory beside the gain over all backbones."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from audit.generality.record import CellRow, Generality
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.figures import Spot, spots
from reports.format import (
    capital,
    count,
    metric_title,
    number,
    plain,
    semicolons,
)
from reports.grid.lookup import gain, gain_axis, leading, summaries_of, unit, words
from reports.language import english, say

_READING = english(
    "Costs are medians over the cells of an aggregator: parameters that it trains, and "
    "milliseconds and peak memory of a training step on a batch that is the same for all (weights, "
    "batch, activations and gradients; no optimizer's state). Left and high is best. "
    "An aggregator with more parameters than the control may gain by them alone: see its control "
    "of equal size."
)
Of = Callable[[CellRow], float | None]
COSTS: dict[str, tuple[str, Of]] = {
    "parameters": (
        english("trained parameters, thousands"),
        lambda c: None if (size := _size(c)) is None else size / 1000,
    ),
    "step": (english("milliseconds of a training step"), lambda c: c.step_ms),
    "memory": (english("peak memory of a training step, MiB"), lambda c: c.memory_mb),
}


def _size(cell: CellRow) -> int | None:
    return cell.parameters if cell.trained_parameters is None else cell.trained_parameters


def build(result: Generality) -> Section | None:
    """A figure for parameters, one for time and one for memory, with one table."""
    shown = _table(result)
    drawn = [found for name in COSTS if (found := _figure(result, name, shown)) is not None]
    if not drawn:
        return None
    blocks: list[Block] = [Prose((say(_READING),)), *drawn]
    return Section("cost", say("Cost and gain"), tuple(blocks))


def cost_of(result: Generality, aggregator: str, of: Of) -> float | None:
    """The median over the cells of an aggregator."""
    found = [of(cell) for cell in result.cells if cell.aggregator == aggregator]
    known = [value for value in found if value is not None]
    return median(known) if known else None


def _figure(result: Generality, name: str, shown: Table) -> Figure | None:
    metric = leading(result)
    axis, of = say(COSTS[name][0]), COSTS[name][1]
    u, title = unit(result, metric), metric_title(metric)
    found, said = [], []
    for aggregator in result.spec.aggregators:
        cost = cost_of(result, aggregator, of)
        if cost is None:
            continue
        rows = summaries_of(result, metric, (aggregator, result.spec.control))
        value, low, high = gain(result, rows[0]) if rows else (None, None, None)
        if aggregator == result.spec.control:
            value = 0.0
        if value is None:
            continue
        shown_gain = words(result, metric, (value, low, high))
        hover = say(
            "{aggregator}: {cost} {of}, {gain}",
            aggregator=plain(aggregator), cost=number(cost), of=axis, gain=shown_gain,
        )  # fmt: skip
        found.append(Spot(plain(aggregator), cost, (None, None), value, (low, high), hover))
        said.append(
            say("{aggregator} {cost}, gain {gain}", aggregator=plain(aggregator),
                cost=number(cost), gain=number(value, u))
        )  # fmt: skip
    if len(found) < 2:
        return None
    spec = spots(found, x_axis=axis, y_axis=gain_axis(title, u))
    heading = say("{cost} and gain in {metric}", cost=capital(axis), metric=title)
    caption = say("Bars are 95 % intervals of the gain over all backbones; the control gains 0.")
    alt = say("{title}. {said}.", title=heading, said=semicolons(said))
    panel = Panel(f"cost-{name}-plot", heading, alt, spec, 420)
    own = table(f"cost-{name}-table", heading, [c.name for c in shown.columns], shown.rows)
    return Figure(f"cost-{name}-figure", heading, caption, (panel,), own)


def _table(result: Generality) -> Table:
    metric = leading(result)
    rows = []
    for aggregator in result.spec.aggregators:
        mine = [c for c in result.cells if c.aggregator == aggregator and c.status == "done"]
        found = summaries_of(result, metric, (aggregator, result.spec.control))
        value = gain(result, found[0]) if found else (None, None, None)
        own: list[Of] = [
            _size, lambda c: c.step_ms, lambda c: c.forward_ms, lambda c: c.train_seconds,
            lambda c: c.memory_mb,
        ]  # fmt: skip
        numbers = [cost_of(result, aggregator, of) for of in own]
        rows.append([
            Cell(plain(aggregator), head=True),
            Cell(words(result, metric, value) if found else say("the control"), value[0]),
            Cell("" if numbers[0] is None else count(numbers[0]), numbers[0]),
            *(Cell("" if x is None else number(x, "years"), x) for x in numbers[1:]),
            Cell(count(len(mine)), len(mine)),
        ])  # fmt: skip
    columns = (
        say("aggregator"), say("gain [interval]"), say("trained parameters"), say("ms of a step"),
        say("ms of estimates"), say("seconds of training"), say("peak MiB of a step"),
        say("trainings"),
    )  # fmt: skip
    return table("cost-table", say("Cost and gain"), columns, rows)

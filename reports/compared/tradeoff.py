"""Overall error against the largest gap: which runs are better for everyone and fairer as well."""

from __future__ import annotations

from audit.comparison import Comparison, ParetoPoint
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.compared.lookup import better, combinations, headline, short, unit
from reports.figures import Spot, spots
from reports.format import (
    beside,
    capital,
    combination_label,
    commas,
    count,
    estimate,
    group_label,
    metric_title,
    number,
    plain,
    semicolons,
    sentences,
    unit_name,
)
from reports.language import english, say
from reports.words import mark_of

_READING = english(
    "Left and low is best: little error over everyone and a small gap between the worst and the "
    "best group. The gap drawn is the debiased one, whose worst and best groups were chosen on "
    "some persons and compared on others; it may be below 0. Its bar is the interval of the "
    "largest gap, which allows for having picked it. A run is dominated only if another is better "
    "in both by paired tests, corrected for the number of runs; where another only looks better "
    "in both, it says so."
)
HEIGHT = 420


def build(result: Comparison) -> Section | None:
    """A figure and a table for each combination."""
    metric = headline(result)
    if metric is None or not result.pareto:
        return None
    blocks: list[Block] = [Prose((say(_READING),))]
    for i, names in enumerate(combinations(result)):
        points = [p for p in result.pareto if p.attributes == names]
        rows = _table(result, points, f"tradeoff-{i}-table", combination_label(names))
        drawn = [p for p in points if p.value is not None and _gap(p) is not None]
        blocks.append(
            _figure(result, metric, names, drawn, rows, f"tradeoff-{i}") if drawn else rows
        )
    return Section("tradeoff", say("Accuracy and gap"), tuple(blocks))


def _gap(point: ParetoPoint) -> float | None:
    return point.gap if point.gap_debiased is None else point.gap_debiased


def _figure(
    result: Comparison,
    metric: str,
    names: list[str],
    points: list[ParetoPoint],
    rows: Table,
    id: str,
) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    found = [_spot(result, point, u) for point in points]
    turned = better(result, metric) == "higher"
    spec = spots(
        found, x_axis=beside(say("{metric} of everyone", metric=title), unit_name(u)),
        y_axis=say("largest gap, debiased"), x_turned=turned,
    )  # fmt: skip
    heading = say(
        "{metric} and its largest gap by {groups}",
        metric=capital(title), groups=combination_label(names),
    )  # fmt: skip
    said = semicolons(
        say("{run} {value}, gap {gap}", run=plain(p.run), value=number(p.value, u),
            gap=number(_gap(p), u))
        for p in points
    )  # fmt: skip
    told = [
        say("Bars are 95 % intervals."),
        say("The horizontal axis runs from high to low, so that left is better.")
        if turned
        else say("Left is better."),
    ]
    hollow = [plain(p.run) for p in points if p.dominated_by]
    if hollow:
        told.append(say("Hollow, dominated by another run: {runs}.", runs=commas(hollow)))
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel(f"{id}-plot", heading, alt, spec, HEIGHT)
    return Figure(f"{id}-figure", heading, sentences(*told), (panel,), rows)


def _spot(result: Comparison, point: ParetoPoint, u: str) -> Spot:
    gap = _gap(point)
    assert point.value is not None
    assert gap is not None
    hover = say(
        "{run}: {value}, largest gap {gap}, debiased {debiased}",
        run=plain(point.run), value=estimate(point.value, point.low, point.high, u),
        gap=estimate(point.gap, point.gap_low, point.gap_high, u), debiased=number(gap, u),
    )  # fmt: skip
    # an interval is of the raw gap, which the debiased one may lie below
    low = None if point.gap_low is None else min(point.gap_low, gap)
    high = None if point.gap_high is None else max(point.gap_high, gap)
    ends = (point.low, point.high)
    name, hollow = short(result, point.run), bool(point.dominated_by)
    return Spot(name, point.value, ends, gap, (low, high), hover, hollow)


def _table(result: Comparison, points: list[ParetoPoint], id: str, groups: str) -> Table:
    marks: dict[str, str] = {}
    rows = []
    for point in points:
        u = unit(result, point.metric)
        sides = " / ".join(group_label(g) for g in (point.a, point.b) if g is not None)
        rows.append([
            Cell(plain(point.run), head=True),
            Cell(estimate(point.value, point.low, point.high, u), point.value),
            Cell(estimate(point.gap, point.gap_low, point.gap_high, u), point.gap,
                 mark_of(point.note, marks)),
            Cell(number(point.gap_debiased, u), point.gap_debiased), Cell(sides),
            Cell(_standing(point)), Cell(count(point.n), point.n),
        ])  # fmt: skip
    columns = (
        say("run"), say("overall [interval]"), say("largest gap [interval]"), say("debiased"),
        say("worst / best"), say("beside the others"), say("faces"),
    )  # fmt: skip
    caption = say("Overall value and largest gap by {groups}", groups=groups)
    return table(id, caption, columns, rows, footnotes=marks)


def _standing(point: ParetoPoint) -> str:
    parts = []
    if point.dominated_by:
        parts.append(say("dominated by {runs}", runs=commas(map(plain, point.dominated_by))))
    if point.not_settled:
        runs = commas(map(plain, point.not_settled))
        parts.append(say("{runs} looks better in both, not settled", runs=runs))
    return semicolons(parts) or say("not dominated")

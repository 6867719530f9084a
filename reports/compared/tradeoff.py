"""Overall error against the largest gap: which runs are better for everyone and fairer as well."""

from __future__ import annotations

from audit.comparison import Comparison, ParetoPoint
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Table, table
from reports.compared.lookup import better, combinations, headline, short, unit
from reports.figures import Spot, spots
from reports.format import count, estimate, group_label, metric_title, number, plain
from reports.words import by, mark_of

_READING = (
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
    blocks: list[Block] = [Prose((_READING,))]
    for i, names in enumerate(combinations(result)):
        points = [p for p in result.pareto if p.attributes == names]
        rows = _table(result, points, f"tradeoff-{i}-table", by(names))
        drawn = [p for p in points if p.value is not None and _gap(p) is not None]
        blocks.append(
            _figure(result, metric, names, drawn, rows, f"tradeoff-{i}") if drawn else rows
        )
    return Section("tradeoff", "Accuracy and gap", tuple(blocks))


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
        found, x_axis=f"{title} of everyone" + (f", {u}" if u else ""),
        y_axis="largest gap, debiased", x_turned=turned,
    )  # fmt: skip
    heading = f"{title.capitalize()} and its largest gap {by(names)}"
    said = "; ".join(
        f"{plain(p.run)} {number(p.value, u)}, gap {number(_gap(p), u)}" for p in points
    )
    caption = "Bars are 95 % intervals. " + (
        "The horizontal axis runs from high to low, so that left is better."
        if turned
        else "Left is better."
    )
    hollow = [plain(p.run) for p in points if p.dominated_by]
    if hollow:
        caption += f" Hollow, dominated by another run: {', '.join(hollow)}."
    panel = Panel(f"{id}-plot", heading, f"{heading}. {said}.", spec, HEIGHT)
    return Figure(f"{id}-figure", heading, caption, (panel,), rows)


def _spot(result: Comparison, point: ParetoPoint, u: str) -> Spot:
    gap = _gap(point)
    assert point.value is not None
    assert gap is not None
    hover = (
        f"{plain(point.run)}: {estimate(point.value, point.low, point.high, u)}, largest gap "
        f"{estimate(point.gap, point.gap_low, point.gap_high, u)}, debiased {number(gap, u)}"
    )
    # an interval is of the raw gap, which the debiased one may lie below
    low = None if point.gap_low is None else min(point.gap_low, gap)
    high = None if point.gap_high is None else max(point.gap_high, gap)
    ends = (point.low, point.high)
    name, hollow = short(result, point.run), bool(point.dominated_by)
    return Spot(name, point.value, ends, gap, (low, high), hover, hollow)


def _table(result: Comparison, points: list[ParetoPoint], id: str, words: str) -> Table:
    marks: dict[str, str] = {}
    rows = []
    for point in points:
        u = unit(result, point.metric)
        groups = " / ".join(group_label(g) for g in (point.a, point.b) if g is not None)
        rows.append([
            Cell(plain(point.run), head=True),
            Cell(estimate(point.value, point.low, point.high, u), point.value),
            Cell(estimate(point.gap, point.gap_low, point.gap_high, u), point.gap,
                 mark_of(point.note, marks)),
            Cell(number(point.gap_debiased, u), point.gap_debiased), Cell(groups),
            Cell(_standing(point)), Cell(count(point.n), point.n),
        ])  # fmt: skip
    columns = (
        "run", "overall [interval]", "largest gap [interval]", "debiased", "worst / best",
        "beside the others", "faces",
    )  # fmt: skip
    return table(id, f"Overall value and largest gap {words}", columns, rows, footnotes=marks)


def _standing(point: ParetoPoint) -> str:
    parts = []
    if point.dominated_by:
        parts.append(f"dominated by {', '.join(map(plain, point.dominated_by))}")
    if point.not_settled:
        parts.append(
            f"{', '.join(map(plain, point.not_settled))} looks better in both, not settled"
        )
    return "; ".join(parts) or "not dominated"

"""What each class is taken for, group by group."""

from __future__ import annotations

from dataclasses import dataclass

from audit.result import AuditResult
from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Size, Table, table
from reports.figures import Grid, heat
from reports.format import (
    count,
    group_label,
    metric_title,
    note_codes,
    number,
    plain,
    sentences,
)
from reports.language import english, say
from reports.lookup import headline, range_gap
from reports.sections.curves import MAX_PANELS, MAX_ROWS, Curve, curves_of
from reports.sections.marks import panels_words
from reports.words import by


@dataclass(frozen=True)
class Axes:
    """How a matrix of classes is called, and its rows, columns and cells, in English."""

    title: str
    row: str
    column: str
    caption: str
    hover: str


CONFUSION = Axes(
    english("Confusion"),
    english("true class"),
    english("given class"),
    english("Share of the faces of a true class (row) that were given each class (column)."),
    english("{true} taken for {given}: {share}"),
)
_READING = english(
    "Each row is a true class and is shared out over the classes that its faces were given; the "
    "diagonal is right. Shares of rows with few faces are coarse: the counts are in the table."
)


def build(result: AuditResult) -> Section | None:
    """A matrix for everyone, then for each attribute a figure with one for each group."""
    arranged = curves_of(result, "confusion")
    if not arranged:
        return None
    blocks: list[Block] = [Prose((say(_READING),))]
    for i, (names, curves) in enumerate(arranged.items()):
        of = by(list(names)) if names else say("everyone")
        order = result.spec.classes or []
        blocks.append(matrices(curves, f"confusion-{i}", of, order, CONFUSION))
        blocks += _difference(result, list(names), curves, f"confusion-{i}-difference")
    return Section("confusion", say("Confusion"), tuple(blocks))


def matrices(curves: list[Curve], id: str, of: str, order: list[str], axes: Axes) -> Figure:
    """A heat map of shares of its rows for every group, and the table of all cells."""
    title = say("{name}: {text}", name=say(axes.title), text=of)
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        classes = _classes(curve, order)
        label = group_label(curve.group)
        alt = say(
            "{title}. {name}: shares of {n} classes, in the table.",
            title=title, name=label, n=len(classes),
        )  # fmt: skip
        spec = heat(_grid(curve, classes, axes.hover), bar="", unit_scale=True)
        spec["layout"]["xaxis"]["title"] = {"text": say(axes.column), "standoff": 6}
        spec["layout"]["yaxis"]["title"] = {"text": say(axes.row), "standoff": 6}
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 130 + 34 * len(classes)))
    caption = sentences(say(axes.caption), panels_words(len(curves), MAX_PANELS))
    size: Size = "small" if len(order) <= 4 else "half"
    return Figure(
        f"{id}-figure", title, caption, tuple(panels), _table(curves, id, title, axes), size
    )


def _difference(
    result: AuditResult, names: list[str], curves: list[Curve], id: str
) -> list[Figure]:
    """The matrix of the worst group minus that of the best, where both are tested and shown."""
    metric = headline(result)
    gap = None if metric is None or not names else range_gap(result, metric, names)
    if gap is None or gap.value is None or "below_min_n" in note_codes(gap.note):
        return []
    sides = [next((c for c in curves if c.group == side), None) for side in (gap.a, gap.b)]
    if sides[0] is None or sides[1] is None:
        return []
    worst, best = sides[0], sides[1]
    classes = _classes(worst, result.spec.classes or [])
    one, other = _shares(worst), _shares(best)
    values = [[_minus(one.get((t, g)), other.get((t, g))) for g in classes] for t in classes]
    labels = [plain(name) for name in classes]
    title = say(
        "Difference of confusions: {a} minus {b}", a=group_label(worst.group),
        b=group_label(best.group),
    )  # fmt: skip
    hovers = [
        [
            say(CONFUSION.hover, true=t, given=g, share=number(v))
            for g, v in zip(labels, row, strict=True)
        ]
        for t, row in zip(labels, values, strict=True)
    ]
    texts = [["" if v is None else _signed(v) for v in row] for row in values]
    spec = heat(Grid(labels, labels, values, texts, hovers), bar="", diverging=True)
    spec["layout"]["xaxis"]["title"] = {"text": say(CONFUSION.column), "standoff": 6}
    spec["layout"]["yaxis"]["title"] = {"text": say(CONFUSION.row), "standoff": 6}
    caption = say(
        "The worst group's shares minus the best one's, by {metric}. The diagonal are differences "
        "of recall: their intervals are among the differences; other cells have none.",
        metric=metric_title(gap.metric),
    )
    alt = say("{title}. Shares of {n} classes, in the table.", title=title, n=len(classes))
    panel = Panel(f"{id}-plot", title, alt, spec, 130 + 34 * len(classes))
    rows = [
        [Cell(t, head=True), Cell(g), Cell(number(v), v)]
        for t, row in zip(labels, values, strict=True)
        for g, v in zip(labels, row, strict=True)
    ]
    heads = (say(CONFUSION.row), say(CONFUSION.column), say("difference of shares"))
    return [Figure(id, title, caption, (panel,), table(f"{id}-table", title, heads, rows), "half")]


def _signed(value: float) -> str:
    rounded = round(value, 2)
    return f"{rounded:+.2f}".replace("-", "−") if rounded else "0.00"


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _classes(curve: Curve, order: list[str]) -> list[str]:
    found = dict.fromkeys(str(end) for row in curve.rows for end in (row.x, row.y))
    known = [name for name in order if name in found]
    return known + [name for name in found if name not in known]


def _shares(curve: Curve) -> dict[tuple[str, str], float | None]:
    """Counts as shares of their row, as the eye compares them; an empty row has none."""
    totals: dict[str, float] = {}
    for row in curve.rows:
        totals[str(row.x)] = totals.get(str(row.x), 0.0) + (row.z or 0.0)
    return {
        (str(row.x), str(row.y)): (row.z or 0.0) / totals[str(row.x)]
        if totals[str(row.x)]
        else None
        for row in curve.rows
    }


def _grid(curve: Curve, classes: list[str], hover: str) -> Grid:
    shares = _shares(curve)
    values = [[shares.get((true, given)) for given in classes] for true in classes]
    names = [plain(name) for name in classes]
    return Grid(
        rows=names,
        columns=names,
        values=values,
        texts=[["" if v is None else f"{v:.2f}" for v in row] for row in values],
        hovers=[
            [
                say(hover, true=true, given=given, share=number(v))
                for given, v in zip(names, row, strict=True)
            ]
            for true, row in zip(names, values, strict=True)
        ],
    )


def _table(curves: list[Curve], id: str, title: str, axes: Axes) -> Table:
    rows = []
    for curve in curves:
        shares = _shares(curve)
        for row in curve.rows:
            share = shares[(str(row.x), str(row.y))]
            rows.append([
                Cell(group_label(curve.group), head=True), Cell(plain(str(row.x))),
                Cell(plain(str(row.y))), Cell(number(share), share), Cell(count(row.z), row.z),
                Cell(count(row.n), row.n),
            ])  # fmt: skip
    of = say(axes.row)
    names = (say("share of the {row}", row=of), say("count (weighted)"),
             say("faces of the {row}", row=of))  # fmt: skip
    columns: list[str | Column] = [
        say("group"),
        of,
        say(axes.column),
        *(Column(name, numeric=True) for name in names),
    ]
    cut = len(rows) - MAX_ROWS
    more = say("{n} more cells are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(f"{id}-table", title, columns, rows[:MAX_ROWS], more=more)

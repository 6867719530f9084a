"""Plotly figures as plain data. Nothing statistical happens here: rows in, marks out.

Colours are CSS variables that the page's script resolves, so that a figure follows the page from
light to dark and to print. Every state has a symbol as well as a colour, and every text that came
from a table goes through ``plot_text``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reports.blocks import Spec
from reports.format import plot_text
from reports.language import english, say

Role = Literal[
    "plain", "worst", "best", "small", "none", "gap", "inconclusive",
    "confirmed", "unconfirmed",
    "second_better", "first_better", "equal", "unsettled", "narrower", "wider", "reversed",
    "better", "worse", "summary",
]  # fmt: skip

MARKS: dict[Role, tuple[str, str, str]] = {
    "plain": ("var(--mark-1)", "circle", english("group")),
    "worst": ("var(--mark-2)", "diamond", english("worst")),
    "best": ("var(--mark-3)", "square", english("best")),
    "small": ("var(--mark-4)", "circle-open", english("too few persons to be tested")),
    "gap": ("var(--mark-2)", "diamond", english("verdict: gap")),
    "none": ("var(--mark-3)", "square", english("verdict: no material gap")),
    "inconclusive": ("var(--mark-4)", "circle-open", english("verdict: inconclusive")),
    "confirmed": ("var(--mark-2)", "diamond", english("confirmed")),
    "unconfirmed": ("var(--mark-4)", "circle-open", english("not confirmed")),
    "second_better": ("var(--mark-3)", "square", english("second run better")),
    "first_better": ("var(--mark-2)", "diamond", english("first run better")),
    "equal": ("var(--mark-1)", "circle", english("no difference that matters")),
    "unsettled": ("var(--mark-1)", "circle-open", english("not settled")),
    "narrower": ("var(--mark-3)", "square", english("gap narrower")),
    "wider": ("var(--mark-2)", "diamond", english("gap wider")),
    "better": ("var(--mark-3)", "square", english("better than the control")),
    "worse": ("var(--mark-2)", "diamond", english("worse than the control")),
    "summary": ("var(--ink)", "cross", english("over all backbones")),
    "reversed": ("var(--mark-2)", "triangle-up", english("gap reversed")),
}

MODES = {"both": "lines+markers", "line": "lines", "points": "markers"}
ROW_HEIGHT = 26
_SEQUENTIAL = [[i / 4, f"var(--heat-{i})"] for i in range(5)]
_DIVERGING = [[i / 4, f"var(--diverge-{i})"] for i in range(5)]


@dataclass(frozen=True)
class Mark:
    """One row of a forest plot: a value with its interval, or a row without a value."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    right: str
    hover: str
    role: Role = "plain"


@dataclass(frozen=True)
class Point:
    """One point of a line."""

    x: float
    y: float | None
    low: float | None
    high: float | None
    hover: str


@dataclass(frozen=True)
class Line:
    """A line of points; the quiet one is the background against which others are read.

    ``shade`` draws low to high as an area instead of bars, and no line.
    """

    name: str
    points: Sequence[Point]
    quiet: bool = False
    shade: bool = False
    draw: Literal["both", "line", "points"] = "both"


@dataclass(frozen=True)
class Ridge:
    """The outline of a distribution; a small group is dotted, without filling and intervals."""

    label: str
    points: Sequence[Point]
    right: str
    small: bool = False


@dataclass(frozen=True)
class Grid:
    """A heat map: rows top to bottom, a number and a text for every cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]]
    hovers: Sequence[Sequence[str]]


def forest(
    marks: Sequence[Mark],
    *,
    axis: str,
    right: str,
    reference: float | None = None,
    reference_label: str = "",
    band: float | None = None,
) -> tuple[Spec, int]:
    """Values with intervals, one row each, the first on top; returns the figure and its height.

    ``reference`` draws a dashed line, ``band`` shades the stated margin around it.
    """
    last = len(marks) - 1
    data = [
        _forest_trace([(last - i, m) for i, m in enumerate(marks) if m.role == role], role)
        for role in MARKS
        if any(m.role == role and m.value is not None for m in marks)
    ]
    # Plotly draws an axis only where a trace uses it: this one carries the counts on the right.
    data.append({"type": "scatter", "x": [None], "y": [0], "yaxis": "y2", "showlegend": False,
                 "hoverinfo": "skip"})  # fmt: skip
    shapes, annotations = _reference(reference, reference_label, band)
    annotations.append({
        "x": 1, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "text": plot_text(right, 40), "name": "right", "xshift": 4,
    })  # fmt: skip
    rows = {
        "tickmode": "array", "tickvals": list(range(last, -1, -1)), "range": [-0.6, last + 0.6],
        "automargin": True, "zeroline": False, "ticks": "", "showgrid": False,
    }  # fmt: skip
    layout = _layout(axis, "")
    layout["yaxis"] = rows | {"ticktext": [plot_text(m.label, 60) for m in marks]}
    layout["yaxis2"] = rows | {
        "ticktext": [plot_text(m.right) for m in marks], "overlaying": "y", "side": "right",
            }  # fmt: skip
    # A mark that is more than a group is explained, even where all are alike.
    explained = any(mark.role != "plain" and mark.value is not None for mark in marks)
    layout["margin"] |= {"b": 80 if explained else 50, "r": 100}
    layout |= {"shapes": shapes, "annotations": annotations}
    layout["showlegend"] = explained
    return {"data": data, "layout": layout}, 125 + ROW_HEIGHT * len(marks)


@dataclass(frozen=True)
class Pair:
    """One row of a dumbbell plot: a value before and after."""

    label: str
    first: float
    second: float
    right: str
    hover: str


def dumbbell(
    pairs: Sequence[Pair], *, axis: str, first: str, second: str, right: str
) -> tuple[Spec, int]:
    """Two marks joined by a line for every row, about 0; returns the figure and its height."""
    before = [Mark(pair.label, pair.first, None, None, pair.right, pair.hover) for pair in pairs]
    spec, height = forest(
        before, axis=axis, right=right, reference=0.0, reference_label=say("no difference")
    )
    last = len(pairs) - 1
    colour, symbol, _ = MARKS["worst"]
    trace = spec["data"][0] | {"name": plot_text(first)}
    trace["marker"] = trace["marker"] | {"symbol": "circle-open"}
    after = trace | {
        "name": plot_text(second), "x": [pair.second for pair in pairs],
        "marker": trace["marker"] | {"symbol": symbol, "color": colour, "line": {"width": 0}},
    }  # fmt: skip
    spec["data"] = [trace, after, *spec["data"][1:]]
    joins = [
        {"type": "line", "layer": "below", "xref": "x", "yref": "y", "x0": pair.first,
         "x1": pair.second, "y0": last - i, "y1": last - i,
         "line": {"color": "var(--quiet)", "width": 2}}
        for i, pair in enumerate(pairs)
    ]  # fmt: skip
    layout = spec["layout"]
    layout["shapes"] = [*joins, *layout["shapes"]]
    layout["showlegend"] = True
    layout["margin"] |= {"b": 80}
    return spec, height


def _forest_trace(rows: Sequence[tuple[int, Mark]], role: Role) -> Spec:
    colour, symbol, name = MARKS[role]
    shown = [(y, m, m.value) for y, m in rows if m.value is not None]
    return {
        "type": "scatter", "mode": "markers", "name": say(name),
        "x": [value for _, _, value in shown], "y": [y for y, _, _ in shown],
        "marker": {
            "color": colour, "symbol": symbol, "size": 10, "line": {"width": 1.5, "color": colour},
        },
        "error_x": _bars([(value, m.low, m.high) for _, m, value in shown], colour),
        "hovertext": [plot_text(m.hover, 160) for _, m, _ in shown], "hoverinfo": "text",
    }  # fmt: skip


def _bars(ends: Sequence[tuple[float, float | None, float | None]], colour: str) -> Spec:
    return {
        "type": "data", "symmetric": False, "color": colour, "thickness": 1.6, "width": 4,
        "array": [None if high is None else high - value for value, _, high in ends],
        "arrayminus": [None if low is None else value - low for value, low, _ in ends],
    }  # fmt: skip


def _reference(
    at: float | None, label: str, band: float | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if at is None:
        return [], []
    whole = {"xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    dashed = {"color": "var(--quiet)", "dash": "dash", "width": 1.5}
    # Above the grid, which else hides it at a round number.
    line = whole | {"type": "line", "x0": at, "x1": at, "line": dashed, "layer": "above"}
    text = {
        "x": at, "y": 1, "xref": "x", "yref": "paper", "yanchor": "bottom", "showarrow": False,
        "text": plot_text(label, 60),
    }  # fmt: skip
    if band is None:
        return [line], [text]
    ends = {"x0": at - band, "x1": at + band, "fillcolor": "var(--band)", "line": {"width": 0}}
    return [whole | {"type": "rect"} | ends, line], [text]


def lines(
    series: Sequence[Line],
    *,
    x_axis: str,
    y_axis: str,
    diagonal: bool = False,
    unit_square: bool = False,
    zero: bool = False,
    top: float | None = None,
    target: float | None = None,
) -> Spec:
    """Lines with intervals; the first loud line gets the first colour and symbol, and so on.

    ``top`` ends an axis of y that begins at 0, so that panels can be compared; ``target`` is a
    dotted line across.
    """
    loud = [line for line in series if not (line.quiet or line.shade)]
    data = [trace for line in series if line.shade for trace in _shade(line)]
    data += [_line_trace(line, -1) for line in series if line.quiet]
    data += [_line_trace(line, i) for i, line in enumerate(loud)]
    layout = _layout(x_axis, y_axis)
    named = sum(bool(line.name) for line in series)
    layout["showlegend"] = named > 1
    layout["margin"] |= {"b": 80 if named > 1 else 50}
    if diagonal:
        dotted = {"color": "var(--quiet)", "dash": "dot", "width": 1.5}
        ends = {"x0": 0, "y0": 0, "x1": 1, "y1": 1}
        layout["shapes"] = [{"type": "line", "layer": "below", "line": dotted} | ends]
    if unit_square:
        layout["xaxis"] |= {"range": [0, 1.02], "dtick": 0.25}
        layout["yaxis"] |= {"range": [0, 1.02], "dtick": 0.25}
    if top is not None:
        layout["yaxis"] |= {"range": [0, top]}
    if target is not None:
        dotted = {"color": "var(--mark-2)", "dash": "dot", "width": 1.5}
        layout["shapes"] = [{"type": "line", "layer": "above", "line": dotted} | _across(target)]
    layout["yaxis"] |= {"zeroline": zero, "zerolinecolor": "var(--quiet)", "zerolinewidth": 2}
    return {"data": data, "layout": layout}


def _line_trace(line: Line, index: int) -> Spec:
    symbols = ("circle", "diamond", "square")
    colour = "var(--quiet)" if line.quiet else f"var(--mark-{index % 3 + 1})"
    points = [(p, p.y) for p in line.points if p.y is not None]
    trace: Spec = {
        "type": "scatter",
        "mode": "lines" if line.quiet else MODES[line.draw],
        "name": plot_text(line.name),
        "x": [p.x for p, _ in points], "y": [y for _, y in points],
        "line": {"color": colour, "width": 1.5 if line.quiet else 2,
                 "dash": "dash" if line.quiet else "solid"},
        "marker": {"color": colour, "symbol": symbols[index % 3], "size": 7},
        "hovertext": [plot_text(p.hover, 160) for p, _ in points], "hoverinfo": "text",
    }  # fmt: skip
    if not line.quiet and any(p.low is not None for p, _ in points):
        trace["error_y"] = _bars([(y, p.low, p.high) for p, y in points], colour)
    return trace


def bars(
    points: Sequence[Point], width: float, *, x_axis: str, y_axis: str, top: float, level: float
) -> Spec:
    """A histogram: bars from their left edge with intervals, and a dashed line at ``level``."""
    shown = [(p, p.y) for p in points if p.y is not None]
    error = _bars([(y, p.low, p.high) for p, y in shown], "var(--ink)")
    trace: Spec = {
        "type": "bar", "x": [p.x for p, _ in shown], "y": [y for _, y in shown], "offset": 0,
        "width": width, "marker": {"color": "var(--heat-4)", "line": {"color": "var(--page)",
                                                                     "width": 1}},
        "error_y": error | {"thickness": 1.2, "width": 3},
        "hovertext": [plot_text(p.hover, 160) for p, _ in shown], "hoverinfo": "text",
    }  # fmt: skip
    layout = _layout(x_axis, y_axis)
    dashed = {"color": "var(--ink)", "dash": "dash", "width": 1.5}
    layout["shapes"] = [{"type": "line", "line": dashed} | _across(level)]
    layout["yaxis"] |= {"range": [0, top]}
    layout["showlegend"] = False
    layout["margin"] |= {"b": 50}
    return {"data": [trace], "layout": layout}


def _across(y: float) -> dict[str, Any]:
    """The ends of a level line through the whole plot."""
    return {"x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y, "yref": "y"}


def _shade(line: Line) -> list[Spec]:
    """The area between low and high of a line: its lower edge, filled up to the upper one."""
    ends = [(p.x, p.low, p.high) for p in line.points if p.low is not None and p.high is not None]
    common = {
        "type": "scatter", "mode": "lines", "x": [x for x, _, _ in ends], "line": {"width": 0},
        "hoverinfo": "skip",
    }  # fmt: skip
    area = {"fill": "tonexty", "fillcolor": "var(--band)", "name": plot_text(line.name)}
    return [
        common | {"y": [low for _, low, _ in ends], "showlegend": False},
        common | area | {"y": [high for _, _, high in ends], "showlegend": bool(line.name)},
    ]


def ridges(
    rows: Sequence[Ridge],
    *,
    axis: str,
    right: str,
    ticks: Sequence[tuple[float, str]],
    behind: Sequence[Point] = (),
    behind_name: str = "",
) -> tuple[Spec, int]:
    """Distributions one below the other, the first on top; returns the figure and its height.

    All have one scale: the tallest outline or interval fills its row. ``behind`` is a dashed
    outline on every row, ``ticks`` are the places of the axis with their labels.
    """
    loud = [p for row in rows if not row.small for p in row.points]
    tall = [p.y or 0.0 for row in rows for p in row.points]
    tall += [p.y or 0.0 for p in behind] + [p.high or 0.0 for p in loud]
    scale, last = 0.92 / (max(tall, default=0.0) or 1.0), len(rows) - 1
    data: list[Spec] = []
    for i, row in enumerate(rows):
        data += _ridge(row, last - i, scale)
        if behind:
            name = behind_name if i == 0 else ""
            data.append(_outline(behind, last - i, scale, name, "var(--ink)", "dash"))
    # Plotly draws an axis only where a trace uses it: this one carries the counts on the right.
    data.append({"type": "scatter", "x": [None], "y": [0], "yaxis": "y2", "showlegend": False,
                 "hoverinfo": "skip"})  # fmt: skip
    layout = _layout(axis, "")
    shapes, _ = _reference(0.0, "", None)
    layout["shapes"] = shapes
    layout["annotations"] = [{
        "x": 1, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "text": plot_text(right, 40), "name": "right", "xshift": 4,
    }]  # fmt: skip
    places = {
        "tickmode": "array", "tickvals": list(range(last, -1, -1)), "range": [-0.1, last + 1.05],
        "automargin": True, "zeroline": False, "ticks": "",
    }  # fmt: skip
    layout["yaxis"] |= places | {"ticktext": [plot_text(row.label, 60) for row in rows]}
    layout["yaxis2"] = places | {
        "ticktext": [plot_text(row.right) for row in rows], "overlaying": "y", "side": "right",
        "showgrid": False,
    }  # fmt: skip
    layout["xaxis"] |= {
        "range": [ticks[0][0] - 1, ticks[-1][0] + 1], "tickmode": "array", "showgrid": False,
        "tickvals": [x for x, _ in ticks], "ticktext": [plot_text(text) for _, text in ticks],
    }  # fmt: skip
    layout["margin"] |= {"b": 80 if behind else 50, "r": 100}
    layout["showlegend"] = bool(behind)
    room = (4 if len(rows) <= 4 else 2) * ROW_HEIGHT
    return {"data": data, "layout": layout}, 125 + room * len(rows)


def _ridge(row: Ridge, base: float, scale: float) -> list[Spec]:
    colour = "var(--quiet)" if row.small else "var(--mark-1)"
    dash = "dot" if row.small else "solid"
    outline = _outline(row.points, base, scale, row.label, colour, dash) | {"showlegend": False}
    if row.small:
        return [outline]
    up = [Point(p.x, None, base, base + scale * (p.y or 0.0), "") for p in row.points]
    area = [trace | {"fillcolor": "var(--heat-2)"} for trace in _shade(Line("", up, shade=True))]
    bars = [
        (base + scale * y, _lifted(p.low, base, scale), _lifted(p.high, base, scale))
        for p in row.points
        if (y := p.y) is not None
    ]
    return [*area, outline | {"error_y": _bars(bars, colour) | {"thickness": 1.2, "width": 2}}]


def _lifted(share: float | None, base: float, scale: float) -> float | None:
    return None if share is None else base + scale * share


def _outline(
    points: Sequence[Point], base: float, scale: float, name: str, colour: str, dash: str
) -> Spec:
    shown = [(p, y) for p in points if (y := p.y) is not None]
    return {
        "type": "scatter", "mode": "lines", "name": plot_text(name), "showlegend": bool(name),
        "x": [p.x for p, _ in shown], "y": [base + scale * y for _, y in shown],
        "line": {"color": colour, "width": 1.2 if dash == "dash" else 2, "dash": dash},
        "hovertext": [plot_text(p.hover, 160) for p, _ in shown], "hoverinfo": "text",
    }  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """A point with an interval either way."""

    name: str
    x: float
    x_ends: tuple[float | None, float | None]
    y: float
    y_ends: tuple[float | None, float | None]
    hover: str
    hollow: bool = False


def spots(found: Sequence[Spot], *, x_axis: str, y_axis: str, x_turned: bool = False) -> Spec:
    """Named points; ``x_turned`` lets the axis run from the largest to the least."""
    symbols = ("circle", "diamond", "square", "triangle-up", "cross", "star")
    data = []
    for i, spot in enumerate(found):
        colour = f"var(--mark-{i % 3 + 1})"
        symbol = symbols[i % len(symbols)] + ("-open" if spot.hollow else "")
        data.append({
            "type": "scatter", "mode": "markers+text", "name": plot_text(spot.name),
            "x": [spot.x], "y": [spot.y], "text": [plot_text(spot.name)],
            "textposition": "top right", "textfont": {"color": "var(--ink)", "size": 12},
            "marker": {"color": colour, "symbol": symbol, "size": 11,
                       "line": {"width": 1.5, "color": colour}},
            "error_x": _bars([(spot.x, *spot.x_ends)], colour),
            "error_y": _bars([(spot.y, *spot.y_ends)], colour),
            "hovertext": [plot_text(spot.hover, 160)], "hoverinfo": "text", "cliponaxis": False,
        })  # fmt: skip
    layout = _layout(x_axis, y_axis)
    layout["showlegend"] = False
    layout["margin"] |= {"t": 40, "r": 60}
    if x_turned:
        layout["xaxis"]["autorange"] = "reversed"
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": "var(--quiet)", "zerolinewidth": 1}
    return {"data": data, "layout": layout}


def heat(
    grid: Grid,
    *,
    bar: str,
    diverging: bool = False,
    unit_scale: bool = False,
    ends: tuple[float, float] | None = None,
    letters: int = 12,
) -> Spec:
    """A heat map whose cells carry their text; cells without a value stay empty.

    ``ends`` are the ends of the colour scale, where several maps share one; ``letters`` is the most
    that a cell has room for.
    """
    if ends is not None:
        width = max(map(abs, ends))
        ends = (-width, width) if diverging else ends
    trace: Spec = {
        "type": "heatmap",
        "x": list(range(len(grid.columns))), "y": list(range(len(grid.rows))),
        "z": [list(row) for row in grid.values],
        "colorscale": _DIVERGING if diverging else _SEQUENTIAL,
        "text": [[plot_text(t, letters) for t in row] for row in grid.texts],
        "texttemplate": "%{text}", "textfont": {"color": "var(--ink)"}, "hoverongaps": False,
        "xgap": 2, "ygap": 2,
        "hovertext": [[plot_text(t, 160) for t in row] for row in grid.hovers],
        "hoverinfo": "text",
        "colorbar": {"title": {"text": plot_text(bar, 40), "side": "right", "font": {"size": 12}},
                     "thickness": 12,
                     "outlinewidth": 0},
        "showscale": bool(bar),
    }  # fmt: skip
    if diverging:
        trace["zmid"] = 0
    if unit_scale:
        ends = (0, 1)
    if ends is not None:
        trace |= {"zmin": ends[0], "zmax": ends[1]}
    layout = _layout("", "")
    for name, labels in (("xaxis", grid.columns), ("yaxis", grid.rows)):
        layout[name] |= {"tickmode": "array", "tickvals": list(range(len(labels))),
                         "ticktext": [plot_text(label, 40) for label in labels],
                         "showgrid": False, "zeroline": False, "ticks": ""}  # fmt: skip
    layout["yaxis"]["autorange"] = "reversed"
    layout["xaxis"] |= {"side": "top"}
    return {"data": [trace], "layout": layout}


def picture(grid: Grid, *, ends: tuple[float, float], diverging: bool = False) -> Spec:
    """A heat map without axes, as high as it is wide whatever its cells: a map of a face."""
    spec = heat(grid, bar="", diverging=diverging, ends=ends)
    rows, columns, layout = len(grid.rows), len(grid.columns), spec["layout"]
    layout["xaxis"] |= {"visible": False, "range": [-0.5, columns - 0.5], "constrain": "domain"}
    layout["yaxis"] |= {
        "visible": False, "autorange": False, "range": [rows - 0.5, -0.5], "scaleanchor": "x",
        "scaleratio": columns / rows, "constrain": "domain",
    }  # fmt: skip
    layout["margin"] = {"l": 4, "r": 4, "t": 4, "b": 4}
    return spec


def _layout(x_axis: str, y_axis: str) -> Spec:
    axis = {"gridcolor": "var(--grid)", "linecolor": "var(--grid)", "automargin": True,
            "fixedrange": True, "zeroline": False}  # fmt: skip
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--ink)", "size": 13},
        "margin": {"l": 8, "r": 8, "t": 30, "b": 8}, "dragmode": False, "hovermode": "closest",
        "hoverlabel": {"bgcolor": "var(--panel)", "bordercolor": "var(--quiet)",
                       "font": {"color": "var(--ink)"}, "align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "xaxis": axis | {"title": _title(plot_text(x_axis, 90))},
        "yaxis": axis | {"title": _title(plot_text(y_axis, 60))},
    }  # fmt: skip


def _title(text: str) -> Spec:
    return {"text": text, "standoff": 8, "font": {"size": 13}}

"""Figures of two axes: lines, histograms and points with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.blocks import Spec
from reports.figures.base import across, interval_bars, layout_of
from reports.format import plot_text

MODES = {"both": "lines+markers", "line": "lines", "points": "markers"}


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
class Spot:
    """A point with an interval either way."""

    name: str
    x: float
    x_ends: tuple[float | None, float | None]
    y: float
    y_ends: tuple[float | None, float | None]
    hover: str
    hollow: bool = False


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
    layout = layout_of(x_axis, y_axis)
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
        layout["shapes"] = [{"type": "line", "layer": "above", "line": dotted} | across(target)]
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
        trace["error_y"] = interval_bars([(y, p.low, p.high) for p, y in points], colour)
    return trace


def bars(
    points: Sequence[Point], width: float, *, x_axis: str, y_axis: str, top: float, level: float
) -> Spec:
    """A histogram: bars from their left edge with intervals, and a dashed line at ``level``."""
    shown = [(p, p.y) for p in points if p.y is not None]
    error = interval_bars([(y, p.low, p.high) for p, y in shown], "var(--ink)")
    trace: Spec = {
        "type": "bar", "x": [p.x for p, _ in shown], "y": [y for _, y in shown], "offset": 0,
        "width": width, "marker": {"color": "var(--heat-4)", "line": {"color": "var(--page)",
                                                                     "width": 1}},
        "error_y": error | {"thickness": 1.2, "width": 3},
        "hovertext": [plot_text(p.hover, 160) for p, _ in shown], "hoverinfo": "text",
    }  # fmt: skip
    layout = layout_of(x_axis, y_axis)
    dashed = {"color": "var(--ink)", "dash": "dash", "width": 1.5}
    layout["shapes"] = [{"type": "line", "line": dashed} | across(level)]
    layout["yaxis"] |= {"range": [0, top]}
    layout["showlegend"] = False
    layout["margin"] |= {"b": 50}
    return {"data": [trace], "layout": layout}


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
            "error_x": interval_bars([(spot.x, *spot.x_ends)], colour),
            "error_y": interval_bars([(spot.y, *spot.y_ends)], colour),
            "hovertext": [plot_text(spot.hover, 160)], "hoverinfo": "text", "cliponaxis": False,
        })  # fmt: skip
    layout = layout_of(x_axis, y_axis)
    layout["showlegend"] = False
    layout["margin"] |= {"t": 40, "r": 60}
    if x_turned:
        layout["xaxis"]["autorange"] = "reversed"
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": "var(--quiet)", "zerolinewidth": 1}
    return {"data": data, "layout": layout}

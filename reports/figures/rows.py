"""Figures of a row for each group: forest and dumbbell plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reports.blocks import Spec
from reports.figures.base import MARKS, Role, interval_bars, layout_of
from reports.format import plot_text
from reports.language import say

ROW_HEIGHT = 26


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
class Pair:
    """One row of a dumbbell plot: a value before and after."""

    label: str
    first: float
    second: float
    right: str
    hover: str


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
    layout = layout_of(axis, "")
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
        "error_x": interval_bars([(value, m.low, m.high) for _, m, value in shown], colour),
        "hovertext": [plot_text(m.hover, 160) for _, m, _ in shown], "hoverinfo": "text",
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

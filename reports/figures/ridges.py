"""Distributions above one another, a row for each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.blocks import Spec
from reports.figures.base import interval_bars, layout_of
from reports.figures.curves import Line, Point, _shade
from reports.figures.rows import ROW_HEIGHT, _reference
from reports.format import plot_text


@dataclass(frozen=True)
class Ridge:
    """The outline of a distribution; a small group is dotted, without filling and intervals."""

    label: str
    points: Sequence[Point]
    right: str
    small: bool = False


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
    layout = layout_of(axis, "")
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
    return [
        *area,
        outline | {"error_y": interval_bars(bars, colour) | {"thickness": 1.2, "width": 2}},
    ]


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

"""Heat maps, of groups or over a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.blocks import Spec
from reports.figures.base import layout_of
from reports.format import plot_text

_SEQUENTIAL = [[i / 4, f"var(--heat-{i})"] for i in range(5)]

_DIVERGING = [[i / 4, f"var(--diverge-{i})"] for i in range(5)]


@dataclass(frozen=True)
class Grid:
    """A heat map: rows top to bottom, a number and a text for every cell."""

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]]
    hovers: Sequence[Sequence[str]]


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
    layout = layout_of("", "")
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

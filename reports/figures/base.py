"""What all figures share: marks, bars of intervals, the layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from reports.blocks import Spec
from reports.format import plot_text
from reports.language import english

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


def interval_bars(ends: Sequence[tuple[float, float | None, float | None]], colour: str) -> Spec:
    """Bars from low to high of (value, low, high); an end that is not known has none."""
    return {
        "type": "data", "symmetric": False, "color": colour, "thickness": 1.6, "width": 4,
        "array": [None if high is None else high - value for value, _, high in ends],
        "arrayminus": [None if low is None else value - low for value, low, _ in ends],
    }  # fmt: skip


def across(y: float) -> dict[str, Any]:
    """The ends of a level line through the whole plot."""
    return {"x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y, "yref": "y"}


def layout_of(x_axis: str, y_axis: str) -> Spec:
    """What every figure looks like, with the titles of its axes."""
    axis = {"gridcolor": "var(--grid)", "linecolor": "var(--grid)", "automargin": True,
            "fixedrange": True, "zeroline": False}  # fmt: skip
    return {
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--ink)", "size": 13},
        "margin": {"l": 8, "r": 8, "t": 30, "b": 8}, "dragmode": False, "hovermode": "closest",
        "hoverlabel": {"bgcolor": "var(--panel)", "bordercolor": "var(--quiet)",
                       "font": {"color": "var(--ink)"}, "align": "left"},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "xaxis": axis | {"title": title_of(plot_text(x_axis, 90))},
        "yaxis": axis | {"title": title_of(plot_text(y_axis, 60))},
    }  # fmt: skip


def title_of(text: str) -> Spec:
    """The title of an axis."""
    return {"text": text, "standoff": 8, "font": {"size": 13}}

"""From numbers to places: the range of an axis, its ticks and their labels."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reports.blocks import Spec

LETTER = 6.7
"""Mean width of a letter of 13 px; wide ones of East Asia take twice that."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """A linear scale from ``start`` to ``end`` with its ticks.

    ``start`` is at the left or at the bottom, so that it is above ``end`` on a reversed axis.
    """

    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    title: str
    visible: bool = True
    grid: bool = True

    def share(self, value: float) -> float:
        """Where a value lies between start and end, from 0 to 1."""
        return (value - self.start) / (self.end - self.start)


def axis_of(spec: Spec, name: str, most: int) -> Axis:
    """The axis ``x`` or ``y`` of a figure, with about ``most`` ticks."""
    given = spec["layout"].get(f"{name}axis", {})
    low, high = given.get("range") or _extent(spec, name)
    turned = given.get("autorange") == "reversed"
    ticks = _ticks(given, min(low, high), max(low, high), most)
    start, end = (high, low) if turned else (low, high)
    title = label_of((given.get("title") or {}).get("text", ""))
    grid = given.get("showgrid", True)
    return Axis(start, end, ticks, title, given.get("visible", True), grid)


def label_of(text: str) -> str:
    """A label of plotly's as plain text."""
    return html.unescape(text)


def width_of(text: str) -> float:
    """About how wide a label is, in px."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return LETTER * (len(text) + wide)


def _ticks(
    given: dict[str, Any], low: float, high: float, most: int
) -> tuple[tuple[float, str], ...]:
    if "tickvals" in given:
        labels = map(label_of, given.get("ticktext", map("{:g}".format, given["tickvals"])))
        return tuple(zip(given["tickvals"], labels, strict=True))
    values = _multiples(low, high, given.get("dtick") or _step(high - low, most))
    if len(values) < 2:  # one tick tells no scale
        values = _multiples(low, high, _step(high - low, 2 * most))
    return tuple((value, f"{value:.6g}".replace("-", "−")) for value in values)


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _step(span: float, most: int) -> float:
    """The least round step with at most so many ticks."""
    rough = span / most
    scale = 10.0 ** math.floor(math.log10(rough))
    return next(scale * step for step in _STEPS if scale * step >= rough * (1 - 1e-9))


def _extent(spec: Spec, name: str) -> tuple[float, float]:
    """The range of all marks with their intervals, and of lines that are drawn across."""
    traces = spec["data"]
    if traces and all(trace["type"] == "heatmap" for trace in traces):
        return -0.5, max(len(trace[name]) for trace in traces) - 0.5
    values = [v for trace in traces for v in _values(trace, name)]
    for shape in spec["layout"].get("shapes", ()):
        if shape.get(f"{name}ref", name) == name:
            values += [shape[f"{name}0"], shape[f"{name}1"]]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or abs(high) or 1.0
    return low - room, high + room


def _values(trace: dict[str, Any], name: str) -> Iterable[float]:
    found: Sequence[float | None] = trace.get(name, ())
    bars = trace.get(f"error_{name}") or {}
    up, down = bars.get("array", ()), bars.get("arrayminus", ())
    for i, value in enumerate(found):
        if value is None:
            continue
        yield value
        if trace["type"] == "bar":
            yield value + trace["width"] if name == "x" else 0.0
        yield value + ((up[i] if i < len(up) else None) or 0.0)
        yield value - ((down[i] if i < len(down) else None) or 0.0)

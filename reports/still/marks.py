"""The marks of one trace as shapes; every colour stays a variable of the page's style."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from reports.still.axes import label_of

DASHES = {"dash": "7 5", "dot": "2 4"}


@dataclass(frozen=True)
class Shape:
    """An SVG element with its attributes and text."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Frame:
    """Where the plot is, in px, and how a number becomes a place."""

    x: Any
    y: Any
    left: float
    top: float
    width: float
    height: float

    def across(self, value: float) -> float:
        """Place of a value of x."""
        return self.left + self.width * float(self.x.share(value))

    def down(self, value: float) -> float:
        """Place of a value of y."""
        return self.top + self.height * (1 - float(self.y.share(value)))


def px(value: float) -> str:
    """A place, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def line(points: Sequence[tuple[float, float]], style: str) -> Shape:
    """A line through places."""
    path = "M" + "L".join(f"{px(x)} {px(y)}" for x, y in points)
    return Shape("path", {"d": path, "style": f"fill:none;{style}"})


def stroke(colour: str, width: float = 1.5, dash: str = "solid") -> str:
    """The style of a line."""
    dashes = f";stroke-dasharray:{DASHES[dash]}" if dash in DASHES else ""
    return f"stroke:{colour};stroke-width:{width:g}{dashes}"


def words(x: float, y: float, text: str, anchor: str = "middle", size: int = 13) -> Shape:
    """A text."""
    place = {"x": px(x), "y": px(y), "text-anchor": anchor, "font-size": str(size)}
    return Shape("text", place | {"style": "fill:var(--ink)"}, text)


def scatter(trace: dict[str, Any], before: dict[str, Any] | None, frame: Frame) -> Iterator[Shape]:
    """Areas, intervals, lines, marks and names, in the order in which they cover each other."""
    points = [
        (frame.across(x), frame.down(y), i)
        for i, (x, y) in enumerate(zip(trace["x"], trace["y"], strict=True))
        if x is not None and y is not None
    ]
    if trace.get("fill") == "tonexty" and before is not None:
        lower = zip(before["x"], before["y"], strict=True)
        back = [(frame.across(x), frame.down(y)) for x, y in lower][::-1]
        path = "M" + "L".join(f"{px(x)} {px(y)}" for x, y in [*(p[:2] for p in points), *back])
        yield Shape("path", {"d": path + "Z", "style": f"fill:{trace['fillcolor']}"})
        return
    given = trace.get("line", {})
    if "lines" in trace.get("mode", "") and given.get("width", 2) and len(points) > 1:
        style = stroke(given["color"], given.get("width", 2), given.get("dash", "solid"))
        yield line([point[:2] for point in points], style)
    for x, y, i in points:
        yield from _intervals(trace, i, x, y, frame)
    for x, y, i in points if "markers" in trace.get("mode", "") else ():
        yield mark(x, y, trace["marker"])
        if "text" in trace.get("mode", ""):
            yield words(x + 8, y - 8, label_of(trace["text"][i]), "start", 12)


def _intervals(trace: dict[str, Any], i: int, x: float, y: float, frame: Frame) -> Iterator[Shape]:
    for name, scale, values in (("x", frame.across, trace["x"]), ("y", frame.down, trace["y"])):
        bars: dict[str, Any] = trace.get(f"error_{name}") or {}
        for sign, side in _SIDES if bars else ():
            reach = bars[side][i]
            if reach is None:
                continue
            end, style = scale(values[i] + sign * reach), stroke(bars["color"], bars["thickness"])
            half = bars["width"]
            if name == "x":
                yield line([(x, y), (end, y)], style)
                yield line([(end, y - half), (end, y + half)], style)
            else:
                yield line([(x, y), (x, end)], style)
                yield line([(x - half, end), (x + half, end)], style)


_SIDES = ((1, "array"), (-1, "arrayminus"))


def mark(x: float, y: float, marker: dict[str, Any]) -> Shape:
    """One symbol around a place."""
    symbol, colour = marker["symbol"], marker["color"]
    is_open = symbol.endswith("-open")
    r = marker.get("size", 8) / 2
    fill = "var(--page)" if is_open else colour
    style = {"style": f"fill:{fill};{stroke(colour)}"}
    symbol = symbol.removesuffix("-open")
    if symbol == "circle":
        return Shape("circle", {"cx": px(x), "cy": px(y), "r": px(r)} | style)
    corners = "L".join(f"{px(x + r * dx)} {px(y + r * dy)}" for dx, dy in _CORNERS[symbol])
    return Shape("path", {"d": f"M{corners}Z"} | style)


_STAR = [
    (r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5))
    for i in range(10)
    for r in [1.3 if i % 2 == 0 else 0.55]
]
_CORNERS: dict[str, list[tuple[float, float]]] = {
    "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle-up": [(0, -1.2), (1.2, 1), (-1.2, 1)],
    "cross": [(-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4), (1.1, 0.4), (0.4, 0.4),
              (0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4), (-1.1, -0.4), (-0.4, -0.4)],
    "star": _STAR,
}  # fmt: skip


def bar(trace: dict[str, Any], frame: Frame) -> Iterator[Shape]:
    """Bars from their left edge, with intervals."""
    colour = trace["marker"]["color"]
    for i, (x, y) in enumerate(zip(trace["x"], trace["y"], strict=True)):
        left, right = frame.across(x), frame.across(x + trace["width"])
        top, foot = frame.down(y), frame.down(0)
        place = {"x": px(left), "y": px(top), "width": px(right - left), "height": px(foot - top)}
        yield Shape("rect", place | {"style": f"fill:{colour};{stroke('var(--page)', 1)}"})
        yield from _intervals(trace, i, (left + right) / 2, top, frame)


def heatmap(trace: dict[str, Any], frame: Frame) -> Iterator[Shape]:
    """Cells in their colours, with their texts."""
    ends, gap = ends_of(trace), trace.get("xgap", 0) / 2
    shown = trace.get("texttemplate")
    halves = [_half(trace[name]) for name in ("x", "y")]
    for i, row in enumerate(trace["z"]):
        for j, z in enumerate(row):
            if z is None:
                continue
            x, y = trace["x"][j], trace["y"][i]
            xs = sorted(frame.across(x + s * halves[0]) for s in (-1, 1))
            ys = sorted(frame.down(y + s * halves[1]) for s in (-1, 1))
            place = {
                "x": px(xs[0] + gap), "y": px(ys[0] + gap),
                "width": px(max(xs[1] - xs[0] - 2 * gap, 0.5)),
                "height": px(max(ys[1] - ys[0] - 2 * gap, 0.5)),
            }  # fmt: skip
            yield Shape("rect", place | {"style": f"fill:{colour_of(trace, ends, z)}"})
            if shown and trace["text"][i][j]:
                text = label_of(trace["text"][i][j])
                yield words(sum(xs) / 2, sum(ys) / 2 + 4, text, size=12)


def _half(places: Sequence[float]) -> float:
    return (places[1] - places[0]) / 2 if len(places) > 1 else 0.5


def ends_of(trace: dict[str, Any]) -> tuple[float, float]:
    """The values at the ends of the colour scale."""
    values = [z for row in trace["z"] for z in row if z is not None] or [0.0]
    low, high = trace.get("zmin", min(values)), trace.get("zmax", max(values))
    if "zmid" in trace and "zmin" not in trace:
        reach = max(abs(low - trace["zmid"]), abs(high - trace["zmid"]))
        low, high = trace["zmid"] - reach, trace["zmid"] + reach
    return low, high


def colour_of(trace: dict[str, Any], ends: tuple[float, float], z: float) -> str:
    """The colour of a value: a mixture of the two of the scale around it."""
    scale = trace["colorscale"]
    share = (z - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.5
    share = min(max(share, 0.0), 1.0)
    share = 1 - share if trace.get("reversescale") else share
    for (low, first), (high, second) in pairwise(scale):
        if share <= high:
            weight = 100 * (share - low) / (high - low)
            return f"color-mix(in srgb,{second} {weight:.0f}%,{first})"
    return str(scale[-1][1])

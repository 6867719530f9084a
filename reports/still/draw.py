"""One figure as shapes: axes, marks, lines across, texts and what the symbols mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reports.blocks import Spec
from reports.still.axes import Axis, axis_of, label_of, width_of
from reports.still.marks import (
    Frame,
    Shape,
    bar,
    colour_of,
    ends_of,
    heatmap,
    line,
    mark,
    px,
    scatter,
    stroke,
    words,
)  # fmt: skip

WIDTHS = {"full": 720, "half": 460, "small": 330}
LEGEND_LINE = 20
BAR_STEPS = 24


@dataclass(frozen=True)
class Still:
    """A drawing of ``width`` x ``height`` px."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def still(spec: Spec, width: float, height: float) -> Still:
    """A figure of plotly's as it stands when nobody touches it.

    Parameters
    ----------
    spec : dict
        ``data`` and ``layout``, of the kinds that :mod:`reports.figures` makes: scatter, bar,
        heatmap; shapes and annotations.
    width, height : float
        Of the drawing, px.
    """
    names = _legend(spec, width)
    frame = _frame(spec, width, height - LEGEND_LINE * len(names))
    shapes = [
        *_across(spec, frame, below=True), *_axes(spec, frame), *_marks(spec, frame),
        *_across(spec, frame, below=False), *_annotations(spec, frame), *_colour_bar(spec, frame),
    ]  # fmt: skip
    for i, row in enumerate(names):
        shapes += _names(row, height - LEGEND_LINE * (len(names) - i - 0.7))
    return Still(width, height, tuple(shapes))


def _frame(spec: Spec, width: float, height: float) -> Frame:
    """The plot inside its labels."""
    layout = spec["layout"]
    y = axis_of(spec, "y", 6)
    labels = max((width_of(text) for _, text in y.ticks), default=0.0) if y.visible else 0.0
    left = 24 + min(labels, 0.45 * width) + (20 if y.title else 0)
    right = 16.0
    if "yaxis2" in layout:
        heads = [note["text"] for note in layout["annotations"] if note.get("name") == "right"]
        right += max(map(width_of, [*heads, *layout["yaxis2"].get("ticktext", ())]), default=0.0)
    if _scales(spec):
        right += 80
    at_top = layout.get("xaxis", {}).get("side") == "top"
    x = axis_of(spec, "x", max(int((width - left - right) / 70), 3))
    texts = (18 if x.visible else 0) + (20 if x.title else 0)
    top = 26.0 + (texts if at_top else 0)
    foot = height - 10 - (0 if at_top else texts)
    size = _square(spec, x, y, max(width - left - right, 40), max(foot - top, 40))
    return Frame(x, y, left, top, *size)


def _square(spec: Spec, x: Axis, y: Axis, width: float, height: float) -> tuple[float, float]:
    """The largest plot in which a unit of y has the length, against x, that the figure asks for."""
    given = spec["layout"].get("yaxis", {})
    if given.get("scaleanchor") != "x":
        return width, height
    ratio = given.get("scaleratio", 1) * abs((y.end - y.start) / (x.end - x.start))
    return min(width, height / ratio), min(height, width * ratio)


def _axes(spec: Spec, frame: Frame) -> Iterator[Shape]:
    right, foot = frame.left + frame.width, frame.top + frame.height
    at_top = spec["layout"].get("xaxis", {}).get("side") == "top"
    ticks = [(frame.across(value), text) for value, text in frame.x.ticks]
    grid = stroke("var(--grid)", 1)
    # Where labels are wider than their room they are left out one by one.
    room = frame.width / max(len(ticks), 1)
    widest = max((width_of(text) for _, text in ticks), default=0.0)
    every = max(int(-(-widest // room)), 1) if not at_top else 1
    for i, (x, text) in enumerate(ticks if frame.x.visible else ()):
        if frame.x.grid:
            yield line([(x, frame.top), (x, foot)], grid)
        if i % every == 0:
            text = _cut(text, room) if at_top else text
            yield words(x, frame.top - 7 if at_top else foot + 16, text, size=12)
    for value, text in frame.y.ticks if frame.y.visible else ():
        y = frame.down(value)
        if frame.y.grid:
            yield line([(frame.left, y), (right, y)], grid)
        yield words(
            frame.left - 7, y + 4, _cut(text, frame.left - (34 if frame.y.title else 14)), "end", 12
        )
    second = spec["layout"].get("yaxis2", {})
    for value, text in zip(second.get("tickvals", ()), second.get("ticktext", ()), strict=True):
        yield words(right + 7, frame.down(value) + 4, label_of(text), "start", 12)
    if frame.x.title:
        place = frame.top - 27 if at_top else foot + 36
        yield words(frame.left + frame.width / 2, place, frame.x.title)
    if frame.y.title:
        x, y = 14.0, frame.top + frame.height / 2
        found = words(x, y, _cut(frame.y.title, frame.height + 40))
        turn = {"transform": f"rotate(-90 {px(x)} {px(y)})"}
        yield Shape(found.tag, found.attributes | turn, found.text)


def _cut(text: str, room: float) -> str:
    while len(text) > 2 and width_of(text) > room:
        text = text[:-2].rstrip() + "…"
    return text


def _marks(spec: Spec, frame: Frame) -> Iterator[Shape]:
    before: dict[str, Any] | None = None
    for trace in spec["data"]:
        if trace["type"] == "heatmap":
            yield from heatmap(trace, frame)
        elif trace["type"] == "bar":
            yield from bar(trace, frame)
        else:
            yield from scatter(trace, before, frame)
        before = trace


def _across(spec: Spec, frame: Frame, *, below: bool) -> Iterator[Shape]:
    """Lines and bands of the layout; places in shares of the plot where it says so."""
    for shape in spec["layout"].get("shapes", ()):
        if (shape.get("layer") == "below") is not below:
            continue
        xs = [_place(frame, shape, "x", end) for end in "01"]
        ys = [_place(frame, shape, "y", end) for end in "01"]
        if shape["type"] == "line":
            given = shape["line"]
            style = stroke(given["color"], given["width"], given.get("dash", "solid"))
            yield line(list(zip(xs, ys, strict=True)), style)
            continue
        left, top = max(min(xs), frame.left), min(ys)
        width = min(max(xs), frame.left + frame.width) - left
        place = {"x": px(left), "y": px(top), "width": px(max(width, 0)),
                 "height": px(max(ys) - top)}  # fmt: skip
        yield Shape("rect", place | {"style": _filled(shape)})


def _filled(shape: dict[str, Any]) -> str:
    """A band is filled, a box is an outline."""
    if "fillcolor" in shape:
        return f"fill:{shape['fillcolor']}"
    given = shape["line"]
    return f"fill:none;{stroke(given['color'], given['width'], given.get('dash', 'solid'))}"


def _place(frame: Frame, given: dict[str, Any], name: str, end: str = "") -> float:
    value = given[f"{name}{end}"]
    if given.get(f"{name}ref", name) == "paper":
        share = value if name == "x" else 1 - value
        start, size = (frame.left, frame.width) if name == "x" else (frame.top, frame.height)
        return float(start + size * share)
    return frame.across(value) if name == "x" else frame.down(value)


def _annotations(spec: Spec, frame: Frame) -> Iterator[Shape]:
    for note in spec["layout"].get("annotations", ()):
        x = _place(frame, note, "x") + note.get("xshift", 0)
        y = _place(frame, note, "y") - (6 if note.get("yanchor") == "bottom" else 0)
        anchor = {"left": "start", "right": "end"}.get(note.get("xanchor", ""), "middle")
        yield words(x, y, label_of(note["text"]), anchor, 12)


def _scales(spec: Spec) -> list[dict[str, Any]]:
    return [t for t in spec["data"] if t["type"] == "heatmap" and t.get("showscale")]


def _colour_bar(spec: Spec, frame: Frame) -> Iterator[Shape]:
    """The colours of a heat map beside it, with its ends."""
    for trace in _scales(spec):
        low, high = ends_of(trace)
        x, height = frame.left + frame.width + 14, frame.height / BAR_STEPS
        for i in range(BAR_STEPS):
            z = high - (i + 0.5) / BAR_STEPS * (high - low)
            place = {"x": px(x), "y": px(frame.top + i * height), "width": "12",
                     "height": px(height + 0.5)}  # fmt: skip
            yield Shape("rect", place | {"style": f"fill:{colour_of(trace, (low, high), z)}"})
        ends = ((high, frame.top + 9), (low, frame.top + frame.height))
        for value, y in ends:
            yield words(x + 17, y, f"{value:.3g}".replace("-", "−"), "start", 12)
        title = label_of(trace["colorbar"]["title"]["text"])
        right, middle = x + 62, frame.top + frame.height / 2
        room = frame.height + 20  # it may reach the edges of the drawing
        found = words(right, middle, _cut(title, room * 13 / 12), size=12)
        turn = {"transform": f"rotate(-90 {px(right)} {px(middle)})"}
        yield Shape(found.tag, found.attributes | turn, found.text)


def _legend(spec: Spec, width: float) -> list[list[tuple[float, dict[str, Any], str]]]:
    """Named traces in rows, each with its place across."""
    if not spec["layout"].get("showlegend"):
        return []
    rows: list[list[tuple[float, dict[str, Any], str]]] = [[]]
    x = 12.0
    for trace in spec["data"]:
        name = label_of(trace.get("name", ""))
        if not name or trace.get("showlegend") is False:
            continue
        size = 40 + width_of(name)
        if rows[-1] and x + size > width:
            rows.append([])
            x = 12.0
        rows[-1].append((x, trace, name))
        x += size
    return [row for row in rows if row]


def _names(row: list[tuple[float, dict[str, Any], str]], y: float) -> Iterator[Shape]:
    for x, trace, name in row:
        if trace.get("fill"):
            place = {"x": px(x), "y": px(y - 10), "width": "20", "height": "10"}
            yield Shape("rect", place | {"style": f"fill:{trace['fillcolor']}"})
        if "lines" in trace.get("mode", "") and not trace.get("fill"):
            given = trace["line"]
            style = stroke(given["color"], given.get("width", 2), given.get("dash", "solid"))
            yield line([(x, y - 4), (x + 20, y - 4)], style)
        if "markers" in trace.get("mode", ""):
            yield mark(x + 10, y - 4, trace["marker"])
        yield words(x + 26, y, name, "start", 12)

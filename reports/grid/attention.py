"""What the aggregators attend to: shares of the views, and maps of the regions on a drawn face."""

from __future__ import annotations

import math

from audit.generality.record import AttentionRow, Generality
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Spec, Table, table
from reports.figures import Grid, heat, picture
from reports.format import (
    beside,
    commas,
    count,
    plain,
    semicolons,
    sentences,
)
from reports.language import english, say

_READING = english(
    "Mean shares of the attention over all test faces and seeds. Even shares say that the "
    "aggregator hardly chooses; uneven ones say what its embedding is made of, not why an estimate "
    "came out as it did."
)
_DRAWN = english("Under it lies the mean of the drawn faces of all test people.")
CROWDED = 25
"""Regions from which on a small map has no room for numbers."""
HEIGHT = 250
LEAST_END = 2.0
"""Colours reach at least to twice an even share, so that even ones look even."""
_GREYS = [[0, "#808080"], [1, "#ffffff"]]
_VEIL = [[0, "rgba(30, 100, 190, 0)"], [1, "rgba(30, 100, 190, 0.8)"]]
"""A picture is light enough for black numbers in the dark too, and shines through."""


def build(result: Generality) -> Section | None:
    """The first backbone's maps, and a table of all backbones."""
    rows = result.attention
    if not rows:
        return None
    backbone = next(b for b in result.spec.backbones if any(r.backbone == b for r in rows))
    blocks: list[Block] = [Prose((say(_READING),))]
    for over, figure in (("views", _views), ("regions", _regions)):
        own = [row for row in rows if row.over == over]
        shown = [row for row in own if row.backbone == backbone]
        if shown:
            blocks.append(figure(result, shown, own))
    return Section("attention", say("What they attend to"), tuple(blocks))


def _views(result: Generality, rows: list[AttentionRow], own: list[AttentionRow]) -> Figure:
    backbone, k = plain(rows[0].backbone), max(len(row.weights) for row in rows)
    names = [plain(row.aggregator) for row in rows]
    padded = [[*row.weights, *[None] * (k - len(row.weights))] for row in rows]
    texts = [["" if x is None else _percent(x) for x in row] for row in padded]
    places = [say("view {n}", n=i + 1) for i in range(k)]
    hovers = [
        [
            say("{name}: {text}", name=beside(name, place), text=text)
            for place, text in zip(places, row, strict=True)
        ]
        for name, row in zip(names, texts, strict=True)
    ]
    ends = (0.0, _end(rows))
    spec = heat(Grid(names, places, _times_even(rows, k), texts, hovers), bar="", ends=ends)
    title = say("Attention to the views on {backbone}", backbone=backbone)
    said = semicolons(f"{name} {commas(row)}" for name, row in zip(names, texts, strict=True))
    alt = say("{title}. {said}.", title=title, said=said)
    panel = Panel("attention-views-plot", title, alt, spec, 100 + 34 * len(rows))
    caption = say(
        "Every face is seen through the same fixed views. What an aggregator gives to a token of "
        "its own is left out. Colours say how many times an even share it is."
    )
    shown = _table("views", own, say("Attention to the views"))
    return Figure("attention-views-figure", title, caption, (panel,), shown)


def _regions(result: Generality, rows: list[AttentionRow], own: list[AttentionRow]) -> Figure:
    backbone = plain(rows[0].backbone)
    faces = [result.drawn_face if row.placed == "face" and _side(row) else [] for row in rows]
    panels = [
        Panel(
            f"attention-regions-plot-{i}",
            plain(row.aggregator),
            say(
                "{aggregator} on {backbone}: most to {place}, {most}, even shares are {even}.",
                aggregator=plain(row.aggregator), backbone=backbone, place=_most(row)[0],
                most=_most(row)[1], even=_percent(1 / len(row.weights)),
            ),
            _on_face(_grid(row), face, (0.0, _end(rows))),
            HEIGHT,
        )
        for i, (row, face) in enumerate(zip(rows, faces, strict=True))
    ]  # fmt: skip
    title = say("Attention to the regions of a face on {backbone}", backbone=backbone)
    caption = say("Colours say how many times an even share it is, on one scale for all.")
    if any(faces):
        caption = sentences(caption, say(_DRAWN))
    shown = _table("regions", own, say("Attention to the regions"))
    return Figure("attention-regions-figure", title, caption, tuple(panels), shown, "small")


def _grid(row: AttentionRow) -> Grid:
    """A square where the regions are places that form one, else a row of them."""
    columns = _side(row) or len(row.weights)
    starts = range(0, len(row.weights), columns)
    shares = [list(row.weights[start : start + columns]) for start in starts]
    few = len(row.weights) <= CROWDED
    return Grid(
        [str(i + 1) for i in range(len(shares))],
        [str(i + 1) for i in range(columns)],
        [[x * len(row.weights) for x in line] for line in shares],
        [[_percent(x) if few else "" for x in line] for line in shares],
        [
            [say("{name}: {text}", name=_cell(i, j), text=_percent(x)) for j, x in enumerate(line)]
            for i, line in enumerate(shares)
        ],
    )


def _on_face(grid: Grid, face: list[list[int]], ends: tuple[float, float]) -> Spec:
    """A heat map that a face shines through; without a face the map alone."""
    spec = picture(grid, ends=ends)
    if not face:
        return spec
    side, columns = len(face), len(grid.columns)
    places = [(i + 0.5) / side * columns - 0.5 for i in range(side)]
    under = {
        "type": "heatmap", "x": places, "y": places, "z": face, "colorscale": _GREYS,
        "showscale": False, "hoverinfo": "skip",
    }  # fmt: skip
    veil = {"colorscale": _VEIL, "textfont": {"color": "#000000"}, "xgap": 1, "ygap": 1}
    spec["data"][0] |= veil
    spec["data"].insert(0, under)
    return spec


def _end(rows: list[AttentionRow]) -> float:
    return max(LEAST_END, *(max(row.weights) * len(row.weights) for row in rows))


def _times_even(rows: list[AttentionRow], k: int) -> list[list[float | None]]:
    return [
        [*(x * len(row.weights) for x in row.weights), *[None] * (k - len(row.weights))]
        for row in rows
    ]


def _side(row: AttentionRow) -> int | None:
    side = math.isqrt(len(row.weights)) if row.placed != "nowhere" else 0
    return side if side**2 == len(row.weights) and side > 1 else None


def _most(row: AttentionRow) -> tuple[str, str]:
    """Where most of the attention goes, and how much."""
    place = max(range(len(row.weights)), key=row.weights.__getitem__)
    return _named(row, place), _percent(row.weights[place])


def _cell(row: int, column: int) -> str:
    return say("row {i}, column {j}", i=row + 1, j=column + 1)


def _named(row: AttentionRow, place: int) -> str:
    side = _side(row) if row.over == "regions" else None
    if side is None:
        one = english("view {n}") if row.over == "views" else english("region {n}")
        return say(one, n=place + 1)
    return _cell(place // side, place % side)


def _table(over: str, rows: list[AttentionRow], caption: str) -> Table:
    found = []
    for row in rows:
        high, even = max(row.weights), 1 / len(row.weights)
        found.append([
            Cell(plain(row.aggregator), head=True), Cell(plain(row.backbone)),
            Cell(_named(row, row.weights.index(high))), Cell(_percent(high), high),
            Cell(_percent(min(row.weights)), min(row.weights)), Cell(_percent(even), even),
            Cell(" ".join(f"{100 * x:.1f}" for x in row.weights)),
            Cell(count(row.n_seeds), row.n_seeds), Cell(count(row.n), row.n),
            Cell(count(row.n_subjects), row.n_subjects),
        ])  # fmt: skip
    columns = (
        say("aggregator"), say("backbone"), say("most to"), say("most"), say("least"),
        say("even"), say("all shares, %"), say("seeds"), say("faces"), say("people"),
    )  # fmt: skip
    return table(f"attention-{over}-table", caption, columns, found)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

"""What a report is made of, before any HTML: frozen values that the template draws.

A section decides what is said; a block says what kind of thing it is; only the template knows HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from reports.format import beside, plural
from reports.language import english

Spec = dict[str, Any]
"""A plotly figure as plain data: ``{"data": [...], "layout": {...}}``."""

Size = Literal["full", "half", "small"]
"""How wide a panel of a figure is where the screen is wide."""


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown, the number to sort by, and the mark of its footnote.

    ``detail`` stands below the text in small; ``tone`` makes a badge of the text; ``href`` a link.
    """

    text: str
    sort: float | None = None
    mark: str = ""
    head: bool = False
    detail: str = ""
    tone: str = ""
    href: str = ""


@dataclass(frozen=True)
class Column:
    """A column head; numbers are set flush right."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its caption. ``summary`` folds it away under that line.

    ``stack`` sets every row as a card where the screen is narrow. ``filters`` are the columns that
    a reader can narrow down by words. ``gaps``: the rows are gaps, which a page has a limit for.
    """

    kind: ClassVar[str] = "table"
    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    summary: str | None = None
    footnotes: tuple[tuple[str, str], ...] = ()
    more: str | None = None
    stack: bool = False
    filters: tuple[int, ...] = ()
    gaps: bool = False


@dataclass(frozen=True)
class Panel:
    """One drawing of a figure: what plotly draws, and the same in a sentence for who cannot see."""

    id: str
    title: str
    alt: str
    spec: Spec
    height: int


@dataclass(frozen=True)
class Figure:
    """One or more panels under one caption, with the table of what they show.

    ``fold`` hides all of it under its title, until a reader asks for it.
    """

    kind: ClassVar[str] = "figure"
    id: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    table: Table
    size: Size = "full"
    fold: bool = False


@dataclass(frozen=True)
class Notice:
    """Something to know before trusting a number."""

    kind: ClassVar[str] = "notice"
    severity: Literal["info", "warning", "serious"]
    title: str
    text: str
    where: str | None = None


@dataclass(frozen=True)
class Prose:
    """Paragraphs of plain text."""

    kind: ClassVar[str] = "prose"
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The question of the page, and its answer in sentences, the gravest first."""

    kind: ClassVar[str] = "answer"
    question: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A few short reasons under a label; ``more`` is the section that has them all."""

    kind: ClassVar[str] = "listed"
    label: str
    items: tuple[str, ...]
    more: str
    most: int


@dataclass(frozen=True)
class Heading:
    """The title of a part of a section."""

    kind: ClassVar[str] = "heading"
    id: str
    text: str


@dataclass(frozen=True)
class Tile:
    """One number that is read from afar."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Tiles:
    """Numbers side by side."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Side:
    """The worst or the best served group of a card."""

    role: str
    group: str
    value: str
    people: str


@dataclass(frozen=True)
class Card:
    """Who is served worst for one combination of attributes, by how much, and how sure."""

    title: str
    sides: tuple[Side, ...]
    difference: str
    debiased: str | None
    badge: str
    tone: Literal["gap", "none", "open"]
    sure: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Cards:
    """Cards side by side."""

    kind: ClassVar[str] = "cards"
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values, as a description list."""

    kind: ClassVar[str] = "facts"
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Face:
    """One small picture (``source`` is a data URI) and what is said about it."""

    source: str
    caption: str


@dataclass(frozen=True)
class Faces:
    """Single faces side by side."""

    kind: ClassVar[str] = "faces"
    faces: tuple[Face, ...]


Block = Table | Figure | Notice | Prose | Answer | Listed | Heading | Tiles | Cards | Facts | Faces


@dataclass(frozen=True)
class Section:
    """A part of the page with a place in its table of contents; folded until a reader asks."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    fold: bool = True

    @property
    def inside(self) -> str:
        """What a reader finds who unfolds it: ``2 figures, 3 tables``."""
        figures = sum(isinstance(block, Figure) for block in self.blocks)
        tables = figures + sum(isinstance(block, Table) for block in self.blocks)
        drawn = plural(figures, english("{n} figure"), english("{n} figures")) if figures else ""
        listed = plural(tables, english("{n} table"), english("{n} tables")) if tables else ""
        return beside(drawn, listed)


def table(
    id: str,
    caption: str,
    columns: Sequence[str | Column],
    rows: Sequence[Sequence[Cell | str]],
    *,
    summary: str | None = None,
    footnotes: dict[str, str] | None = None,
    more: str | None = None,
    stack: bool = False,
    filters: tuple[int, ...] = (),
    gaps: bool = False,
) -> Table:
    """A table from plain texts and cells; a column is numeric where its cells carry numbers."""
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    heads = tuple(
        name
        if isinstance(name, Column)
        else Column(name, numeric=any(row[j].sort is not None for row in cells))
        for j, name in enumerate(columns)
    )
    notes = tuple((mark, words) for words, mark in (footnotes or {}).items())
    body = tuple(map(tuple, cells))
    return Table(id, caption, heads, body, summary, notes, more, stack, filters, gaps)

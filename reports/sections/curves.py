"""What the sections of curves share: the curves of a record, arranged by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audit.result import AuditResult
from audit.rows import CurveRow, Group
from reports.blocks import Cell, Column, Table, table
from reports.figures import Line, Point
from reports.format import beside, count, estimate, faces, group_label, number
from reports.language import say
from reports.order import in_order, is_sized

MAX_PANELS = 16
MAX_IN_SIGHT = 8
"""Figures with a panel for each of more groups are folded away."""
MAX_ROWS = 1000


@dataclass(frozen=True)
class Curve:
    """The points of one curve in one group."""

    group: Group
    rows: tuple[CurveRow, ...]


def curves_of(
    result: AuditResult, name: str, class_: str | None = None
) -> dict[tuple[str, ...], list[Curve]]:
    """The curves of one name, or of one class, by the attributes of their groups.

    ``()`` is everyone.

    Only the simplest groups of the record are drawn, single attributes as a rule: curves of
    intersections rest on too few faces to be read as curves.
    """
    points: dict[tuple[tuple[str, str | None], ...], list[CurveRow]] = {}
    for row in result.curves:
        if row.name == name and class_ in (None, row.class_):
            points.setdefault(tuple(row.group.items()), []).append(row)
    arranged: dict[tuple[str, ...], list[Curve]] = {}
    for key, rows in points.items():
        group = dict(key)
        arranged.setdefault(tuple(group), []).append(Curve(group, tuple(rows)))
    simplest = min((len(names) for names in arranged if names), default=0)
    return {names: _ordered(found) for names, found in arranged.items() if len(names) <= simplest}


def _ordered(curves: list[Curve]) -> list[Curve]:
    """Groups that are ages, bands or numbers in their order."""
    values = [next(iter(curve.group.values()), None) for curve in curves]
    if len(curves[0].group) != 1 or not is_sized(values):
        return curves
    place = {value: i for i, value in enumerate(in_order(values))}
    return sorted(curves, key=lambda curve: place[next(iter(curve.group.values()))])


def line_of(curve: Curve, unit: str, *, quiet: bool = False) -> Line:
    """A curve as a line; points without a value stay in the table."""
    points = [
        Point(float(row.x), float(row.y), row.low, row.high, _hover(curve.group, row, unit))
        for row in curve.rows
        if row.y is not None
    ]
    return Line(group_label(curve.group), points, quiet)


def banded(rows: Sequence[CurveRow], name: str) -> list[Line]:
    """A curve as a line inside the band of its intervals."""
    points = [
        Point(
            float(row.x), float(row.y), row.low, row.high,
            beside(name, _hover(row.group, row, "")),
        )
        for row in rows
        if row.y is not None
    ]  # fmt: skip
    bare = [replace(point, low=None, high=None) for point in points]
    return [Line("", points, shade=True), Line(name, bare)]


def _hover(group: Group, row: CurveRow, unit: str) -> str:
    y = None if row.y is None else float(row.y)
    said = beside(estimate(y, row.low, row.high, unit), faces(row.n))
    return say("{name}: {text}", name=beside(group_label(group), str(row.x)), text=said)


def points_table(
    id: str, caption: str, curves: Sequence[Curve], heads: tuple[str, str, str], unit: str
) -> Table:
    """Every point of some curves; ``heads`` name x, y and z as said, an empty z has no column."""
    with_z = bool(heads[2])
    rows = []
    for curve in curves:
        for row in curve.rows:
            y = None if row.y is None else float(row.y)
            cells = [
                Cell(group_label(curve.group), head=True),
                Cell(f"{float(row.x):g}" if not with_z else number(float(row.x)), float(row.x)),
                Cell(estimate(y, row.low, row.high, unit), y),
                *([Cell(number(row.z), row.z)] if with_z else []),
                Cell(count(row.n), row.n),
            ]
            rows.append(cells)
    names = [name for name in heads if name]
    columns: list[str | Column] = [
        say("group"),
        *(Column(name, numeric=True) for name in (*names, say("faces"))),
    ]
    cut = len(rows) - MAX_ROWS
    more = say("{n} more points are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(id, caption, columns, rows[:MAX_ROWS], more=more)

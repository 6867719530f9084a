"""A map of the canonical face: cells as times an even share, under the outlines of its regions."""

from __future__ import annotations

from collections.abc import Sequence

from audit.face_regions import BOXES, SIDE
from audit.rows import CurveRow
from reports.blocks import Spec
from reports.figures import Grid, picture
from reports.format import number
from reports.language import say


def face_map(
    values: Sequence[Sequence[float]], ends: tuple[float, float], *, diverging: bool
) -> Spec:
    """A map of the canonical face with its regions as dotted boxes."""
    names = [str(i + 1) for i in range(SIDE)]
    hovers = [
        [
            say("row {i}, column {j}: {times} times an even share",
                i=i + 1, j=j + 1, times=number(x))
            for j, x in enumerate(line)
        ]
        for i, line in enumerate(values)
    ]  # fmt: skip
    empty = [[""] * SIDE for _ in range(SIDE)]
    spec = picture(Grid(names, names, values, empty, hovers), ends=ends, diverging=diverging)
    spec["layout"]["shapes"] = [
        {
            "type": "rect", "line": {"color": "var(--ink)", "width": 1, "dash": "dot"},
            "x0": SIDE * x0 - 0.5, "x1": SIDE * x1 - 0.5,
            "y0": SIDE * y0 - 0.5, "y1": SIDE * y1 - 0.5,
        }
        for x0, y0, x1, y1 in BOXES.values()
    ]  # fmt: skip
    return spec


def cells_of(rows: Sequence[CurveRow]) -> list[list[float]] | None:
    """Cells row by row as times an even share; None where the map is not shown."""
    place = {(row.y, row.x): row.z * SIDE**2 for row in rows if row.z is not None}
    if len(place) < SIDE**2:
        return None
    at = range(1, SIDE + 1)
    return [[place[float(y), float(x)] for x in at] for y in at]

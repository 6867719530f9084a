"""Reliability curves without bins, and the band in which perfect calibration would put them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.groups import MAX_DRAWN, Grouping
from audit.intervals import order_interval
from audit.metrics.calibration_null import NULL_DRAWS
from audit.metrics.isotonic import Ordered, isotonic
from audit.rows import CurveRow

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_SAME = 1e-12  # steps that differ by rounding only are one
DESCRIPTIONS = {
    "reliability_isotonic": "x: confidence where a step of the isotonic (CORP) curve begins or "
    "ends, y: accuracy of the step, low and high: where 95 % of 100 curves of a perfectly "
    "calibrated model lie at x, z: share of the faces on the step, n: faces on the step",
}


@dataclass(frozen=True, eq=False)
class Curves:
    """The isotonic curves of one combination while labels are drawn.

    ``at`` indexes the distinct confidences where a step begins or ends, P of them; ``x``,
    ``group``, and the ``height``, ``mass`` and ``faces`` of the step are (P,). ``drawn``
    (draws, P) is filled draw by draw with the height of a calibrated model's curve there.
    """

    at: IntArray
    x: FloatArray
    group: IntArray
    height: FloatArray
    mass: FloatArray
    faces: IntArray
    drawn: FloatArray


def curves_to_draw(
    grouping: Grouping, o: Ordered, right: npt.NDArray[np.bool_], weight: FloatArray
) -> Curves | None:
    """The isotonic curve of every group, unless there are too many groups to draw."""
    if len(grouping.groups) > MAX_DRAWN:
        return None
    height = isotonic(o, o.hits(right, weight))
    new = np.ones(len(height), dtype=np.bool_)
    new[1:] = (np.diff(height) > _SAME) | (np.diff(o.group) != 0)
    step = np.cumsum(new) - 1
    last = np.append(new[1:], True)[: len(new)]
    at = np.flatnonzero(new | last)
    mass, faces = np.bincount(step, o.mass), np.bincount(step[o.at])
    return Curves(
        at=at,
        x=o.score[at],
        group=o.group[at],
        height=height[at],
        mass=mass[step[at]] / o.by_group(o.mass)[o.group[at]],
        faces=faces[step[at]],
        drawn=np.empty((NULL_DRAWS, len(at))),
    )


def curve_rows(grouping: Grouping, curves: Curves) -> Iterator[CurveRow]:
    """The isotonic curve of every group with its band."""
    for i, g in enumerate(curves.group):
        low, high = order_interval(curves.drawn[:, i], 0.95)
        yield CurveRow(
            name="reliability_isotonic",
            group=grouping.label(int(g)),
            x=float(curves.x[i]),
            y=float(curves.height[i]),
            z=float(curves.mass[i]),
            low=low,
            high=high,
            n=int(curves.faces[i]),
        )

"""Reliability curves without bins, and the band in which perfect calibration would put them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.groups import Grouping
from audit.intervals import order_interval
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
    """The isotonic curves of one combination at P distinct confidences where a step begins or ends.

    ``x``, ``group``, and the ``height``, ``mass`` and ``faces`` of the step are (P,). ``drawn``
    (draws, P) are the heights of a calibrated model's curve there.
    """

    x: FloatArray
    group: IntArray
    height: FloatArray
    mass: FloatArray
    faces: IntArray
    drawn: FloatArray


def curves(o: Ordered, hits: FloatArray, drawn: Iterable[FloatArray]) -> Curves:
    """The isotonic curve of every group, and those of worlds that are calibrated."""
    height = isotonic(o, hits)
    new = np.ones(len(height), dtype=np.bool_)
    new[1:] = (np.diff(height) > _SAME) | (np.diff(o.group) != 0)
    step = np.cumsum(new) - 1
    last = np.append(new[1:], True)[: len(new)]
    at = np.flatnonzero(new | last)
    mass = np.bincount(step, o.mass)
    faces = np.bincount(step, np.diff(o.first)).astype(np.int64)
    return Curves(
        x=o.score[at],
        group=o.group[at],
        height=height[at],
        mass=mass[step[at]] / o.total[o.group[at]],
        faces=faces[step[at]],
        drawn=np.array([isotonic(o, other)[at] for other in drawn]),
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

"""Reliability curves without bins, and the bands in which perfect calibration would put them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.groups import MAX_DRAWN, Grouping
from audit.intervals import order_interval
from audit.metrics.binning import N_BINS, bin_index
from audit.metrics.calibration_null import NULL_DRAWS
from audit.metrics.core import divide
from audit.metrics.isotonic import Ordered, isotonic
from audit.rows import CurveRow

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_SAME = 1e-12  # steps that differ by rounding only are one
DESCRIPTIONS = {
    "reliability_isotonic": "x: confidence where a step of the isotonic (CORP) curve begins or "
    "ends, y: accuracy of the step, low and high: where 95 % of 100 curves of a perfectly "
    "calibrated model lie at x, z: share of the faces on the step, n: faces on the step",
    "reliability_expected": "x: mean confidence of an equal-width bin, y: accuracy in it of a "
    "perfectly calibrated model, low and high: where 95 % of 100 draws of it lie, z: share of the "
    "faces, n: faces",
}


@dataclass(frozen=True, eq=False)
class Curves:
    """The curves of one combination while labels are drawn.

    ``at`` indexes the distinct confidences where a step begins or ends, P of them; ``height``,
    ``mass`` and ``faces`` (P,) are those of the step, ``bin_faces`` (G, B) of the equal-width
    bins. ``steps`` (draws, P) and ``hits`` (draws, G, B) are filled draw by draw, and ``bins``.
    """

    x: FloatArray
    group: IntArray
    at: IntArray
    height: FloatArray
    mass: FloatArray
    faces: IntArray
    steps: FloatArray
    hits: FloatArray
    bins: FloatArray
    bin_faces: IntArray


def curves_to_draw(
    grouping: Grouping, o: Ordered, right: npt.NDArray[np.bool_], weight: FloatArray
) -> Curves | None:
    """The isotonic curve of every group, unless there are too many groups to draw."""
    n_groups = len(grouping.groups)
    if n_groups > MAX_DRAWN:
        return None
    height = isotonic(o, o.hits(right, weight))
    new = np.ones(len(height), dtype=np.bool_)
    new[1:] = (np.diff(height) > _SAME) | (np.diff(o.group) != 0)
    step = np.cumsum(new) - 1
    last = np.append(new[1:], True)[: len(new)]
    at = np.flatnonzero(new | last)
    mass, faces = np.bincount(step, o.mass), np.bincount(step[o.at])
    bin_faces = np.zeros((n_groups, N_BINS), dtype=np.int64)
    np.add.at(bin_faces, (o.group, bin_index(o.score, N_BINS)), np.bincount(o.at))
    total = o.by_group(o.mass)[o.group[at]]
    return Curves(
        x=o.score[at],
        group=o.group[at],
        at=at,
        height=height[at],
        mass=mass[step[at]] / total,
        faces=faces[step[at]],
        steps=np.empty((NULL_DRAWS, len(at))),
        hits=np.empty((NULL_DRAWS, n_groups, N_BINS)),
        bins=np.zeros((2, n_groups, N_BINS)),
        bin_faces=bin_faces,
    )


def add_draw(
    curves: Curves, number: int, o: Ordered, hits: FloatArray, grouped: Mapping[str, FloatArray]
) -> None:
    """Write the curves of one draw of labels in their place."""
    curves.steps[number] = isotonic(o, hits)[curves.at]
    curves.hits[number] = divide(grouped["bin_hit"], grouped["bin_w"])
    curves.bins[:] = grouped["bin_w"], grouped["bin_conf"]


def curve_rows(grouping: Grouping, curves: Curves) -> Iterator[CurveRow]:
    """The isotonic curve of every group, and its bins as perfect calibration would fill them."""
    for i, g in enumerate(curves.group):
        low, high = order_interval(curves.steps[:, i], 0.95)
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
    weight, confidence = curves.bins
    for g, b in zip(*np.nonzero(weight > 0), strict=True):
        low, high = order_interval(curves.hits[:, g, b], 0.95)
        yield CurveRow(
            name="reliability_expected",
            group=grouping.label(int(g)),
            x=float(confidence[g, b] / weight[g, b]),
            y=float(curves.hits[:, g, b].mean()),
            z=float(weight[g, b] / weight[g].sum()),
            low=low,
            high=high,
            n=int(curves.bin_faces[g, b]),
        )

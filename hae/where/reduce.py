"""Maps and boxes of a face to shares of the canonical face's regions and of its cells.

A map (h, w) is read as mass spread evenly within each of its cells, a box as mass spread evenly
over itself, so that a share is an exact area. Both are in shares of the network's input, in which
the canonical face lies as a :class:`Face` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.face_regions import BOXES, SIDE
from hae.where.face import Face

FloatArray = npt.NDArray[np.float64]
CANONICAL = Face()


@dataclass(frozen=True, eq=False)
class Shares:
    """Of n faces: ``regions`` (n, 9), which sum to 1, and ``cells`` (n, 49), row by row.

    Where nothing was looked at, both are NaN.
    """

    regions: FloatArray
    cells: FloatArray


def of_maps(maps: FloatArray, face: Face = CANONICAL) -> Shares:
    """Of maps (n, h, w) of at least 0, of any scale.

    Examples
    --------
    >>> lower = np.array([[[0.0, 0.0], [0.0, 1.0]]])  # the right half of the lower half
    >>> of_maps(lower).regions.round(3)[0, [2, 6, 8]].tolist()
    [0.0, 0.144, 0.54]
    """
    total = maps.sum(axis=(1, 2))
    good = np.isfinite(total) & (total > 0)
    mass = np.where(good[:, None, None], maps, np.nan) / np.where(good, total, 1.0)[:, None, None]
    height, width = maps.shape[1:]
    edges_y, edges_x = (np.linspace(0, 1, k + 1) for k in (height, width))

    def held(low: FloatArray, high: FloatArray, edges: FloatArray) -> FloatArray:
        return _held(edges[:-1], edges[1:], low[:, None], high[:, None])  # (parts, cells)

    x0, y0, x1, y1 = _boxes(face)
    regions = np.einsum(
        "nhw,rh,rw->nr", mass, held(y0, y1, edges_y), held(x0, x1, edges_x), optimize=True
    )
    (x0, x1), (y0, y1) = _cells(face)
    cells = np.einsum(
        "nhw,rh,cw->nrc", mass, held(y0, y1, edges_y), held(x0, x1, edges_x), optimize=True
    )
    return _shares(regions, cells)


def of_boxes(boxes: FloatArray, face: Face = CANONICAL) -> Shares:
    """Of boxes (n, p, 4), x0, y0, x1, y1: the mean over a face's boxes.

    A box that holds the whole input chooses nothing; it counts only where a face has no other.
    """
    x0, y0, x1, y1 = np.moveaxis(boxes, -1, 0)  # (n, p)
    whole = (x0 <= 0) & (y0 <= 0) & (x1 >= 1) & (y1 >= 1)
    weight = np.where(whole.all(axis=1, keepdims=True), 1.0, ~whole)
    weight = weight / weight.sum(axis=1, keepdims=True)
    good = (np.isfinite(boxes).all(axis=-1) & (x1 > x0) & (y1 > y0)).all(axis=1)
    x0, y0, x1, y1 = (np.where(good[:, None], part, np.nan) for part in (x0, y0, x1, y1))

    def held(a: FloatArray, b: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        return _held(a[..., None], b[..., None], low, high)  # (n, p, parts)

    rx0, ry0, rx1, ry1 = _boxes(face)
    columns, rows = _cells(face)
    across, down = held(x0, x1, rx0, rx1), held(y0, y1, ry0, ry1)
    regions = np.einsum("np,npr,npr->nr", weight, down, across)
    across, down = held(x0, x1, *columns), held(y0, y1, *rows)
    return _shares(regions, np.einsum("np,npr,npc->nrc", weight, down, across))


def _held(a: FloatArray, b: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """What part of the stretches [a, b] lies in [low, high]."""
    inside = np.minimum(b, high) - np.maximum(a, low)
    return np.asarray(np.maximum(inside, 0.0) / (b - a))


def _boxes(face: Face) -> FloatArray:
    """The regions' boxes in shares of the input, (4, 8)."""
    start = np.array([face.left, face.top, face.left, face.top])[:, None]
    return np.asarray(start + face.side * np.array(list(BOXES.values())).T)


def _cells(face: Face) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
    """Where columns and rows of cells begin and end."""
    edges = face.side * np.linspace(0, 1, SIDE + 1)
    across, down = edges + face.left, edges + face.top
    return (across[:-1], across[1:]), (down[:-1], down[1:])


def _shares(regions: FloatArray, cells: FloatArray) -> Shares:
    outside = np.maximum(1.0 - regions.sum(axis=1, keepdims=True), 0.0)
    found = np.concatenate([regions, outside], axis=1)
    return Shares(found / found.sum(axis=1, keepdims=True), cells.reshape(len(cells), -1))

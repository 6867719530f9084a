"""Soft shapes on many small pictures at once: masks, strokes and colour blending.

Only +, -, *, /, minimum and maximum are used on pixels. IEEE 754 rounds each of them correctly, so
a pixel has the same bits wherever it lies in a batch and however numpy vectorises the loop; a fused
or approximated function would not promise that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.floating[Any]]
"""float32: (n, h, w), or (n, 1, 1) for one number per face."""
Number = Plane | float


@dataclass(frozen=True, eq=False)
class Region:
    """Some rows of n pictures, seen in the faces' own coordinates.

    The face's centre is (0, 0), an adult's head reaches to about 0.5 sideways and 0.7 up and down;
    ``v`` points down. ``u`` follows the turned head, ``side`` is |u|: both halves in one stroke.
    """

    image: npt.NDArray[np.float32]  # (3, n, h, w), grey levels; a channel fits into the cache
    shade: Plane  # relief of the skin: negative is darker
    u: Plane
    v: Plane
    side: Plane
    pixel: Plane  # (n, 1, 1), width of a pixel in face coordinates

    def rows(self, keep: slice) -> Region:
        """The same faces, fewer rows."""
        return Region(
            self.image[:, :, keep],
            self.shade[:, keep],
            self.u[:, keep],
            self.v[:, keep],
            self.side[:, keep],
            self.pixel,
        )


def clipped(plane: Plane) -> Plane:
    """Cut to [0, 1], in place."""
    clip: Plane = np.clip(plane, np.float32(0), np.float32(1), out=plane)
    return clip


def positive(plane: Plane) -> Plane:
    """Raise what is below 0 to 0, in place; ``np.maximum`` with a number is five times slower."""
    clip: Plane = np.clip(plane, np.float32(0), np.float32(np.inf), out=plane)
    return clip


def _squares(x: Plane, y: Plane, at: tuple[Number, Number], radii: tuple[Number, Number]) -> Plane:
    across = x - at[0]
    across *= np.float32(1) / radii[0]
    across *= across
    along = y - at[1]
    along *= np.float32(1) / radii[1]
    along *= along
    across += along
    return across


def ellipse(
    x: Plane, y: Plane, at: tuple[Number, Number], radii: tuple[Number, Number], pixel: Plane
) -> Plane:
    """1 inside an ellipse, 0 outside, with an edge about a pixel wide."""
    mask = _squares(x, y, at, radii)
    steep = np.minimum(radii[0], radii[1]) / (2 * pixel)
    mask *= -steep
    mask += steep + np.float32(0.5)
    return clipped(mask)


def glow(x: Plane, y: Plane, at: tuple[Number, Number], radii: tuple[Number, Number]) -> Plane:
    """A round hill, max(0, 1 - r²): 1 in the middle, 0 from the radii on."""
    hill = _squares(x, y, at, radii)
    np.subtract(np.float32(1), hill, out=hill)
    return positive(hill)


def stroke(
    x: Plane,
    y: Plane,
    span: tuple[Number, Number],
    course: tuple[Number, Number, Number],
    width: Number,
) -> Plane:
    """A line that tapers at both ends: y = height + slope t + bend t², t from -1 to 1 along x.

    ``span``: (middle, half length) in x; ``course``: (height, slope, bend); ``width``: half of it.
    The mask is max(0, 1 - t² - |distance in y| / width).
    """
    t = x - span[0]
    t *= np.float32(1) / span[1]
    square = t * t
    t *= course[1]
    t += course[0]
    t -= y
    bend = square * course[2]
    t += bend
    np.abs(t, out=t)
    t *= np.float32(1) / width
    t += square
    np.subtract(np.float32(1), t, out=t)
    return positive(t)


def below(distance: Plane, pixel: Plane) -> Plane:
    """1 where the distance to an edge is positive, 0 where negative, a pixel wide; in place."""
    distance *= np.float32(1) / pixel
    distance += np.float32(0.5)
    return clipped(distance)


def blend(image: npt.NDArray[np.float32], mask: Plane, colour: Plane) -> None:
    """Lay a colour (3, n, 1, 1) or picture (3, n, h, w) over the image, in place."""
    for under, over in zip(image, colour, strict=True):
        change = over - under
        change *= mask
        under += change


def emboss(region: Region, mask: Plane, depth: Number) -> None:
    """Lower (positive depth) the relief of the skin under the mask."""
    mask *= depth
    region.shade[...] -= mask

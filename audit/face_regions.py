"""The canonical face: its regions, as boxes in shares of its side, defined here alone.

It is upright and centred, its eyes at 0.40 and its mouth at 0.73 of its height. Left and right are
the viewer's: the left eye is the one on the left of the picture, the person's right. What no box
holds (hair, ears, jaw line, neck, background) is ``outside``.
"""

from __future__ import annotations

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares, from the top left."""

BOXES: dict[str, Box] = {
    "forehead": (0.20, 0.08, 0.80, 0.30),
    "left_eye": (0.15, 0.30, 0.50, 0.50),
    "right_eye": (0.50, 0.30, 0.85, 0.50),
    "nose": (0.38, 0.50, 0.62, 0.64),
    "left_cheek": (0.15, 0.50, 0.38, 0.64),
    "right_cheek": (0.62, 0.50, 0.85, 0.64),
    "mouth": (0.30, 0.64, 0.70, 0.82),
    "chin": (0.30, 0.82, 0.70, 0.97),
}
EYES, MOUTH = 0.40, 0.73
"""Heights of the middle of the eyes and of the mouth."""
OUTSIDE = "outside"
REGIONS = (*BOXES, OUTSIDE)
SIDE = 7
"""Cells by side of a map of the canonical face."""

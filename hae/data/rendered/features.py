"""Eyes, brows, nose and mouth: what has a colour of its own."""

from __future__ import annotations

import numpy as np

from hae.data.rendered.anatomy import Measures
from hae.data.rendered.shapes import Plane, Region, below, blend, clipped, ellipse, positive, stroke


def paint_eyes(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """White, iris, pupil, glint, and the line of the upper lid, which sags at its outer end."""
    at = (p["eye_u"], p["eye_v"])
    t = face.side - at[0]
    t *= 1 / p["eye_half"]
    arch = t * t
    np.subtract(np.float32(1), arch, out=arch)  # 1 in the middle of the eye, 0 at its corners
    sag = t * p["droop"]
    upper = face.v - (at[1] + np.float32(0.3) * p["droop"])
    upper -= sag
    lid = upper + arch * p["eye_open"]
    lower = arch * (np.float32(0.8) * p["eye_open"])
    lower += at[1]
    lower -= face.v
    inside = below(np.minimum(lid, lower), face.pixel)
    blend(face.image, inside, colours["white"])
    for name, size in (("iris", 1.0), ("pupil", 0.5)):
        disc = p["iris_size"] * np.float32(size)
        mask = ellipse(face.side, face.v, at, (disc, disc), face.pixel)
        mask *= inside
        blend(face.image, mask, colours[name])
    glint_size = np.float32(0.3) * p["iris_size"]
    glint = ellipse(
        face.side, face.v, (at[0] - 0.02, at[1] - 0.022), (glint_size, glint_size), face.pixel
    )
    glint *= inside
    glint *= np.float32(0.85)
    blend(face.image, glint, colours["glint"])
    lash = np.abs(lid)
    lash *= -1 / (np.float32(0.55) * face.pixel + np.float32(0.014))
    lash += np.float32(1.25)
    arch *= np.float32(8)
    arch += np.float32(0.6)
    lash *= clipped(arch)
    blend(face.image, clipped(lash), colours["lash"])


def paint_brows(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Brows; anger lowers their inner ends, worry lifts them, age lets the outer ends sink."""
    slope = 0.06 * p["frown"] * -1 + 0.06 * p["worry"] + 0.03 * p["aged"]
    course = (p["brow_v"], slope, 0.025)
    brow = stroke(face.side, face.v, (p["eye_u"] + 0.01, 0.155), course, 1.6 * p["brow_width"])
    brow *= np.float32(1.7)
    blend(face.image, clipped(brow), colours["brow"])


def paint_nose(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Nostrils and the line under the nose."""
    nose, half = p["nose_v"], p["nose_half"]
    base = stroke(face.u, face.v, (0.0, 1.15 * half), (nose, 0.0, -0.035), 0.032)
    base *= np.float32(0.85)
    blend(face.image, base, colours["line"])
    hole = ellipse(face.side, face.v, (0.5 * half, nose - 0.012), (0.24 * half, 0.017), face.pixel)
    hole *= np.float32(0.8)
    blend(face.image, hole, colours["hole"])
    wing = stroke(face.v, face.side, (nose - 0.03, 0.055), (half, 0.0, -0.02), 0.024)
    wing *= np.float32(0.25) + np.float32(0.45) * p["aged"]
    blend(face.image, wing, colours["line"])


def paint_mouth(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Lips, the opening between them, teeth in a smile."""
    t = face.u * (1 / p["mouth_half"])
    t *= t
    arch: Plane = 1 - t
    middle = arch * (np.float32(0.075) * p["smile"])  # the corners go up in a smile
    middle += p["mouth_v"] - np.float32(0.02) * p["smile"]
    offset = face.v - middle
    gap = np.float32(0.115) * np.maximum(p["open"], 0)
    reach: Plane = arch * np.float32(5)  # nothing of the mouth lies beyond its corners
    reach += np.float32(0.3)
    reach = clipped(reach)
    arch = positive(arch)
    upper = arch * (p["lip"] * np.float32(0.9) + np.float32(0.35) * gap)
    upper += offset
    lower = arch * (p["lip"] * np.float32(1.2) + gap)
    lower -= offset
    lips = below(np.minimum(upper, lower), face.pixel)
    lips *= reach
    blend(face.image, lips, colours["lip"])
    hole_up = arch * (np.float32(0.35) * gap)
    hole_up += offset
    hole_down = arch * gap
    hole_down -= offset
    hole = below(np.minimum(hole_up, hole_down), face.pixel)
    hole *= np.minimum(gap * np.float32(40), np.float32(1))
    hole *= reach
    blend(face.image, hole, colours["hole"])
    teeth: Plane = (np.float32(0.03) - offset) * (1 / face.pixel)
    hole *= clipped(teeth)
    hole *= np.minimum(np.maximum(p["smile"], 0) * np.float32(2), np.float32(0.9))
    blend(face.image, hole, colours["teeth"])
    line = np.abs(offset)
    line *= -1 / (face.pixel * np.float32(0.6) + np.float32(0.012))
    line += 1
    line = clipped(line)
    line *= reach
    line *= np.float32(0.85)
    blend(face.image, line, colours["line"])

"""The outline of the head and the relief of its skin: light, folds, wrinkles, bags, spots."""

from __future__ import annotations

import numpy as np

from hae.data.rendered.anatomy import Measures, ramp
from hae.data.rendered.people import N_SPOTS
from hae.data.rendered.shapes import Plane, Region, clipped, emboss, glow, positive, stroke

FOREHEAD_LINES = ((0.10, 21), (0.20, 34), (0.155, 47), (0.26, 58), (0.055, 70))
"""(height above the brows, age of onset) of each line across the forehead."""
CROWS_FEET = ((-0.10, 24), (0.45, 38), (-0.6, 52))
"""(slope, age of onset) of each line beside the eye."""


def head_mask(face: Region, p: Measures) -> Plane:
    """The outline of the head: an ellipse whose lower half tapers to the chin and sags to jowls."""
    q = face.v * (1 / p["half_height"])
    low = positive(q.copy())
    wide = low * low
    wide *= -p["taper"]
    sag = (low - np.float32(0.66)) * np.float32(2.9)
    sag *= sag
    np.subtract(np.float32(1), sag, out=sag)
    sag = positive(sag)
    sag *= p["jowl"]
    wide += sag
    wide += 1
    wide *= p["half_width"]
    q *= q
    across = face.u / wide
    across *= across
    q += across
    steep = p["half_width"] / (2 * face.pixel)
    q *= -steep
    q += steep + np.float32(0.5)
    return clipped(q)


def light(face: Region, p: Measures) -> None:
    """Directional light, and the roundness of forehead, cheeks, nose and chin."""
    face.shade[...] = face.u * (p["light"] * p["light_x"])
    face.shade[...] -= face.v * (p["light"] * p["light_y"] * np.float32(0.6))
    emboss(
        face, glow(face.side, face.v, (0.30, p["nose_v"]), (0.22, 0.22)), -0.12 - 0.02 * p["cheeks"]
    )
    emboss(face, glow(face.u, face.v, (0.0, p["nose_v"] - 0.08), (0.07, 0.2)), -0.15 * p["grown"])


def forehead(face: Region, p: Measures) -> None:
    """Lines across the forehead, one after another; a raised brow folds any forehead a little."""
    for height, onset in FOREHEAD_LINES:
        depth = ramp(p["painted_age"], onset, onset + 30) * p["fold"]
        depth = np.maximum(depth, 0.22 * p["raise"] * p["grown"])
        length = 0.14 + 0.24 * depth
        line = stroke(
            face.u, face.v, (0.0, length), (p["brow_v"] - height, 0.0, 0.03), 0.028 + 0.012 * depth
        )
        emboss(face, line, 0.75 * depth)
    frown = np.maximum(ramp(p["painted_age"], 34, 80) * p["fold"], 0.5 * p["frown"])
    line = stroke(face.v, face.side, (p["brow_v"] + 0.02, 0.09), (0.045, 0.0, 0.01), 0.026)
    emboss(face, line, 0.6 * frown)


def eyes(face: Region, p: Measures) -> None:
    """Sockets, bags, crow's feet and the crease of the lid."""
    age, at = p["painted_age"], p["eye_u"]
    sunken = ramp(age, 45, 95)
    emboss(
        face, glow(face.side, face.v, (at, p["eye_v"] - 0.03), (0.2, 0.15)), 0.05 + 0.25 * sunken
    )
    bag = ramp(age, 25, 85) * p["fold"]
    drop = p["eye_v"] + p["eye_open"] + 0.015 + 0.055 * bag
    line = stroke(face.side, face.v, (at, 0.13), (drop + 0.045, 0.0, -0.07), 0.032)
    emboss(face, line, 0.12 * p["grown"] + 0.6 * bag)
    squint = 0.35 * np.maximum(p["smile"], 0) * p["grown"]
    corner = at + p["eye_half"] + 0.015
    for slope, onset in CROWS_FEET:
        depth = np.maximum(ramp(age, onset, onset + 32) * p["fold"], squint)
        half = 0.02 + 0.055 * depth
        start = p["eye_v"] + 0.01 + slope * half
        line = stroke(face.side, face.v, (corner + half, half), (start, slope * half, 0.0), 0.026)
        emboss(face, line, 0.75 * depth)
    crease = 0.25 * p["grown"] * (1 + 0.3 * p["lid_crease"]) + 0.3 * sunken
    height = p["eye_v"] - p["eye_open"] - 0.035 + 0.6 * p["droop"]
    line = stroke(face.side, face.v, (at, 0.135), (height, p["droop"], 0.03), 0.026)
    emboss(face, line, crease)


def lower_face(face: Region, p: Measures) -> None:
    """Folds from nose to mouth and on to the chin, jowls, hollow cheeks, chin and neck."""
    age = p["painted_age"]
    smile = np.maximum(p["smile"], 0)
    deep = ramp(age, 19, 82) * p["fold"]
    depth = np.maximum(deep, 0.40 * smile + 0.3 * p["squeeze"])
    half = 0.06 + 0.10 * deep + 0.03 * smile
    middle = p["nose_v"] - 0.03 + half
    course = (p["nose_half"] + 0.065 + 0.4 * half, 0.5 * half, -0.02)
    emboss(face, stroke(face.v, face.side, (middle, half), course, 0.036), 0.8 * depth)
    mario = ramp(age, 42, 88) * p["fold"]
    half = 0.03 + 0.075 * mario
    middle = p["mouth_v"] + 0.02 + half
    line = stroke(face.v, face.side, (middle, half), (p["mouth_half"] + 0.035, 0.02, 0.0), 0.030)
    emboss(face, line, 0.75 * mario)
    hollow = ramp(age, 58, 95)
    emboss(face, glow(face.side, face.v, (0.36, p["mouth_v"] - 0.04), (0.13, 0.17)), 0.4 * hollow)
    jowl = ramp(age, 40, 90) * p["fold"]
    low = p["half_height"] * (0.78 + 0.04 * jowl)
    emboss(face, stroke(face.side, face.v, (0.30, 0.13), (low, -0.05, -0.05), 0.05), 0.5 * jowl)
    lips = ramp(age, 55, 88) * p["fold"]
    for at in (0.035, 0.1):
        line = stroke(face.v, face.side, (p["mouth_v"] - 0.06, 0.055), (at, 0.0, 0.0), 0.018)
        emboss(face, line, 0.45 * lips)
    chin = stroke(face.u, face.v, (0.0, 0.1), (p["mouth_v"] + 0.115, 0.0, 0.02), 0.03)
    emboss(face, chin, 0.25 * p["grown"])


def spots(face: Region, p: Measures) -> None:
    """Age spots from a person's own age of onset; freckles and a mole at any age."""
    for index in range(N_SPOTS):
        depth = np.clip((p["painted_age"] - p[f"spot{index}_from"]) / np.float32(20), 0, 1)
        at = (0.42 * p[f"spot{index}_u"], -0.40 + 0.85 * p[f"spot{index}_v"])
        size = 0.03 + 0.025 * depth
        emboss(face, glow(face.u, face.v, at, (size, size)), 0.6 * depth)
    at = (0.40 * p["mole_u"], 0.5 * p["mole_v"])
    emboss(face, glow(face.u, face.v, at, (0.035, 0.035)), 0.9 * p["mole"])


def freckles(face: Region, p: Measures) -> None:
    """Dots over nose and cheeks, of some people at any age."""
    for side, down in ((0.13, -0.02), (0.20, 0.03), (0.27, -0.03), (0.33, 0.02), (0.05, -0.05)):
        dot = glow(face.side, face.v, (side, p["nose_v"] - 0.05 + down), (0.025, 0.025))
        emboss(face, dot, 0.6 * p["freckles"])

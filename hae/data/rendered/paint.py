"""Parameters to pictures, a few faces at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.hashing import Keys, mix
from hae.data.rendered import features, hair, skin
from hae.data.rendered.anatomy import Measures, columns, measures, ramp
from hae.data.rendered.finish import developed
from hae.data.rendered.people import SCALES
from hae.data.rendered.shapes import Plane, Region, blend, ellipse, positive

VERSION = 1
"""Raised whenever the same parameters give other pixels."""
CHUNK = 32
GRAIN = 32
_TURN, _MOVE = 0.15, 0.10  # the largest sine of the tilt; the largest shift plus pitch

Image = npt.NDArray[np.uint8]


def paint(params: pd.DataFrame, size: int, threads: int = 1) -> Image:
    """Paint the faces of some rows of a cohort.

    A face's bytes depend on its own row and on ``size`` alone, not on the other rows, their order,
    or the number of threads.

    Parameters
    ----------
    params : DataFrame
        Rows of ``cohort``.
    size : int
        Side of the square picture, pixels.
    threads : int
        How many chunks are painted at a time.

    Returns
    -------
    (n, size, size, 3) uint8 RGB
    """
    faces = np.empty((len(params), size, size, 3), dtype=np.uint8)
    table = columns(params)
    keys = params["noise_key"].to_numpy(np.uint64)
    starts = range(0, len(params), CHUNK)

    def fill(start: int) -> None:
        some = slice(start, start + CHUNK)
        p = measures({name: column[some] for name, column in table.items()})
        faces[some] = _painted(p, keys[some], size)

    if threads == 1:
        for start in starts:
            fill(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, starts))
    return faces


def _painted(p: Measures, keys: Keys, size: int) -> Image:
    scene = _scene(p, size)
    colours = _palette(p)
    _draw(scene, p, colours, keys)
    return developed(scene.image, p, keys)


def _scene(p: Measures, size: int) -> Region:
    """Face coordinates of every pixel: shift, tilt, scale and the turn of the head undone."""
    n = len(p["tilt"])
    middle = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / size) - 1
    x = middle[None, None, :] - p["shift_x"]
    y = middle[None, :, None] - p["shift_y"]
    square = p["tilt"] * p["tilt"]
    cosine = (1 - square) / (1 + square) / p["scale"]
    sine = 2 * p["tilt"] / (1 + square) / p["scale"]
    u = x * cosine + y * sine
    v = y * cosine - x * sine
    pixel = np.float32(2 / size) / p["scale"]
    image = np.empty((3, n, size, size), dtype=np.float32)
    return Region(image, np.zeros_like(u), u, v, np.abs(u), pixel)


def _turned(scene: Region, p: Measures) -> Region:
    """The features' coordinates: they move further than the outline when the head turns or nods."""
    bulge = scene.u * np.float32(1.8)
    bulge *= bulge
    np.subtract(np.float32(1), bulge, out=bulge)
    v = positive(bulge) * (np.float32(-0.03) * p["pitch"])
    v += scene.v
    bulge *= np.float32(-0.07) * p["yaw"]
    bulge += scene.u
    return Region(scene.image, scene.shade, bulge, v, np.abs(bulge), scene.pixel)


def _rows(size: int, top: float, bottom: float) -> slice:
    """The rows that a part between two heights of the face can reach in any pose."""
    slack = 0.7 * _TURN + _MOVE
    first = min(top * SCALES[0], top * SCALES[1]) - slack
    last = max(bottom * SCALES[0], bottom * SCALES[1]) + slack
    half = size / 2
    return slice(max(int((first + 1) * half) - 1, 0), min(int((last + 1) * half) + 2, size))


def _draw(scene: Region, p: Measures, colours: dict[str, Plane], keys: Keys) -> None:
    size = scene.u.shape[-1]
    face = _turned(scene, p)
    forehead = face.rows(_rows(size, -0.5, 0.05))
    eyes = face.rows(_rows(size, -0.28, 0.30))
    middle = face.rows(_rows(size, -0.1, 0.42))
    lower = face.rows(_rows(size, 0.1, 0.75))
    top = face.rows(_rows(size, -0.85, 0.2))
    hair.paint_background(scene, p, colours)
    hair.paint_behind(scene, p, colours)
    ear = ellipse(
        eyes.side, eyes.v, (p["half_width"] + 0.02, p["ear_v"]), (0.065, p["ear_half"]), scene.pixel
    )
    blend(eyes.image, ear, colours["skin_dark"])
    skin.light(face, p)
    skin.forehead(forehead, p)
    skin.eyes(eyes, p)
    skin.lower_face(lower, p)
    skin.spots(face.rows(_rows(size, -0.45, 0.55)), p)
    skin.freckles(middle, p)
    _roughen(face, p, keys)
    tone = face.shade * (np.float32(36) + np.float32(0.63) * colours["skin"])
    tone += colours["skin"]
    blend(scene.image, skin.head_mask(scene, p), tone)
    features.paint_nose(middle, p, colours)
    features.paint_mouth(lower, p, colours)
    hair.paint_beard(lower, p, colours)
    features.paint_eyes(eyes, p, colours)
    features.paint_brows(eyes, p, colours)
    hair.paint_hair(top, p, colours)
    hair.paint_glasses(eyes, p, colours)


def _roughen(face: Region, p: Measures, keys: Keys) -> None:
    """Uneven skin in cells of 1/32 of the side: the photo's grain, as deep as the age says."""
    size = face.u.shape[-1]
    words = mix(keys[:, None] ^ np.arange(GRAIN * GRAIN // 8, dtype=np.uint64))
    cells = words.astype("<u8").view(np.uint8).reshape(-1, GRAIN, GRAIN).astype(np.float32)
    cells -= np.float32(127.5)
    cells *= ramp(p["painted_age"], 28, 95) * np.float32(0.13 / 127.5)
    face.shade[...] += _widened(_widened(cells, size, 1), size, 2)


def _widened(cells: Plane, size: int, axis: int) -> Plane:
    """Linear interpolation of an axis to ``size`` points."""
    count = cells.shape[axis]
    at = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    low = np.minimum(at.astype(np.int64), count - 2)
    part = (at - low).astype(np.float32).reshape((-1, 1) if axis == 1 else (1, -1))
    first: Plane = cells.take(low, axis)
    step: Plane = cells.take(low + 1, axis)
    step -= first
    step *= part
    first += step
    return first


def _palette(p: Measures) -> dict[str, Plane]:
    def rgb(name: str) -> Plane:
        return np.stack([p[f"{name}_{channel}"] for channel in "rgb"])

    skin_tone, grey = rgb("skin"), p["grey"]
    own = rgb("hair")
    shown = own + (np.float32(205) - own) * grey
    plain = np.ones_like(skin_tone)
    dark = p["frame_dark"]
    red = np.array([1.0, 0.62, 0.60], dtype=np.float32)[:, None, None, None]
    return {
        "back": rgb("back"),
        "cloth": rgb("cloth"),
        "skin": skin_tone,
        "skin_dark": skin_tone * np.float32(0.84),
        "hair": shown,
        "hair_dark": shown * np.float32(0.72),
        "brow": own * np.float32(0.8) + np.float32(0.35) * grey * (np.float32(170) - own),
        "beard": own * np.float32(0.9) + np.float32(0.7) * grey * (np.float32(205) - own),
        "white": plain * np.float32(238),
        "glint": plain * np.float32(255),
        "pupil": plain * np.float32(14),
        "iris": rgb("iris"),
        "lash": skin_tone * np.float32(0.25) + np.float32(4),
        "line": skin_tone * np.float32(0.42) + np.float32(2),
        "hole": skin_tone * np.float32(0.18) + np.float32(6),
        "lip": skin_tone * red * np.float32(0.88) + np.float32(22) * (red > 0.9),
        "teeth": plain * np.float32(245),
        "frame": plain * (np.float32(20) + np.float32(120) * dark * dark),
    }

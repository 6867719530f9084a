"""Hair, beard, glasses, clothes and the wall behind."""

from __future__ import annotations

import numpy as np

from hae.data.rendered.anatomy import Measures
from hae.data.rendered.shapes import Plane, Region, below, blend, clipped, ellipse, glow
from hae.data.rendered.skin import head_mask


def paint_background(scene: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """A wall that is lighter on one side."""
    scene.image[...] = colours["back"]
    fall = scene.u * (np.float32(35) * p["back_light"])
    fall += scene.v * np.float32(-12)
    scene.image[...] += fall


def paint_behind(scene: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Long hair, neck and clothes."""
    width = p["half_width"] + 0.06 + 0.08 * p["hair_volume"]
    length = p["half_height"] * 0.55 + 0.55 * p["hair_length"]
    middle = length - p["half_height"] * 0.95
    long = ellipse(scene.u, scene.v, (0.0, middle), (width, length + 0.02), scene.pixel)
    long *= np.minimum(p["hair_length"] * np.float32(4), np.float32(1))
    blend(scene.image, long, colours["hair_dark"])
    neck = 0.17 + 0.08 * p["grown"]
    sides = below(neck - scene.side, scene.pixel)
    sides *= below(scene.v - 0.3, scene.pixel)
    blend(scene.image, sides, colours["skin_dark"])
    shoulders = ellipse(
        scene.u,
        scene.v,
        (0.0, p["half_height"] + 0.62),
        (0.55 + 0.35 * p["grown"], 0.5),
        scene.pixel,
    )
    blend(scene.image, shoulders, colours["cloth"])


def hair_mask(face: Region, p: Measures) -> Plane:
    """The front hair: inside a cap around the head, above a hairline that recedes in some."""
    height, width, bald = p["half_height"], p["half_width"], p["bald"]
    cap = ellipse(
        face.u,
        face.v,
        (0.0, -0.05 * p["hair_volume"]),
        (width + 0.03 + 0.04 * p["hair_volume"], height + 0.03 + 0.05 * p["hair_volume"]),
        face.pixel,
    )
    baby = np.maximum(1 - p["painted_age"] / np.float32(3), 0)
    line = face.side * (1 / width)
    line *= line
    line *= line * np.float32(0.6) + np.float32(0.4)  # flat over the forehead, steep at the temples
    line *= np.float32(0.45) + np.float32(0.35) * bald
    line += -height * (np.float32(0.66) + np.float32(0.1) * baby) - np.float32(0.42) * bald
    line += np.float32(0.16) * p["fringe"] * (1 - bald)
    line += face.u * (np.float32(0.22) * p["part"])
    line -= face.v
    cap *= below(line, face.pixel)
    return cap


def paint_hair(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Front hair with a sheen."""
    mask = hair_mask(face, p)
    sheen = glow(face.u, face.v, (0.25 * p["light_x"], -0.62), (0.4, 0.16))
    tone = colours["hair"] + sheen * np.float32(38)
    blend(face.image, mask, tone)


def paint_beard(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """A beard round the mouth and along the jaw, from 18 years on."""
    adult = np.clip((p["painted_age"] - 17) / np.float32(2), 0, 1) * p["beard"]
    outer = below(face.v - (p["mouth_v"] - 0.11) - 0.25 * (0.35 - face.side), face.pixel)
    lips = ellipse(
        face.u, face.v, (0.0, p["mouth_v"] + 0.01), (p["mouth_half"] + 0.02, 0.075), face.pixel
    )
    outer *= 1 - lips
    outer *= np.float32(0.25) + np.float32(0.6) * p["beard"]
    outer *= np.minimum(adult * 5, np.float32(1))
    outer *= head_mask(face, p)
    blend(face.image, outer, colours["beard"])


def paint_glasses(face: Region, p: Measures, colours: dict[str, Plane]) -> None:
    """Round frames and a bridge, of some people at any age."""
    at = (p["eye_u"], p["eye_v"] + 0.01)
    outer = ellipse(face.side, face.v, at, (0.185, 0.155), face.pixel)
    inner = ellipse(face.side, face.v, at, (0.160, 0.130), face.pixel)
    outer -= inner
    outer *= p["glasses"]
    blend(face.image, outer, colours["frame"])
    bridge: Plane = (np.float32(0.018) - np.abs(face.v - at[1])) * (1 / face.pixel)
    bridge = clipped(bridge)
    bridge *= below(at[0] - np.float32(0.17) - face.side, face.pixel)
    bridge *= p["glasses"]
    blend(face.image, bridge, colours["frame"])

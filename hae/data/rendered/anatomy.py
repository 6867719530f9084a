"""From age and build to a face's measures: what grows until 20, and what sags and folds afterwards.

All lengths are in face coordinates (see ``shapes.Region``). The courses are a cartoon of what
anthropometry describes (Farkas, "Anthropometry of the Head and Face", 1994): a child's eyes are
large and low, its nose and chin small, its head round; in the adult the eyes narrow, nose and ears
lengthen, lips thin, and lines appear one after another.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from hae.data.rendered.shapes import Plane

Measures = Mapping[str, Plane]

_MOODS = {  # smile, mouth open, brow raise, brow frown, brow worry, eyes wide, squeeze
    "anger": (-0.45, 0.05, -0.3, 1.0, 0.0, 0.05, 0.3),
    "disgust": (-0.55, 0.12, -0.2, 0.4, 0.0, -0.25, 0.9),
    "fear": (-0.35, 0.45, 0.6, 0.0, 0.9, 0.3, 0.0),
    "happiness": (1.0, 0.3, 0.1, 0.0, 0.0, -0.15, 0.0),
    "sadness": (-0.9, 0.0, 0.0, 0.0, 1.0, -0.2, 0.0),
    "surprise": (0.0, 1.0, 1.0, 0.0, 0.0, 0.35, 0.0),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}
_MOOD = ("smile", "open", "raise", "frown", "worry", "wide", "squeeze")


def ramp(age: Plane, first: float, last: float) -> Plane:
    """0 up to the first age, 1 from the last, linear between."""
    share: Plane = np.clip((age - np.float32(first)) / np.float32(last - first), 0, 1)
    return share


def columns(params: pd.DataFrame) -> dict[str, Plane]:
    """The numbers of a cohort's rows as (n, 1, 1) float32, with the expression's movements."""
    numbers = params.select_dtypes("float64")
    block = numbers.to_numpy(np.float32)
    found = {str(name): block[:, i][:, None, None] for i, name in enumerate(numbers.columns)}
    codes = params["expression_code"].to_numpy(np.int64)
    table = np.array(list(_MOODS.values()), dtype=np.float32)
    moods = table[codes]
    if "ambiguity" in params.columns:  # 2 (1 - weight); a plain photo's movements stay as they are
        part = np.float32(0.5) * params["ambiguity"].to_numpy(np.float32)[:, None]
        moods = (1 - part) * moods + part * table[params["second_code"].to_numpy(np.int64)]
    for index, name in enumerate(_MOOD):
        found[name] = moods[:, index][:, None, None] * found["expression_strength"]
    return found


def measures(params: Mapping[str, Plane]) -> Measures:
    """Every measure of the faces, (n, 1, 1): the given ``columns`` and what follows from them."""
    p = dict(params)
    p |= _growth(p)
    p |= _features(p)
    return MappingProxyType(p)


def _growth(p: dict[str, Plane]) -> dict[str, Plane]:
    age = p["painted_age"]
    young = np.clip(1 - age / np.float32(20), 0, 1)
    grown = 1 - np.float32(0.5) * young - np.float32(0.5) * young * young
    aged = np.float32(0.6) * ramp(age, 20, 95) + np.float32(0.4) * ramp(age, 18, 50)
    aged = aged * (1 + np.float32(0.06) * p["sagging"])
    return {
        "grown": grown,
        "aged": aged,
        "half_width": (0.53 - 0.03 * grown) * (1 + 0.04 * p["head_width"]),
        "half_height": (0.60 + 0.10 * grown - 0.02 * aged) * (1 + 0.03 * p["head_height"]),
        "taper": 0.04 + 0.22 * grown - 0.10 * aged + 0.05 * p["jaw"],
        "jowl": 0.18 * ramp(age, 30, 92) * (1 + 0.15 * p["sagging"]) + 0.05 * (1 - grown),
    }


def _features(p: dict[str, Plane]) -> dict[str, Plane]:
    grown, aged, age = p["grown"], p["aged"], p["painted_age"]
    eye_v = 0.16 - 0.24 * grown + 0.015 * p["eye_level"]
    opening = (0.115 - 0.045 * grown - 0.030 * aged) * (1 + 0.06 * p["eye_size"])
    nose_end = eye_v + (0.13 + 0.15 * grown + 0.095 * aged) * (1 + 0.04 * p["nose_length"])
    chin = p["half_height"]
    mouth_v = nose_end + (chin - nose_end) * (0.40 + 0.05 * aged + 0.03 * p["mouth_level"])
    return {
        "eye_v": eye_v,
        "eye_u": 0.225 - 0.005 * grown + 0.012 * p["eye_gap"],
        "eye_half": (0.125 - 0.012 * grown - 0.008 * aged) * (1 + 0.05 * p["eye_size"]),
        "eye_open": opening * (1 + 0.8 * p["wide"]),
        "droop": 0.07 * ramp(age, 33, 92),
        "iris_size": 0.082 - 0.024 * grown,
        "brow_v": eye_v
        - (0.17 + 0.02 * grown - 0.050 * aged)
        - 0.05 * p["raise"]
        + 0.035 * p["frown"]
        + 0.012 * p["brow_level"],
        "brow_width": (0.018 + 0.022 * grown - 0.010 * aged) * (1 + 0.25 * p["brow_size"]),
        "nose_v": nose_end,
        "nose_half": (0.065 + 0.035 * grown + 0.045 * aged) * (1 + 0.08 * p["nose_width"]),
        "mouth_v": mouth_v,
        "mouth_half": (0.135 + 0.065 * grown)
        * (1 + 0.06 * p["mouth_width"])
        * (1 + 0.16 * p["smile"] - 0.2 * p["open"]),
        "lip": (0.034 + 0.020 * grown - 0.046 * aged) * (1 + 0.15 * p["lips"]),
        "ear_v": eye_v + 0.09 + 0.06 * aged,
        "ear_half": (0.10 + 0.045 * grown + 0.070 * aged) * (1 + 0.06 * p["ears"]),
        "grey": p["greys"] * np.clip((age - p["grey_from"]) / np.float32(18), 0, 1),
        "bald": p["recedes"] * np.clip((age - p["recedes_from"]) / np.float32(30), 0, 1),
        "fold": 1 + np.float32(0.10) * p["wrinkled"],
    }

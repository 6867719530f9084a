"""The drawn people: every property of a person or a photo is a hash of whom it belongs to.

Hence person 7 looks the same in a cohort of ten and of ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from audit.hashing import FloatArray, Keys, folds, mix, text_keys, uniforms
from hae.data.rendered.blends import blends
from hae.data.rendered.palette import BACKGROUNDS, CLOTHES, EYES, HAIR, SKIN
from hae.data.rendered.spec import N_SD, RenderSpec

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
PRESENTATIONS = ("feminine", "masculine", "neutral")
N_SPOTS = 8
SCALES = (0.98, 1.22)
SPLITS = ("train", "val", "test")
_FOLDS_OF_20 = np.array([0] * 14 + [1] * 3 + [2] * 3)

Draw = Callable[[str], FloatArray]
Columns = dict[str, npt.NDArray[np.generic]]


def cohort(spec: RenderSpec) -> pd.DataFrame:
    """Everybody's photos, one row each: what is known of the person, and how to paint the photo.

    Returns
    -------
    DataFrame
        ``sample_id``, ``subject_id``, ``age`` (the label, years), ``drawn_age``, ``age_offset``
        (true minus drawn age), ``group``, ``skin_tone`` (Monk scale, text), ``presentation``,
        ``expression`` and ``split`` (by person, about 70/15/15), then the drawing parameters: a
        row is all that ``paint`` needs. Of these only ``painted_age``, ``blur`` and ``noise``
        depend on the group. Where ``spec.ambiguous`` is above 0 there are ``ambiguity``,
        ``second_expression`` and ``second_code`` too (see ``blends``). Skin, hair colour, glasses,
        pose, light, expression and background do not depend on the age, beards only on being 18;
        greying and receding hair come with age to a part of the people.
    """
    subjects = [f"p{index:06d}" for index in range(spec.people)]
    people = pd.DataFrame(_people(spec, subjects))
    photos = people.loc[people.index.repeat(spec.photos)].reset_index(drop=True)
    number = np.tile(np.arange(spec.photos), spec.people)
    samples = [f"{who}-{which}" for who, which in zip(photos["subject_id"], number, strict=True)]
    drawn = pd.DataFrame({"sample_id": samples} | _photos(spec, samples, photos["group"] == "B"))
    frame = pd.concat([drawn, photos], axis=1)
    first = ["sample_id", "subject_id", "age", "drawn_age", "age_offset", "group", "skin_tone"]
    first += ["presentation", "expression", "split"]
    return frame[first + [name for name in frame.columns if name not in first]]


def _draws(keys: Keys, seed: int) -> Draw:
    """Uniform numbers by name: the draw's number is a hash of its name, so no list to keep."""

    def draw(name: str) -> FloatArray:
        number = int(text_keys([name], "draw")[0] >> np.uint64(8))
        return uniforms(keys, seed, number)

    return draw


def _normal(share: FloatArray) -> FloatArray:
    # ndtri works number by number; a vectorised log or cos may round by its place in the array
    normal: FloatArray = np.clip(ndtri(share), -N_SD, N_SD)
    return normal


def _people(spec: RenderSpec, subjects: list[str]) -> Columns:
    keys = text_keys(subjects, "subject")
    draw = _draws(keys, spec.seed)
    planted = draw("group") < spec.group_share
    tone = (draw("skin tone") * len(SKIN)).astype(np.int64)
    who = (draw("presentation") * len(PRESENTATIONS)).astype(np.int64)
    columns: Columns = {
        "subject_id": np.array(subjects, dtype=object),
        "group": np.where(planted, "B", "A").astype(object),
        "skin_tone": (tone + 1).astype("str").astype(object),
        "presentation": np.array(PRESENTATIONS, dtype=object)[who],
        "split": np.array(SPLITS, dtype=object)[_FOLDS_OF_20[folds(keys, spec.seed, 0, 20)]],
    }
    columns |= _ages(spec, draw, planted)
    columns |= _build(draw) | _hair(draw, who) | _spots(draw)
    shine = _between(draw("skin"), 0.87, 0.95)[:, None]
    columns |= _colours("skin", 12 + np.array(SKIN)[tone] * shine)
    columns |= _colours("iris", _pick(EYES, draw("iris")))
    return columns


def _ages(spec: RenderSpec, draw: Draw, planted: npt.NDArray[np.bool_]) -> Columns:
    offset = spec.offset_sd * _normal(draw("offset"))
    mistake = np.where(planted, spec.label_noise * _normal(draw("label noise")), 0.0)
    # drawn from what keeps the label >= 0, so that neither the label nor the offset is clipped
    low = np.maximum(spec.age_min, -(offset + mistake))
    drawn = low + (spec.age_max - low) * draw("age")
    return {
        "age": drawn + offset + mistake,
        "drawn_age": drawn,
        "age_offset": offset,
        "painted_age": np.maximum(drawn + np.where(planted, spec.ageing, 0.0), 0.0),
    }


_BUILD = (
    *("head_width", "head_height", "jaw", "eye_size", "eye_gap", "eye_level", "brow_size"),
    *("brow_level", "nose_width", "nose_length", "mouth_width", "mouth_level", "lips", "ears"),
    *("wrinkled", "sagging", "lid_crease", "cheeks"),
)
"""How a person differs from the average of the age, each uniform in [-1, 1)."""


def _build(draw: Draw) -> Columns:
    return {name: 2 * draw(name) - 1 for name in _BUILD}


def _hair(draw: Draw, who: npt.NDArray[np.int64]) -> Columns:
    long_share = np.array([0.8, 0.15, 0.45])[who]
    bald_share = np.array([0.0, 0.6, 0.25])[who]
    beard_share = np.array([0.0, 0.4, 0.1])[who]
    columns: Columns = {
        "hair_length": (draw("long hair") < long_share) * _between(draw("hair length"), 0.3, 1.0),
        "fringe": (draw("fringe") < 0.2) * _between(draw("fringe length"), 0.4, 1.0),
        "part": 2 * draw("part") - 1,
        "hair_volume": draw("hair volume"),
        "greys": (draw("greys") < 0.55).astype(np.float64),
        "grey_from": _between(draw("grey from"), 33, 68),
        "recedes": (draw("recedes") < bald_share) * _between(draw("recession"), 0.5, 1.0),
        "recedes_from": _between(draw("recedes from"), 25, 60),
        "beard": (draw("beard") < beard_share) * _between(draw("beard length"), 0.3, 1.0),
        "glasses": (draw("glasses") < 0.2).astype(np.float64),
        "frame_dark": draw("frame"),
    }
    return columns | _colours("hair", _pick(HAIR, draw("hair")))


def _spots(draw: Draw) -> Columns:
    columns: Columns = {"freckles": (draw("freckles") < 0.12) * _between(draw("freckled"), 0.5, 1)}
    for index in range(N_SPOTS):
        columns[f"spot{index}_u"] = 2 * draw(f"spot {index} u") - 1
        columns[f"spot{index}_v"] = draw(f"spot {index} v")
        columns[f"spot{index}_from"] = _between(draw(f"spot {index} from"), 40, 95)
    columns["mole_u"] = 2 * draw("mole u") - 1
    columns["mole_v"] = draw("mole v")
    columns["mole"] = (draw("mole") < 0.25).astype(np.float64)
    return columns


def _photos(spec: RenderSpec, samples: list[str], planted: pd.Series) -> Columns:
    keys = text_keys(samples, "sample")
    draw = _draws(keys, spec.seed)
    shown = (draw("expression") * len(EXPRESSIONS)).astype(np.int64)
    second = planted.to_numpy()
    columns: Columns = {
        "expression": np.array(EXPRESSIONS, dtype=object)[shown],
        "expression_code": shown,
        "expression_strength": _between(draw("expression strength"), 0.5, 1.0),
        "blur": np.where(second, spec.blur, 0.0),
        "noise": np.where(second, spec.noise, 0.0),
        "noise_key": mix(keys ^ mix(np.array([spec.seed], dtype=np.uint64))),
    }
    for name, (low, high) in _PHOTO.items():
        columns[name] = _between(draw(name), low, high)
    columns |= _colours("back", _pick(BACKGROUNDS, draw("background")))
    columns |= _colours("cloth", _pick(CLOTHES, draw("clothes")))
    if spec.ambiguous > 0:
        columns |= blends(draw, shown, EXPRESSIONS, spec.ambiguous)
    return columns


_PHOTO: Mapping[str, tuple[float, float]] = {
    "tilt": (-0.075, 0.075),  # tangent of half the in-plane angle: up to 8.6 degrees
    "shift_x": (-0.07, 0.07),  # of half the image
    "shift_y": (-0.06, 0.06),
    "scale": SCALES,
    "yaw": (-1.0, 1.0),
    "pitch": (-1.0, 1.0),
    "light_x": (-1.0, 1.0),
    "light_y": (-0.6, 1.0),
    "light": (0.05, 0.6),
    "exposure": (0.68, 1.02),
    "warmth": (-1.0, 1.0),
    "back_light": (-1.0, 1.0),
    "sensor": (1.0, 5.0),  # SD of the camera's noise, grey levels
}
"""Range of each property of a photo, uniform."""


def _between(share: FloatArray, low: float, high: float) -> FloatArray:
    return low + (high - low) * share


def _pick(palette: tuple[tuple[float, float, float], ...], share: FloatArray) -> FloatArray:
    colours: FloatArray = np.array(palette)[(share * len(palette)).astype(np.int64)]
    return colours


def _colours(name: str, rgb: FloatArray) -> Columns:
    return {
        f"{name}_{channel}": rgb[:, index].astype(np.float64) for index, channel in enumerate("rgb")
    }

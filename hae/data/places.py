"""Where faces lie in their images, as columns of a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from audit.errors import InputError
from hae.data.core import FloatArray, Manifest

BOX = ("box_left", "box_top", "box_right", "box_bottom")
ROLL = "roll"
EYES = ("left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y")
REASON = "label_error"
"""Why a row's label cannot be used; empty where it can."""


def take_places(
    frame: pd.DataFrame, place: str
) -> tuple[pd.DataFrame, FloatArray | None, FloatArray | None]:
    """Take boxes and rolls out of a table: (the rest, boxes (n, 4), rolls (n,)).

    A roll is read as it is, in degrees clockwise as seen, or made of the eyes: the angle of the
    line from the eye on the image's left (``left_eye_*``) to the other.

    Raises
    ------
    InputError
        Some of the four columns of a box or of the eyes are missing, or a cell is no number.
    """
    boxes = _numbers(frame, BOX, place)
    rolls = _numbers(frame, (ROLL,), place)
    eyes = _numbers(frame, EYES, place)
    if eyes is not None:
        turned = np.degrees(np.arctan2(eyes[:, 3] - eyes[:, 1], eyes[:, 2] - eyes[:, 0]))
        known = np.full(len(frame), np.nan) if rolls is None else rolls[:, 0]
        rolls = np.where(np.isnan(known), turned, known)[:, None]
    rest = frame.drop(columns=[name for name in (*BOX, ROLL, *EYES) if name in frame.columns])
    return rest, boxes, None if rolls is None else rolls[:, 0]


def with_places(manifest: Manifest) -> pd.DataFrame:
    """The frame of a manifest with its boxes, rolls and reasons as columns."""
    frame = manifest.frame.copy()
    if manifest.boxes is not None:
        frame[list(BOX)] = manifest.boxes
    if manifest.rolls is not None:
        frame[ROLL] = manifest.rolls
    if any(manifest.reasons):
        frame[REASON] = list(manifest.reasons)
    return frame


def _numbers(frame: pd.DataFrame, names: tuple[str, ...], place: str) -> FloatArray | None:
    there = [name for name in names if name in frame.columns]
    if not there:
        return None
    if len(there) < len(names):
        missing = next(name for name in names if name not in there)
        raise InputError(f"{place}: has a column {there[0]!r} but none {missing!r}; give all")
    columns = []
    for name in names:
        values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
        wrong = ~np.isfinite(values) & frame[name].notna().to_numpy()
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                f"{place} row {row + 1}: {name} is {frame[name].iloc[row]!r}, must be a number "
                "or empty"
            )
        columns.append(values)
    return np.stack(columns, axis=1)

"""AffectNet's numbers of expressions, and its release of 2021: an image and arrays per face."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from audit.errors import InputError
from hae.data.expressions import numbered
from hae.data.sets.names import SUFFIXES

LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
UNUSABLE = {
    "8": "its expression is None: none of the eight",
    "9": "its expression is Uncertain",
    "10": "it is a Non-Face",
}


def expression_of(text: str) -> tuple[str, str]:
    """The expression of a number as written and "", or "" and why there is none."""
    if text in UNUSABLE:
        return "", UNUSABLE[text]
    return numbered(text, LABELS, 0)


def faces_of_set(folder: Path, split: str) -> list[dict[str, str]]:
    """The cells of each face of ``train_set/`` or ``val_set/``, by the number in its name.

    Raises
    ------
    InputError
        The folder lacks ``images/`` or ``annotations/``, or no expression is annotated.
    """
    images, annotations = folder / "images", folder / "annotations"
    for place in (images, annotations):
        if not place.is_dir():
            raise InputError(f"{place}: no such folder; unpack the whole archive of {folder.name}")
    names = {
        path.stem: path.name
        for path in images.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("._")
    }
    labelled = {
        path.name.removesuffix("_exp.npy")
        for path in annotations.glob("*_exp.npy")
        if not path.name.startswith("._")
    }
    if not labelled:
        raise InputError(f"{annotations}: no file <id>_exp.npy in it; unpack the archive again")
    rows = []
    for key in sorted({*names, *labelled}, key=lambda text: (text.zfill(12), text)):
        expression, reason = _annotation(annotations / f"{key}_exp.npy")
        rows.append(
            {
                "sample_id": f"{split}/{key}",
                "path": f"{folder.name}/images/{names.get(key, f'{key}.jpg')}",
                "expression": expression,
                "split": split,
                "reason": reason,
            }
        )
    return rows


def _annotation(path: Path) -> tuple[str, str]:
    """The expression in an array of one number or text and "", or "" and why there is none."""
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return "", "it has no annotation of an expression"
    except (OSError, ValueError, EOFError, BadZipFile):
        return "", "its annotation is no readable array"
    if not isinstance(found, np.ndarray) or found.size != 1:
        return "", "its annotation is not one number"
    value = found.reshape(-1)[0]
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return expression_of(text.strip().removesuffix(".0"))

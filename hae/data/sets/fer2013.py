"""FER2013: small grey faces with one of seven expressions.

Goodfellow et al., "Challenges in Representation Learning: A Report on Three Machine Learning
Contests", ICONIP 2013. On disk either ``fer2013.csv`` (see :mod:`hae.data.sets.fer_pixels`) or
copies as files, ``train/<emotion>/`` and ``test/<emotion>/``; there ``test/`` mixes the public test
with the private one, and only the beginning of a name tells which it is. The labels are noisy:
FERPlus has better ones for the same faces, so never train on one and test on the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.expressions import canonical, numbered
from hae.data.sets.fer_pixels import (
    SPLITS,
    TABLE,
    USAGES,
    FerPixels,
    read_fer_table,
    row_name,
)
from hae.data.sets.names import (
    DataSet,
    check_folder,
    chosen_splits,
    from_rows,
    image_files,
    no_mapping,
)

TERMS = "FER2013: challenge data of 2013 without a clear licence; treat as research only"
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FACES = Crop(images="FER2013's faces, 48 pixels")
FOLDERS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid"} | {
    "test": "test"
}
MIXED = "test/ holds the public and the private test; the names do not tell them apart"
COUNTS = {
    "": {"usable": 35_887},
    "train": {"usable": 28_709},
    "valid": {"usable": 3_589},
    "test": {"usable": 3_589},
}
_USAGE = re.compile(rf"^({'|'.join(USAGES)})_")


def read_fer2013(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read ``fer2013.csv`` where the folder holds it, else the copies as image files.

    ``valid`` is the public test, ``test`` the private one. A face whose pixels or number cannot be
    read fails.

    Raises
    ------
    InputError
        No such folder, neither the table nor an image in it, a table that breaks its form, a split
        without faces, or a mapping is asked for.
    """
    no_mapping("fer2013", mapping)
    splits = chosen_splits("fer2013", split, SPLITS)
    check_folder(root, "fer2013")
    if not (root / TABLE).is_file():
        return _from_files(root, split, splits)
    table = read_fer_table(root / TABLE, "fer2013")
    kept = [row for row, found in enumerate(table.splits) if found in splits]
    _refuse_none(kept, root, split)
    rows = []
    for row in kept:
        expression, reason = numbered(table.emotions[row], LABELS, 0)
        rows.append(
            {
                "sample_id": row_name(row),
                "path": f"{TABLE}/{row_name(row)}",
                "expression": expression,
                "split": table.splits[row],
                "reason": table.reasons[row] or reason,
            }
        )
    frame, reasons = from_rows(rows, TABLE)
    return Manifest(
        name="fer2013",
        root=root,
        frame=frame,
        files=(root / TABLE,),
        split=split,
        terms=TERMS,
        images=FerPixels(table.pixels[np.array(kept)], reasons),
        crop=FACES,
        reasons=reasons,
    )


def _from_files(root: Path, split: str | None, splits: Sequence[str]) -> Manifest:
    rows = [_of_file(path) for path in image_files(root, "fer2013")]
    rows = [row for row in rows if row["split"] in (*splits, "")]
    _refuse_none(rows, root, split)
    frame, reasons = from_rows(rows, "fer2013")
    mixed = any(row["split"] == "test" and not _USAGE.match(_file(row["path"])) for row in rows)
    return Manifest(
        name="fer2013",
        root=root,
        frame=frame,
        files=(),
        split=split,
        terms=TERMS,
        crop=FACES,
        reasons=reasons,
        made=MIXED if mixed else None,
    )


def _of_file(path: str) -> dict[str, str]:
    *folders, emotion, name = ("", "", *path.split("/"))
    usage = _USAGE.match(name)
    split = USAGES[usage[1]] if usage else FOLDERS.get(folders[-1].lower(), "")
    expression, reason = canonical(emotion), ""
    if not expression:
        reason = f"its folder {emotion!r} is no expression"
    elif not split:
        reason = "it lies in no train/<emotion>/ or test/<emotion>/"
    return {
        "sample_id": path,
        "path": path,
        "expression": expression,
        "split": split,
        "reason": reason,
    }


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _refuse_none(found: Sequence[object], root: Path, split: str | None) -> None:
    if not found:
        raise InputError(
            f"--data fer2013:{root}: no face of the split {split!r} there; leave --split out"
        )


DATA = DataSet(
    read_fer2013,
    root=f"the folder with {TABLE}, or with train/<emotion>/ and test/<emotion>/",
    splits="all (default), train, valid (public test), test (private test)",
    about="grey faces of 48 pixels with seven expressions; the same faces as ferplus",
    terms=TERMS,
    counts=COUNTS,
)

"""Adience: faces of Flickr albums, with one of eight ranges of age and gender.

Eidinger, Enbar and Hassner, "Age and Gender Estimation of Unfiltered Faces", IEEE TIFS 2014.
``fold_0_data.txt`` to ``fold_4_data.txt``, separated by tabs: ``user_id, original_image, face_id,
age, gender, x, y, dx, dy, tilt_ang, fiducial_yaw_angle, fiducial_score``; a face is
``faces/<user_id>/coarse_tilt_aligned_face.<face_id>.<original_image>``. The ranges have gaps
between them. The column of ages also holds ``None``, the ranges (38, 42), (38, 48), (27, 32) and
(8, 23), and single years; public loaders repair these in ways that contradict each other (35 is
25-32 to one and 38-43 to another). Here a label that lies inside one of the eight ranges means this
range, and a face with any other fails.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    NO_COUNTS,
    DataSet,
    check_columns,
    check_folder,
    chosen_splits,
    from_rows,
    gender_cell,
    no_mapping,
    on_disk,
)

TERMS = "Adience: research use; check the terms you signed"
FOLDS = ("fold0", "fold1", "fold2", "fold3", "fold4")
COLUMNS = ("user_id", "original_image", "face_id", "age", "gender")
AGES = ((0, 2), (4, 6), (8, 12), (15, 20), (25, 32), (38, 43), (48, 53), (60, 100))
PAPER = (8, 13)
"""What the paper calls the range that the files call (8, 12)."""
KINDS = {
    "faces": ("coarse_tilt_aligned_face", "Adience's faces"),
    "aligned": ("landmark_aligned_face", "Adience's aligned faces"),
}
_AGE = re.compile(r"^\(?(\d{1,3})(?:\s*[,-]\s*(\d{1,3}))?\)?$")
COUNTS = NO_COUNTS


def read_adience(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the folds; by its authors no person is in two of them.

    Raises
    ------
    InputError
        No such folder, a label file or a column is missing, or a mapping is asked for.
    """
    no_mapping("adience", mapping)
    folds = chosen_splits("adience", split, FOLDS)
    check_folder(root, "adience")
    tables = [root / f"fold_{fold[-1]}_data.txt" for fold in folds]
    listed = [
        {**row, "split": fold}
        for fold, table in zip(folds, tables, strict=True)
        for row in _rows(table)
    ]
    kind = "faces" if (root / "faces").is_dir() or not (root / "aligned").is_dir() else "aligned"
    stem, words = KINDS[kind]
    paths = on_disk(root, [_path(row, kind, stem) for row in listed])
    frame, reasons = from_rows(map(_of_row, listed, paths), tables[0].name)
    return Manifest(
        name="adience",
        root=root,
        frame=frame,
        files=tuple(tables),
        split=split,
        sources={"gender": "perceived"},
        terms=TERMS,
        crop=Crop(images=words),
        reasons=reasons,
    )


def _rows(table: Path) -> list[dict[str, str]]:
    """The rows of a file separated by tabs, in which quotes are letters like others."""
    if not table.is_file():
        raise InputError(f"{table}: no such file; --data adience:ROOT needs its folder")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{table}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    lines = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = [name.strip() for name in next(lines, [])]
    check_columns(header, COLUMNS, table.name)
    rows = []
    for number, cells in enumerate(lines, start=1):
        if cells and len(cells) != len(header):
            raise InputError(
                f"{table} row {number}: has {len(cells)} cells, the header {len(header)}; is the "
                "file cut off?"
            )
        if cells:
            rows.append({k: v.strip() for k, v in zip(header, cells, strict=True)})
    if not rows:
        raise InputError(f"{table}: has no rows; give at least one face")
    return rows


def _path(row: Mapping[str, str], folder: str, stem: str) -> str:
    return f"{folder}/{row['user_id']}/{stem}.{row['face_id']}.{row['original_image']}"


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    age, reason = _age(row["age"])
    return {
        "sample_id": f"{row['user_id']}/{row['face_id']}.{row['original_image']}",
        "path": path,
        "subject_id": f"{row['user_id']}/{row['face_id']}",
        "age": age,
        "gender": gender_cell(row["gender"]),
        "split": row["split"],
        "reason": reason,
    }


def _age(text: str) -> tuple[str, str]:
    found = _AGE.match(text)
    if not found:
        return "", f"its age is {text or 'empty'}"
    label = int(found[1]), int(found[2] or found[1])
    label = AGES[2] if label == PAPER else label
    for low, high in AGES:
        if low <= label[0] <= label[1] <= high:
            return f"{low}-{high}", ""
    return "", f"its age {text} lies in none of the eight ranges"


DATA = DataSet(
    read_adience,
    root="the folder with fold_0_data.txt to fold_4_data.txt and faces/",
    splits="all (default), fold0 to fold4 (by person)",
    about="one of eight ranges of age, gender and person",
    terms=TERMS,
    counts=COUNTS,
)

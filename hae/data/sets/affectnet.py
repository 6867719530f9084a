"""AffectNet, annotated by people: one of eight expressions for photos of the web.

Mollahosseini, Hasani and Mahoor, "AffectNet: A Database for Facial Expression, Valence, and Arousal
Computing in the Wild", IEEE Transactions on Affective Computing 2019. First published as
``Manually_Annotated_file_lists/training.csv`` and ``validation.csv`` (the latter mostly without its
header) with a box of each face; published again in 2021 as ``train_set/`` and ``val_set/`` with
``images/<id>.jpg`` and ``annotations/<id>_exp.npy``. The numbers 8 to 10 are None, Uncertain and
Non-Face. The validation set is what papers test on. Labels made by a program are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import MARGIN, Crop
from hae.data.sets.affectnet_2021 import LABELS, expression_of, faces_of_set
from hae.data.sets.lines import cells_of, csv_lines
from hae.data.sets.names import (
    Counts,
    DataSet,
    check_folder,
    chosen_splits,
    from_rows,
    images_in,
    no_mapping,
    number_cells,
)

TERMS = "AffectNet: signed agreement, non-commercial research, no redistribution"
LISTS = {"train": "training.csv", "val": "validation.csv"}
LIST_FOLDER = "Manually_Annotated_file_lists"
SPLITS = tuple(LISTS)
COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
FOLDERS = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
    ".",
)
_TRAIN = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)
_VAL = (500,) * len(LABELS)
COUNTS: Counts = {"": {"usable": sum(_TRAIN) + sum(_VAL)}} | {
    split: {"usable": sum(sizes)}
    | {f"expression={name}": n for name, n in zip(LABELS, sizes, strict=True)}
    for split, sizes in (("train", _TRAIN), ("val", _VAL))
}
"""Of the first release, as papers give them."""


def read_affectnet(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the release of 2021 where the folder holds ``train_set/`` or ``val_set/``, else lists.

    A face that is marked as none, uncertain or no face fails, and so does one whose box was not
    found or one that lacks its annotation.

    Raises
    ------
    InputError
        No such folder, neither form in it, a list that breaks its form, or a mapping is asked for.
    """
    no_mapping("affectnet", mapping)
    splits = chosen_splits("affectnet", split, SPLITS)
    check_folder(root, "affectnet")
    if any((root / f"{name}_set").is_dir() for name in SPLITS):
        return _of_2021(root, split, splits)
    folder = root / LIST_FOLDER if (root / LIST_FOLDER).is_dir() else root
    tables = [folder / LISTS[name] for name in splits]
    listed = [
        {**row, "split": name}
        for name, table in zip(splits, tables, strict=True)
        for row in _listed(table)
    ]
    paths = images_in(root, FOLDERS, [row["subDirectory_filePath"] for row in listed])
    boxes = number_cells([[row[name] for name in COLUMNS[1:5]] for row in listed])
    boxes[(boxes[:, 2:] < 0).any(axis=1)] = np.nan
    boxes[:, 2:] += boxes[:, :2]
    frame, reasons = from_rows(map(_of_row, listed, paths), tables[0].name)
    return Manifest(
        name="affectnet",
        root=root,
        frame=frame,
        files=tuple(tables),
        split=split,
        terms=TERMS,
        crop=Crop(images="AffectNet's photos", region="box", margin=MARGIN),
        boxes=boxes,
        reasons=reasons,
    )


def _listed(table: Path) -> list[dict[str, str]]:
    """The rows of a list with or without its header; landmarks are long and left out."""
    found = []
    for number, line in csv_lines(table, "affectnet"):
        cells = cells_of(table, number, line, len(COLUMNS), "path, box, landmarks, labels")
        if cells[0] != COLUMNS[0]:
            row = dict(zip(COLUMNS, cells, strict=True))
            row.pop("facial_landmarks")
            found.append(row)
        elif cells != list(COLUMNS):
            raise InputError(
                f"{table} line {number}: its columns are {', '.join(cells)}; must be "
                f"{', '.join(COLUMNS)}"
            )
    if not found:
        raise InputError(f"{table}: has no rows; give at least one face")
    return found


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    expression, reason = expression_of(row["expression"])
    return {
        "sample_id": row["subDirectory_filePath"],
        "path": path,
        "expression": expression,
        "split": row["split"],
        "reason": reason,
    }


def _of_2021(root: Path, split: str | None, splits: Sequence[str]) -> Manifest:
    rows = [row for name in splits for row in faces_of_set(root / f"{name}_set", name)]
    frame, reasons = from_rows(rows, "affectnet")
    return Manifest(
        name="affectnet",
        root=root,
        frame=frame,
        files=(),
        split=split,
        terms=TERMS,
        crop=Crop(images="AffectNet's faces of 2021, 224 pixels"),
        reasons=reasons,
    )


DATA = DataSet(
    read_affectnet,
    root=f"the folder with {LIST_FOLDER}/ and Manually_Annotated/, or with train_set/ and val_set/",
    splits="all (default), train, val (what papers test on)",
    about="eight expressions, labelled by one person each; lists with a box of the face",
    terms=TERMS,
    counts=COUNTS,
)

"""FERPlus: the faces of FER2013, each labelled by ten people with one of eight expressions.

Barsoum, Zhang, Canton Ferrer and Zhang, "Training Deep Networks for Facial Expression Recognition
with Crowd-Sourced Label Distribution", ICMI 2016. ``fer2013new.csv`` has ``Usage, Image name`` and
the votes for eight expressions, ``unknown`` and ``NF`` (not a face), in the order of
``fer2013.csv``: row belongs to row, though one without a name was taken out by the publisher, and
the number in a name is not that of its row. Or each folder ``data/FER2013Train``,
``FER2013Valid`` and ``FER2013Test`` has a ``label.csv`` without a header: name, box, the ten votes.
The pixels are the cells of ``fer2013.csv`` or image files in these folders. Four names stand twice,
for two rows each; as a file only one of the two faces is left. The lists of the folders have other
votes for 1,602 faces, so the published counts are not theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.expressions import EXPRESSIONS
from hae.data.sets.fer2013 import FACES
from hae.data.sets.fer_pixels import (
    SPLITS,
    TABLE,
    FerPixels,
    FerTable,
    read_fer_table,
    row_name,
)
from hae.data.sets.fer_votes import (
    COLUMNS,
    LABEL,
    LABELS,
    VOTED,
    Voted,
    majority,
    voted_of_folders,
    voted_of_table,
)
from hae.data.sets.lines import left_out
from hae.data.sets.names import (
    Counts,
    DataSet,
    check_folder,
    chosen_splits,
    from_rows,
    image_folder,
    no_mapping,
)

TERMS = "FERPlus: labels MIT; pixels of FER2013 without a clear licence, treat as research only"
FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
_MAJORITIES = {
    "train": (8_740, 7_287, 3_149, 3_014, 2_100, 119, 532, 119),
    "valid": (1_182, 865, 415, 351, 287, 24, 62, 13),
    "test": (1_090, 893, 396, 384, 273, 18, 83, 16),
}
COUNTS: Counts = {"": {"usable": sum(map(sum, _MAJORITIES.values()))}} | {
    split: {"usable": sum(sizes)}
    | {f"expression={name}": n for name, n in zip(VOTED, sizes, strict=True)}
    for split, sizes in _MAJORITIES.items()
}


def read_ferplus(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read ``fer2013new.csv`` where the folder holds it, else the ``label.csv`` of each split.

    The expression is the publisher's majority: single votes are dropped, and the most frequent
    class must have more than half of what remains, ``unknown`` and ``NF`` included. A face without
    one fails. The columns ``votes_<expression>`` have the votes as numbers, for every face. With
    ``fer2013.csv`` beside ``fer2013new.csv`` every row has pixels of its own, and the usable faces
    are the published 31,412; from image files two rows with one name are a duplicate.

    Raises
    ------
    InputError
        No such folder, no label file in it, one that breaks its form or stands in another order
        than ``fer2013.csv``, or a mapping is asked for.
    """
    no_mapping("ferplus", mapping)
    splits = chosen_splits("ferplus", split, SPLITS)
    check_folder(root, "ferplus")
    whole = (root / LABELS).is_file()
    files = [root / LABELS] if whole else [_label_file(root, name) for name in splits]
    listed = voted_of_table(files[0]) if whole else voted_of_folders(files, splits)
    faces = [face for face in listed if face.name and face.split in splits]
    if not faces:
        raise InputError(f"{files[0]}: no face of the split {split!r}; leave --split out")
    fer = read_fer_table(root / TABLE, "ferplus") if whole and (root / TABLE).is_file() else None
    paths = _paths(root, faces) if fer is None else _rows_of(root / TABLE, fer, listed, faces)
    frame, reasons = from_rows(_of_faces(faces, paths, alone=fer is not None), files[0].name)
    votes = [f"votes_{name}" for name in EXPRESSIONS]
    frame[votes] = frame[votes].apply(pd.to_numeric)
    images = None
    if fer is not None:
        files.append(root / TABLE)
        rows = [face.row for face in faces]
        reasons = tuple(fer.reasons[row] or why for row, why in zip(rows, reasons, strict=True))
        images = FerPixels(fer.pixels[np.array(rows)], reasons)
    nameless = sum(not face.name and face.split in splits for face in listed)
    return Manifest(
        name="ferplus",
        root=root,
        frame=frame,
        files=tuple(files),
        split=split,
        terms=TERMS,
        images=images,
        crop=FACES,
        reasons=reasons,
        made=left_out(nameless, "nameless row"),
    )


def _label_file(root: Path, split: str) -> Path:
    folder = image_folder(root, [f"data/{FOLDERS[split]}", FOLDERS[split]], [LABEL])
    if not (root / folder / LABEL).is_file():
        raise InputError(
            f"--data ferplus:{root}: neither {LABELS} nor {FOLDERS[split]}/{LABEL} in it or its "
            "data/; give the folder of the label files"
        )
    return root / folder / LABEL


def _paths(root: Path, faces: Sequence[Voted]) -> list[str]:
    """Where the images lie: beside each other in ``data/`` or in the root."""
    named = [f"{FOLDERS[face.split]}/{face.name}" for face in faces]
    folders = ["data", "."] if (root / "data").is_dir() else ["."]
    folder = image_folder(root, folders, named)
    return [name if folder == "." else f"{folder}/{name}" for name in named]


def _rows_of(
    table: Path, fer: FerTable, listed: Sequence[Voted], faces: Sequence[Voted]
) -> list[str]:
    """What stands for the files' paths where the pixels are rows of a table.

    Raises
    ------
    InputError
        The table has not the same faces in the same order.
    """
    if len(listed) != len(fer.splits):
        raise InputError(
            f"{table}: has {len(fer.splits):,} rows, {LABELS} {len(listed):,}; row must belong to "
            "row: take both files as published"
        )
    for face in listed:
        if fer.splits[face.row] != face.split:
            raise InputError(
                f"{table} row {face.row + 1}: is of {fer.splits[face.row]}, in {LABELS} of "
                f"{face.split}; row must belong to row: take both files as published"
            )
    return [f"{TABLE}/{row_name(face.row)}" for face in faces]


def _of_faces(
    faces: Sequence[Voted], paths: Sequence[str], *, alone: bool
) -> Iterator[dict[str, str]]:
    """The cells of each face; ``alone`` says that a name that is there twice is of two faces."""
    seen: Counter[str] = Counter()
    for face, path in zip(faces, paths, strict=True):
        seen[face.name] += 1
        again = f"#{seen[face.name]}" if alone and seen[face.name] > 1 else ""
        expression, reason = majority(face.votes)
        votes = dict(zip(COLUMNS, face.votes, strict=True))
        yield {
            "sample_id": face.name + again,
            "path": path,
            "expression": expression,
            **{f"votes_{name}": _number(votes[name]) for name in EXPRESSIONS},
            "split": face.split,
            "reason": reason,
        }


def _number(text: str) -> str:
    return text if text.isdecimal() else ""


DATA = DataSet(
    read_ferplus,
    root=f"the folder with {LABELS} and {TABLE}, or with data/FER2013Train/ and its like",
    splits="all (default), train, valid, test",
    about="the faces of fer2013 with the votes of ten people and their majority of 8 expressions",
    terms=TERMS,
    counts=COUNTS,
)

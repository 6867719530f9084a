"""CLAP2016: photos with the mean and spread of the ages that people saw in them.

Escalera et al., "ChaLearn Looking at People and Faces of the World: Face Analysis Workshop and
Challenge 2016", CVPR Workshops 2016. ``{train,valid,test}_gt.csv`` has ``image, mean, stdv``. The
truth is the apparent age; the spread may be 0. APPA-REAL has the same photos: never train on one
and test on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.appa_real import PHOTOS
from hae.data.sets.names import (
    DataSet,
    age_cell,
    check_folder,
    chosen_splits,
    from_rows,
    images_in,
    label_rows,
    no_mapping,
)

TERMS = "CLAP2016: research use; check the terms you signed"
SPLITS = ("train", "valid", "test")
COLUMNS = ("image", "mean", "stdv")
AGES = (0, 100)
COUNTS = {
    "": {"usable": 7_591},
    "train": {"usable": 4_113},
    "valid": {"usable": 1_500},
    "test": {"usable": 1_978},
}


def read_clap2016(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the splits; images lie in a folder of the split's name, in ``images/`` or beside.

    Raises
    ------
    InputError
        No such folder, a label file or a column is missing, or a mapping is asked for.
    """
    no_mapping("clap2016", mapping)
    splits = chosen_splits("clap2016", split, SPLITS)
    check_folder(root, "clap2016")
    tables = [root / f"{name}_gt.csv" for name in splits]
    rows: list[dict[str, str]] = []
    for name, table in zip(splits, tables, strict=True):
        rows += _of_split(root, name, label_rows(table, COLUMNS, "clap2016"))
    frame, reasons = from_rows(rows, tables[0].name)
    return Manifest(
        name="clap2016",
        root=root,
        frame=frame,
        files=tuple(tables),
        split=split,
        terms=TERMS,
        crop=Crop(images=PHOTOS),
        reasons=reasons,
    )


def _of_split(root: Path, split: str, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    paths = images_in(root, (split, "images", "."), [row["image"] for row in rows])
    found = []
    for row, path in zip(rows, paths, strict=True):
        age, reason = age_cell(row["mean"], *AGES)
        found.append(
            {
                "sample_id": f"{split}/{row['image']}",
                "path": path,
                "age": age,
                "apparent_std": row["stdv"],
                "split": split,
                "reason": reason,
            }
        )
    return found


DATA = DataSet(
    read_clap2016,
    root="the folder with valid_gt.csv and valid/",
    splits="all (default), train, valid, test",
    about="the age that people saw, and its spread; the photos of appa-real",
    terms=TERMS,
    counts=COUNTS,
)

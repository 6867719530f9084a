"""IMDB-clean: film people in whole photos, with age, gender, box and pose of the face.

Lin, Shen, Wang and Pantic, "FP-Age: Leveraging Face Parsing Attention for Facial Age Estimation in
the Wild", IEEE TIP 2022 (arXiv 2106.11145): IMDB-WIKI after cleaning.
``imdb_{train,valid,test}_new.csv`` has ``filename, age, gender, x_min, y_min, x_max, y_max,
head_roll, head_yaw, head_pitch``; ``90/nm0608090_rm3526335232_1977-5-13_2003.jpg`` begins with the
person. ``imdb_{split}_new_1024.csv`` is for the photos cut to a margin of 1 and at most 1,024
pixels. The people of ``test`` are in no other split, but those of ``train`` and ``valid`` overlap.
In which direction a positive roll leans is not documented: look at faces before turning by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import MARGIN, Crop
from hae.data.sets.names import (
    NO_COUNTS,
    DataSet,
    age_cell,
    check_folder,
    chosen_splits,
    from_rows,
    gender_cell,
    images_in,
    label_rows,
    no_mapping,
    number_cells,
)

TERMS = "IMDB-clean: annotations MIT; photos under the terms of IMDB-WIKI, academic research"
SPLITS = ("train", "valid", "test")
BOX = ("x_min", "y_min", "x_max", "y_max")
COLUMNS = ("filename", "age", "gender", *BOX, "head_roll")
AGES = (0, 100)
LEAKY = (
    "train and valid of IMDB-clean share people (test does not); split train again by person with "
    "data split"
)
KINDS = {
    "": ("scenes", ("data/imdb", "imdb", ".")),
    "_1024": ("IMDB-clean's photos cut to margin 1", ("data/imdb-clean-1024", "images", ".")),
}
_PERSON = re.compile(r"(?:^|/)(nm\d+)_")
COUNTS = NO_COUNTS
"""None: the publisher rounds them."""


def read_imdb_clean(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the splits of the whole photos where their tables are there, else of the cut ones.

    Raises
    ------
    InputError
        No such folder, a label file or a column is missing, or a mapping is asked for.
    """
    no_mapping("imdb-clean", mapping)
    splits = chosen_splits("imdb-clean", split, SPLITS)
    check_folder(root, "imdb-clean")
    kind, tables = _tables(root, splits)
    listed = [
        {**row, "split": name}
        for name, table in zip(splits, tables, strict=True)
        for row in label_rows(table, COLUMNS, "imdb-clean")
    ]
    words, folders = KINDS[kind]
    paths = images_in(root, folders, [row["filename"] for row in listed])
    frame, reasons = from_rows(map(_of_row, listed, paths), tables[0].name)
    return Manifest(
        name="imdb-clean",
        root=root,
        frame=frame,
        files=tuple(tables),
        split=split,
        sources={"gender": "unknown"},
        terms=TERMS,
        crop=Crop(images=words, region="box", margin=MARGIN),
        boxes=number_cells([[row[name] for name in BOX] for row in listed]),
        rolls=number_cells([[row["head_roll"]] for row in listed])[:, 0],
        reasons=reasons,
        leaky=LEAKY if split == "valid" else None,
    )


def _tables(root: Path, splits: Sequence[str]) -> tuple[str, list[Path]]:
    for folder in (root, root / "csvs"):
        for kind in KINDS:
            tables = [folder / f"imdb_{name}_new{kind}.csv" for name in splits]
            if any(table.is_file() for table in tables):
                return kind, tables
    raise InputError(
        f"--data imdb-clean:{root}: no imdb_{splits[0]}_new.csv in it or its csvs/; give the "
        "folder of the tables"
    )


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    age, reason = age_cell(row["age"], *AGES)
    person = _PERSON.search(row["filename"])
    return {
        "sample_id": row["filename"],
        "path": path,
        "subject_id": person[1] if person else "",
        "age": age,
        "gender": gender_cell(row["gender"]),
        "split": row["split"],
        "reason": reason,
    }


DATA = DataSet(
    read_imdb_clean,
    root="the folder of csvs/ or imdb_valid_new.csv; images in data/imdb/",
    splits="all (default), train, valid, test; train and valid share people",
    about="film people with age, gender, person and a box of the face",
    terms=TERMS,
    counts=COUNTS,
)

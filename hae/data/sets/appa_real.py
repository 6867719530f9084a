"""APPA-REAL: photos with the real age and the age that about 38 people saw in each.

Agustsson, Timofte, Escalera, Baró, Guyon and Rothe, "Apparent and Real Age Estimation in Still
Images with Deep Residual Regressors on APPA-REAL Database", FG 2017.
``gt_avg_{train,valid,test}.csv`` has ``file_name, num_ratings, apparent_age_avg, apparent_age_std,
real_age``; ``train/000000.jpg`` is the photo and ``train/000000.jpg_face.jpg`` the face, upright
and with a margin of 40 %. ``allcategories_{split}.csv`` adds gender and race as people saw them.
CLAP2016 has the same photos: never train on one and test on the other. Real and apparent age differ
by four years on average and must not be mixed in one figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    DataSet,
    age_cell,
    check_folder,
    chosen_splits,
    from_rows,
    gender_cell,
    label_rows,
    on_disk,
)

TERMS = "APPA-REAL: research use; check the terms you signed"
SPLITS = ("train", "valid", "test")
COLUMNS = ("file_name", "apparent_age_avg", "apparent_age_std", "real_age")
AGES = (0, 100)
FACE = "_face.jpg"
PHOTOS = "the photos of APPA-REAL and CLAP2016"
COUNTS = {
    "": {"usable": 7_591},
    "train": {"usable": 4_113},
    "valid": {"usable": 1_500},
    "test": {"usable": 1_978},
}


def read_appa_real(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the splits; faces where the folder holds any, else the whole photos.

    The truth is the real age, beside ``apparent_age`` and ``apparent_std``; with the mapping
    ``{"age": "apparent_age"}`` it is the apparent age, beside ``real_age``.

    Raises
    ------
    InputError
        No such folder, a label file or a column is missing, or another mapping is asked for.
    """
    splits = chosen_splits("appa-real", split, SPLITS)
    if set(mapping) - {"age"} or mapping.get("age", "real_age") not in ("real_age", "apparent_age"):
        raise InputError("--map: appa-real has fixed columns; only age=apparent_age may be given")
    apparent = mapping.get("age") == "apparent_age"
    check_folder(root, "appa-real")
    tables = [root / f"gt_avg_{name}.csv" for name in splits]
    listed = [
        {**row, "split": name}
        for name, table in zip(splits, tables, strict=True)
        for row in label_rows(table, COLUMNS, "appa-real")
    ]
    photos = [f"{row['split']}/{row['file_name']}" for row in listed]
    cut = any((root / (photo + FACE)).is_file() for photo in photos)
    paths = on_disk(root, [photo + FACE if cut else photo for photo in photos])
    seen = {name: _seen(root / f"allcategories_{name}.csv") for name in splits}
    rows = [
        _of_row(row, path, seen[row["split"]], apparent=apparent)
        for row, path in zip(listed, paths, strict=True)
    ]
    frame, reasons = from_rows(rows, tables[0].name)
    extra = [root / f"allcategories_{name}.csv" for name in splits if seen[name]]
    return Manifest(
        name="appa-real",
        root=root,
        frame=frame,
        files=(*tables, *extra),
        split=split,
        sources={"gender": "perceived", "race": "perceived"} if extra else {},
        terms=TERMS,
        crop=Crop(images="APPA-REAL's faces, margin 0.4" if cut else PHOTOS),
        reasons=reasons,
    )


def _seen(table: Path) -> dict[str, dict[str, str]]:
    """Gender and race of each file; nothing where the table is not there."""
    if not table.is_file():
        return {}
    rows = label_rows(table, ("file", "gender", "race"), "appa-real")
    return {
        row["file"].removesuffix(FACE): {
            "gender": gender_cell(row["gender"]),
            "race": row["race"],
        }
        for row in rows
    }


def _of_row(
    row: Mapping[str, str], path: str, seen: Mapping[str, Mapping[str, str]], *, apparent: bool
) -> dict[str, str]:
    real, why_not_real = age_cell(row["real_age"], *AGES)
    thought, why_not_thought = age_cell(row["apparent_age_avg"], *AGES)
    other = {"real_age": real} if apparent else {"apparent_age": thought}
    return {
        "sample_id": f"{row['split']}/{row['file_name']}",
        "path": path,
        "age": thought if apparent else real,
        **other,
        "apparent_std": row["apparent_age_std"],
        **seen.get(row["file_name"], {"gender": "", "race": ""} if seen else {}),
        "split": row["split"],
        "reason": why_not_thought if apparent else why_not_real,
    }


DATA = DataSet(
    read_appa_real,
    root="the folder with gt_avg_valid.csv and valid/",
    splits="all (default), train, valid, test",
    about="real age, or with --map age=apparent_age the age that people saw",
    terms=TERMS,
    counts=COUNTS,
)

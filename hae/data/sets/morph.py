"""MORPH II: mug shots of several years, with age, gender and race.

Ricanek and Tesafaye, "MORPH: A Longitudinal Image Database of Normal Adult Age-Progression", FG
2006; the non-commercial release of 2008. ``Album2/009055_1M54.JPG`` is person, picture, gender and
age. ``morph_2008_nonCommercial.csv`` has ``id_num, picture_num, dob, doa, race, gender,
facial_hair, age, age_diff, glasses, photo``; race is only there. Known noise of the release: 1,779
people have more than one date of birth, 33 more than one race, 1 more than one gender; 3 names
contradict the table on gender.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    DataSet,
    Parsed,
    age_cell,
    check_folder,
    from_names,
    from_rows,
    gender_cell,
    image_files,
    label_rows,
    no_mapping,
    no_split,
    on_disk,
)

TERMS = "MORPH-II: signed agreement, no redistribution"
TABLE = "morph_2008_nonCommercial.csv"
COLUMNS = ("id_num", "race", "gender", "age", "photo")
RACES = {"B": "Black", "W": "White", "H": "Hispanic", "A": "Asian", "O": "Other"}
AGES = (16, 77)
_NAME = re.compile(r"^(\d{6})_(\d{1,2})([MF])(\d{1,3})\.jpg$", re.IGNORECASE)
COUNTS = {
    "": {
        "usable": 55_134,
        "people": 13_617,
        "gender=Male": 46_645,
        "gender=Female": 8_489,
        "race=Black": 42_589,
        "race=White": 10_559,
        "race=Hispanic": 1_769,
        "race=Asian": 154,
        "race=Other": 63,
    }
}


def read_morph(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the table where the folder holds it, else the names of the images.

    Where a name contradicts the table on age or person, it cannot be known which is right, and the
    face fails. On gender the table's word stays, as its ages agree with its dates on every row, and
    the column ``conflict`` says what the name has.

    Raises
    ------
    InputError
        No such folder, neither table nor image in it, a column is missing, or a split or a mapping
        is asked for.
    """
    no_split("morph", split)
    no_mapping("morph", mapping)
    check_folder(root, "morph")
    table = root / TABLE
    if table.is_file():
        rows = label_rows(table, COLUMNS, "morph")
        paths = on_disk(root, [row["photo"] for row in rows])
        found = map(_of_row, rows, paths)
        frame, reasons = from_rows(found, TABLE)
    else:
        frame, reasons = from_names(image_files(root, "morph"), _parsed, "morph")
    return Manifest(
        name="morph",
        root=root,
        frame=frame,
        files=(table,) if table.is_file() else (),
        sources={"gender": "unknown", "race": "unknown"},
        terms=TERMS,
        crop=Crop(images="MORPH's album"),
        reasons=reasons,
    )


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    age, reason = age_cell(row["age"], *AGES)
    subject, gender = row["id_num"].zfill(6), gender_cell(row["gender"])
    named, conflict = _NAME.match(row["photo"].rpartition("/")[2]), ""
    if named and named[1] != subject:
        reason = reason or f"the person is {subject} in the table and {named[1]} in the name"
    if named and age and int(named[4]) != int(age):
        reason = reason or f"the age is {age} in the table and {named[4]} in the name"
    if named and gender and gender_cell(named[3]) != gender:
        conflict = f"gender is {gender_cell(named[3])} in the name"
    return {
        "sample_id": row["photo"],
        "path": path,
        "subject_id": subject,
        "age": "" if reason else age,
        "gender": gender,
        "race": RACES.get(row["race"].upper(), ""),
        "conflict": conflict,
        "reason": reason,
    }


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not person_picture, gender, age (such as 009055_1M54.JPG)"
    age, reason = age_cell(found[4], *AGES)
    return reason or {"subject_id": found[1], "age": age, "gender": gender_cell(found[3])}


DATA = DataSet(
    read_morph,
    root=f"the folder with {TABLE} and Album2/ (else no race)",
    splits="none; make one with data split",
    about="mug shots with age, gender, race and person",
    terms=TERMS,
    counts=COUNTS,
)

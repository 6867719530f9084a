"""AgeDB: photos of well-known people, with name, age and gender in the file name.

Moschoglou et al., "AgeDB: the First Manually Collected, In-the-Wild Age Database", CVPR Workshops
2017. ``12083_ElsaMartinelli_74_f.jpg`` is number, person, age and gender.
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
    from_names,
    gender_cell,
    image_files,
    no_mapping,
    no_split,
)

TERMS = "AgeDB: research use; check the terms you signed"
AGES = (1, 101)
_NAME = re.compile(r"^(\d+)_(.+)_(\d{1,3})_([mf])\.jpe?g$", re.IGNORECASE)
COUNTS = {
    "": {"usable": 16_488, "people": 567, "gender=Male": 9_788, "gender=Female": 6_700},
}


def read_agedb(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the folder of images.

    Raises
    ------
    InputError
        No such folder, no image in it, or a split or a mapping is asked for.
    """
    no_split("agedb", split)
    no_mapping("agedb", mapping)
    frame, reasons = from_names(image_files(root, "agedb"), _parsed, "agedb")
    return Manifest(
        name="agedb",
        root=root,
        frame=frame,
        files=(),
        sources={"gender": "unknown"},
        terms=TERMS,
        crop=Crop(images="AgeDB's photos"),
        reasons=reasons,
    )


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not number_person_age_gender.jpg with gender m or f"
    age, reason = age_cell(found[3], *AGES)
    return reason or {"subject_id": found[2], "age": age, "gender": gender_cell(found[4])}


DATA = DataSet(
    read_agedb,
    root="the folder of the images",
    splits="none; make one with data split",
    about="well-known people with age, gender and person",
    terms=TERMS,
    counts=COUNTS,
)

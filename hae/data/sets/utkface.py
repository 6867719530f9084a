"""UTKFace: faces in the wild or aligned, with age, gender and race in the file name.

Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017.
``[age]_[gender]_[race]_[date and time].jpg`` in ``part1`` to ``part3`` (in the wild), with
``.chip.jpg`` behind it aligned and cut to 200 x 200 pixels. The ages were estimated by a program
and then checked by people; there are no identities.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    DataSet,
    Parsed,
    from_names,
    image_files,
    no_mapping,
    no_split,
)

TERMS = "UTKFace: non-commercial research only; rights of the photos remain with their owners"
_NAME = re.compile(r"^(\d{1,3})_([01])_([0-4])_(\d+) ?\.?(?:jpg)(?:\.chip\.jpg)?$", re.IGNORECASE)
GENDERS = ("Male", "Female")
RACES = ("White", "Black", "Asian", "Indian", "Other")
OLDEST = 116
ALIGNED = ".chip.jpg"
COUNTS = {
    "": {
        "usable": 23_704,
        "gender=Male": 12_390,
        "gender=Female": 11_314,
        "race=White": 10_078,
        "race=Black": 4_525,
        "race=Asian": 3_434,
        "race=Indian": 3_975,
        "race=Other": 1_692,
    }
}
"""Of the aligned faces, with the five names whose date and time is malformed."""


def read_utkface(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the folder of faces, or of ``part1`` to ``part3``.

    A name with age, gender and race counts though its date and time be malformed (five of the
    aligned faces); one that lacks gender or race is kept as a failed row, as it cannot be said
    which of the two is missing.

    Raises
    ------
    InputError
        No such folder, no image in it, both kinds of images, or a split or a mapping is asked
        for.
    """
    no_split("utkface", split)
    no_mapping("utkface", mapping)
    paths = image_files(root, "utkface")
    frame, reasons = from_names(paths, _parsed, "utkface")
    aligned = [path.endswith(ALIGNED) for path in paths]
    if any(aligned) and not all(aligned):
        raise InputError(
            f"--data utkface:{root}: holds faces in the wild, such as "
            f"{paths[aligned.index(False)]}, and aligned ones (*{ALIGNED}): the same photos cut in "
            "two ways; give one of the two folders"
        )
    return Manifest(
        name="utkface",
        root=root,
        frame=frame,
        files=(),
        sources={"gender": "perceived", "race": "perceived"},
        terms=TERMS,
        crop=Crop(images="UTKFace's aligned faces" if all(aligned) else "UTKFace in the wild"),
        reasons=reasons,
    )


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not age_gender_race_time.jpg (gender or race is missing?)"
    age, gender, race, _ = found.groups()
    if not 1 <= int(age) <= OLDEST:
        return f"the age in its name is {age}, must be 1 to {OLDEST}"
    return {"age": str(int(age)), "gender": GENDERS[int(gender)], "race": RACES[int(race)]}


DATA = DataSet(
    read_utkface,
    root="the folder of the faces, or of part1 to part3",
    splits="none; make one with data split",
    about="age, gender and race in the file names",
    terms=TERMS,
    counts=COUNTS,
)

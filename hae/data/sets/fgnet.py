"""FG-NET: photos of 82 people over many years, with person and age in the file name.

Panis, Lanitis, Tsapatsoulis and Cootes, "Overview of Research on Facial Ageing using the FG-NET
Ageing Database", IET Biometrics 2016. ``images/010A07b.JPG`` is person, age and, where there are
several, a letter. Names do not say the gender. Papers test by leaving out one person at a time.
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
    image_files,
    no_mapping,
    no_split,
)

TERMS = "FG-NET: research use; check the terms you signed"
AGES = (0, 69)
_NAME = re.compile(r"^(\d{3})A(\d{2})[a-z]?\.(?:jpe?g|png)$", re.IGNORECASE)
COUNTS = {"": {"usable": 1_002, "people": 82}}


def read_fgnet(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the folder of images.

    Raises
    ------
    InputError
        No such folder, no image in it, or a split or a mapping is asked for.
    """
    no_split("fgnet", split)
    no_mapping("fgnet", mapping)
    frame, reasons = from_names(image_files(root, "fgnet"), _parsed, "fgnet")
    return Manifest(
        name="fgnet",
        root=root,
        frame=frame,
        files=(),
        terms=TERMS,
        crop=Crop(images="FG-NET's photos"),
        reasons=reasons,
    )


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not person, A, age (such as 001A05.JPG)"
    age, reason = age_cell(found[2], *AGES)
    return reason or {"subject_id": found[1], "age": age}


DATA = DataSet(
    read_fgnet,
    root="the folder images/",
    splits="none; make one with data split",
    about="people photographed over many years, with age and person",
    terms=TERMS,
    counts=COUNTS,
)

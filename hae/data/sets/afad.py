"""AFAD: crops of Asian faces, with age and gender in their folders.

Niu, Zhou, Wang, Gao and Hua, "Ordinal Regression with Multiple Output CNN for Age Estimation", CVPR
2016. ``AFAD-Full/15/111/638660-0.jpg`` is age, gender (111 male, 112 female), and an id and a
number; ``AFAD-Full.txt`` (``AFAD-Lite.txt``) lists them as ``./15/111/638660-0.jpg``. The folders
hold strays such as ``Thumbs.db``; some faces are smaller than 64 pixels. That the id is a person is
not documented; it is taken as one, so that its images stay together in a split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    NO_COUNTS,
    DataSet,
    Parsed,
    age_cell,
    check_folder,
    from_names,
    from_rows,
    image_files,
    no_mapping,
    no_split,
    on_disk,
)

TERMS = "AFAD: research use; check the terms you signed"
LISTS = ("AFAD-Full.txt", "AFAD-Lite.txt")
GENDERS = {"111": "Male", "112": "Female"}
AGES = (15, 75)
_NAME = re.compile(r"(?:^|/)(\d+)/(111|112)/(\w+)-\d+\.(?:jpe?g|png)$", re.IGNORECASE)
COUNTS = NO_COUNTS
"""None: those in use are not of the publisher."""


def read_afad(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the published list where the folder holds it, else the names of the images.

    Raises
    ------
    InputError
        No such folder, no image in it, or a split or a mapping is asked for.
    """
    no_split("afad", split)
    no_mapping("afad", mapping)
    check_folder(root, "afad")
    lists = [root / name for name in LISTS if (root / name).is_file()][:1]
    if lists:
        listed = _listed(lists[0])
        frame, reasons = from_rows(
            (_face(name, path) for name, path in zip(listed, on_disk(root, listed), strict=True)),
            lists[0].name,
        )
    else:
        frame, reasons = from_names(image_files(root, "afad"), _parsed, "afad")
    return Manifest(
        name="afad",
        root=root,
        frame=frame,
        files=tuple(lists),
        sources={"gender": "unknown"},
        terms=TERMS,
        crop=Crop(images="AFAD's crops"),
        reasons=reasons,
    )


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    names = [line.strip().removeprefix("./") for line in lines if line.strip()]
    if not names:
        raise InputError(f"{path}: lists no image; remove it to read the names of the images")
    return names


def _face(name: str, path: str) -> dict[str, str]:
    parsed = _parsed(name)
    label = {"reason": parsed} if isinstance(parsed, str) else parsed
    return {"sample_id": name, "path": path, **label}


def _parsed(path: str) -> Parsed:
    found = _NAME.search(path)
    if not found:
        return "its path is not age/gender/id-number.jpg with gender 111 or 112"
    age, reason = age_cell(found[1], *AGES)
    return reason or {"subject_id": found[3], "age": age, "gender": GENDERS[found[2]]}


DATA = DataSet(
    read_afad,
    root="the folder with 15/ to 75/",
    splits="none; make one with data split",
    about="Asian faces with age and gender",
    terms=TERMS,
    counts=COUNTS,
)

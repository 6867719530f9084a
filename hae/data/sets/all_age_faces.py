"""All-Age-Faces: one photo each of 13,322 mostly Asian people, with age in the file name.

Cheng, Li, Wang, Yu and Wang, "Exploiting Effective Facial Patches for Robust Gender Recognition",
Tsinghua Science and Technology 2019. ``00005A02.jpg`` is person and age; people up to 07380 are
female, from 07381 male. The same names lie in ``original images`` and (sic) ``aglined faces``, so
that one of the two folders is to be read. ``image sets/{train,val}.txt`` beside them hold lines of
name and gender. No licence is stated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    DataSet,
    Parsed,
    age_cell,
    chosen_splits,
    from_names,
    image_files,
    no_mapping,
)

TERMS = "All-Age-Faces: no licence is stated, treat as research only"
SPLITS = ("train", "val")
AGES = (2, 80)
LAST_FEMALE, LAST = 7_380, 13_321
_NAME = re.compile(r"^(\d{5})A(\d{2})\.jpe?g$", re.IGNORECASE)
COUNTS = {
    "": {"usable": 13_322, "people": 13_322, "gender=Male": 5_941, "gender=Female": 7_381},
}


def read_all_age_faces(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read one of the two folders of faces, or those of it that a split's list names.

    Raises
    ------
    InputError
        No such folder, no image in it, both copies of the faces, a split whose list is not there,
        or a mapping is asked for.
    """
    no_mapping("all-age-faces", mapping)
    chosen_splits("all-age-faces", split, SPLITS)
    paths = image_files(root, "all-age-faces")
    _check_once(paths, root)
    lists = () if split is None else (_list(root, split),)
    if lists:
        paths = _listed(lists[0], paths)
    frame, reasons = from_names(paths, _parsed, "all-age-faces")
    aligned = any(word in root.resolve().name.lower() for word in ("aligned", "aglined"))
    return Manifest(
        name="all-age-faces",
        root=root,
        frame=frame,
        files=lists,
        split=split,
        sources={"gender": "unknown"},
        terms=TERMS,
        crop=Crop(images=f"All-Age-Faces' {'aligned faces' if aligned else 'photos'}"),
        reasons=reasons,
    )


def _check_once(paths: Sequence[str], root: Path) -> None:
    folders: dict[str, str] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if _NAME.match(name) and folders.setdefault(name, folder) != folder:
            raise InputError(
                f"--data all-age-faces:{root}: {name} lies in both {folders[name]!r} and "
                f"{folder!r}; give one of these folders"
            )


def _list(root: Path, split: str) -> Path:
    name = f"image sets/{split}.txt"
    for folder in (root, root.resolve().parent):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"--split {split}: no {name} in or beside {root}; leave --split out")


def _listed(path: Path, paths: Sequence[str]) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    names = [line.split()[0].removesuffix(".jpg") + ".jpg" for line in lines if line.strip()]
    where = {path.rpartition("/")[2]: path for path in paths}
    return [where.get(name, name) for name in names]  # one that is not there fails in prediction


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not person, A, age (such as 00005A02.jpg)"
    if int(found[1]) > LAST:
        return f"the person in its name is {found[1]}, must be 00000 to {LAST}"
    age, reason = age_cell(found[2], *AGES)
    gender = "Female" if int(found[1]) <= LAST_FEMALE else "Male"
    return reason or {"subject_id": found[1], "age": age, "gender": gender}


DATA = DataSet(
    read_all_age_faces,
    root="the folder original images/ or aglined faces/",
    splits="all (default), train, val (image sets/)",
    about="mostly Asian faces of all ages with age, gender and person",
    terms=TERMS,
    counts=COUNTS,
)

"""RAF-DB, its single-label part: expressions with perceived gender, race and age group.

Li, Deng and Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression
Recognition in the Wild", CVPR 2017. ``EmoLabel/list_patition_label.txt`` (spelt so) has a name and
1 to 7 in each line; the name begins with the split. The face is
``Image/aligned/<name>_aligned.jpg``, and ``Annotation/manual/<name>_manu_attri.txt`` holds five
landmarks, gender, race and age group as people saw them. Some genders are ``unsure``: a value of
its own. There are no identities and no exact ages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.expressions import numbered
from hae.data.sets.lines import cells_of, split_lines
from hae.data.sets.names import (
    Counts,
    DataSet,
    check_folder,
    chosen_splits,
    from_rows,
    images_in,
    no_mapping,
)

TERMS = "RAF-DB: signed agreement, non-commercial research, no redistribution"
LIST = "EmoLabel/list_patition_label.txt"
SPLITS = ("train", "test")
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "gender": ("Male", "Female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age_group": ("0-3", "4-19", "20-39", "40-69", "70+"),
}
FOLDERS = ("Image/aligned", "Image/aligned/aligned", "aligned")
_NAME = re.compile(r"^(train|test)_\d+\.jpg$", re.IGNORECASE)
_LANDMARKS, _RECORDS = 5, 8
_PUBLISHED: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "": {"gender": (6_206, 8_182, 951), "race": (11_742, 1_202, 2_395)},
    "train": {
        "expression": (1_290, 281, 717, 4_772, 1_982, 705, 2_524),
        "gender": (4_957, 6_562, 752),
        "race": (9_391, 968, 1_912),
    },
    "test": {
        "expression": (329, 74, 160, 1_185, 478, 162, 680),
        "gender": (1_249, 1_620, 199),
        "race": (2_351, 234, 483),
        "age_group": (329, 486, 1_662, 502, 89),
    },
}
COUNTS: Counts = {
    split: {"usable": sum(columns["gender"])}
    | {
        f"{column}={value}": n
        for column, sizes in columns.items()
        for value, n in zip({"expression": LABELS, **ATTRIBUTES}[column], sizes, strict=True)
    }
    for split, columns in _PUBLISHED.items()
}
"""The published age groups of train lack one face, so they are left out."""


def read_raf_db(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the aligned faces; ``root`` is the folder ``basic`` or the one around it.

    A face without its manual file has no attributes, and ``made`` says how many there are; without
    the folder of these files there are no such columns.

    Raises
    ------
    InputError
        No such folder, no list in it, a line of it without two cells, a manual file that has not
        its eight records, or a mapping is asked for.
    """
    no_mapping("raf-db", mapping)
    splits = chosen_splits("raf-db", split, SPLITS)
    check_folder(root, "raf-db")
    root = root / "basic" if (root / "basic" / LIST).is_file() else root
    listed = [
        (cells[0], cells[1])
        for number, line in split_lines(root / LIST, "raf-db")
        if _split((cells := cells_of(root / LIST, number, line, 2, "name, label"))[0])
        in (*splits, "")
    ]
    names = [name for name, _ in listed]
    paths = images_in(root, FOLDERS, [f"{Path(name).stem}_aligned.jpg" for name in names])
    manual = _manual(root)
    seen = [_attributes(manual, Path(name).stem) if manual else {} for name in names]
    rows = [
        _of_row(name, label, path, attributes)
        for (name, label), path, attributes in zip(listed, paths, seen, strict=True)
    ]
    frame, reasons = from_rows(rows, LIST)
    bare = sum(not any(attributes.values()) for attributes in seen) if manual else 0
    return Manifest(
        name="raf-db",
        root=root,
        frame=frame,
        files=(root / LIST,),
        split=split,
        sources=dict.fromkeys(ATTRIBUTES, "perceived") if manual else {},
        terms=TERMS,
        crop=Crop(images="RAF-DB's aligned faces"),
        reasons=reasons,
        made=f"{bare:,} of {len(names):,} faces have no manual file" if bare else None,
    )


def _split(name: str) -> str:
    found = _NAME.match(name)
    return found[1].lower() if found else ""


def _manual(root: Path) -> Path | None:
    """The folder of manual files; one that was downloaded again may be called ``manual (1)``."""
    folders = sorted(path for path in (root / "Annotation").glob("manual*") if path.is_dir())
    return folders[0] if folders else None


def _of_row(name: str, label: str, path: str, attributes: Mapping[str, str]) -> dict[str, str]:
    expression, reason = numbered(label, LABELS, 1)
    if not _split(name):
        reason = "its name is not train_00001.jpg or test_0001.jpg"
    return {
        "sample_id": name,
        "path": path,
        "expression": expression,
        **attributes,
        "split": _split(name),
        "reason": reason,
    }


def _attributes(folder: Path, stem: str) -> dict[str, str]:
    path = folder / f"{stem}_manu_attri.txt"
    if not path.is_file():
        return dict.fromkeys(ATTRIBUTES, "")
    lines = split_lines(path, "raf-db")
    if len(lines) != _RECORDS:
        raise InputError(
            f"{path}: has {len(lines)} records, must have {_RECORDS} (five landmarks, gender, "
            "race, age group); take the file from the archive again"
        )
    found = {}
    for (number, cells), (column, values) in zip(
        lines[_LANDMARKS:], ATTRIBUTES.items(), strict=True
    ):
        code = " ".join(cells)
        if code not in map(str, range(len(values))):
            raise InputError(
                f"{path} line {number}: {column} is {code!r}, must be 0 to {len(values) - 1}; take "
                "the file from the archive again"
            )
        found[column] = values[int(code)]
    return found


DATA = DataSet(
    read_raf_db,
    root=f"the folder basic, with {LIST}, Image/aligned/ and Annotation/manual/",
    splits="all (default), train, test",
    about="seven expressions, with perceived gender (some unsure), race and age group",
    terms=TERMS,
    counts=COUNTS,
)

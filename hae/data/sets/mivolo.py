"""MiVOLO's table: faces and bodies in whole photos; LAGENDA and other sets are given in it.

Kuprashevich and Tolstykh, "MiVOLO: Multi-input Transformer for Age and Gender Estimation", AIST
2023 (arXiv 2307.04616). One CSV: ``img_name, age, gender, face_x0, face_y0, face_x1, face_y1`` and,
where there are bodies, ``person_x0`` to ``person_y1``. The age is a number, a range ``a;b`` or -1;
the gender M, F or -1; a box that is not there has -1 four times. An image has several rows: those
with neither age nor gender are other people in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import MARGIN, Crop
from hae.data.sets.names import (
    NO_COUNTS,
    DataSet,
    age_cell,
    from_rows,
    gender_cell,
    image_folder,
    label_rows,
    no_mapping,
    no_split,
    number_cells,
    on_disk,
)

TERMS = "a table in MiVOLO's format: the terms are those of its images; check them"
FACE = ("face_x0", "face_y0", "face_x1", "face_y1")
BODY = ("person_x0", "person_y0", "person_x1", "person_y1")
COLUMNS = ("img_name", "age", "gender", *FACE)
NONE = "-1"
AGES = (0, 120)
_RANGE = re.compile(r"^(\d{1,3});(\d{1,3})$")
COUNTS = NO_COUNTS


def read_mivolo(table: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read a table; its images lie in the table's folder, in ``images/`` there or one above.

    People without age and gender are left out: they are no labelled faces. A face without an age
    fails, and so does one without a box. A range of ages stays one (``25;32`` is 25-32).

    Raises
    ------
    InputError
        No such table, a column is missing, no face has a label, or a split or a mapping is asked
        for.
    """
    no_split("mivolo", split)
    no_mapping("mivolo", mapping)
    if table.is_dir():
        raise InputError(f"--data mivolo:{table}: is a folder; give the CSV in MiVOLO's format")
    folder = table.parent
    return read_boxes(table, "mivolo", [folder, folder / "images", folder.parent / "images"], TERMS)


def read_boxes(
    table: Path,
    name: str,
    folders: Sequence[Path],
    terms: str,
    sources: Mapping[str, str] | None = None,
) -> Manifest:
    """Read a table of this format; the images lie in one of the folders."""
    rows = label_rows(table, COLUMNS, name)
    rows = [row for row in rows if (row["age"], row["gender"]) != (NONE, NONE)]
    if not rows:
        raise InputError(f"{table}: no face with an age or a gender; is it the right table?")
    names = [row["img_name"] for row in rows]
    root = Path(image_folder(Path(), [str(folder) for folder in folders], names))
    frame, reasons = from_rows(map(_of_row, rows, on_disk(root, names)), table.name)
    boxes = number_cells([[row[edge] for edge in FACE] for row in rows])
    boxes[(boxes == -1).all(axis=1)] = np.nan
    return Manifest(
        name=name,
        root=root,
        frame=frame,
        files=(table,),
        sources=sources or {"gender": "unknown"},
        terms=terms,
        crop=Crop(images="scenes", region="box", margin=MARGIN),
        boxes=boxes,
        reasons=reasons,
    )


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    age, reason = _age(row["age"])
    edges = FACE if any(row[edge] != NONE for edge in FACE) else BODY
    return {
        "sample_id": f"{row['img_name']}:{','.join(row.get(edge, NONE) for edge in edges)}",
        "path": path,
        "age": age,
        "gender": gender_cell(row["gender"]),
        "reason": reason,
    }


def _age(text: str) -> tuple[str, str]:
    if text in (NONE, ""):
        return "", "it has no age"
    band = _RANGE.match(text)
    if not band:
        return age_cell(text, *AGES)
    low, high = int(band[1]), int(band[2])
    if not AGES[0] <= low <= high <= AGES[1]:
        return "", f"its age is {text}, must be a range from {AGES[0]} to {AGES[1]}"
    return str(low) if low == high else f"{low}-{high}", ""


DATA = DataSet(
    read_mivolo,
    root="a CSV in MiVOLO's format; images beside it or in images/",
    splits="none; make one with data split",
    about="age or a range of ages, gender and a box of the face; others in an image are left out",
    terms=TERMS,
    counts=COUNTS,
)

"""ExpW: faces in photos of the web with one of seven expressions and a box.

Zhang, Luo, Loy and Tang, "From Facial Expression Recognition to Interpersonal Relation Prediction",
International Journal of Computer Vision 2018. A line of ``label.lst`` is image, number of the face
in it, top, left, right and bottom of its box, confidence of the box, expression. A photo shows
several people, so a face is known by image and number. Some lines are there twice. There is no
split and there are no identities: divide by photo, as ``data split`` does by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hae.data.core import Manifest
from hae.data.crop import MARGIN, Crop
from hae.data.expressions import numbered
from hae.data.sets.lines import cells_of, left_out, split_lines
from hae.data.sets.names import (
    NO_COUNTS,
    DataSet,
    check_folder,
    from_rows,
    images_in,
    no_mapping,
    no_split,
    number_cells,
)

TERMS = "ExpW: research use; photos of the web remain with their owners"
LIST = "label.lst"
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FOLDERS = ("image/origin", "origin", "image", "images", ".")
FIELDS = ("image", "face", "top", "left", "right", "bottom", "confidence", "label")
BOX = ("left", "top", "right", "bottom")
COUNTS = NO_COUNTS
"""None: the publisher's number is rounded, and lines are there twice."""


def read_expw(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read ``label.lst`` of the folder or of its ``label/``.

    Lines that are there twice are read once, and ``made`` says how many were left out; a face that
    is listed with two labels fails.

    Raises
    ------
    InputError
        No such folder, no list in it, a line without eight cells, or a split or a mapping is asked
        for.
    """
    no_split("expw", split)
    no_mapping("expw", mapping)
    check_folder(root, "expw")
    table = root / LIST
    if not table.is_file() and (root / "label" / LIST).is_file():
        table = root / "label" / LIST
    lines = [
        tuple(cells_of(table, number, line, len(FIELDS), ", ".join(FIELDS)))
        for number, line in split_lines(table, "expw")
    ]
    once = list(dict.fromkeys(lines))
    rows = [dict(zip(FIELDS, line, strict=True)) for line in once]
    paths = images_in(root, FOLDERS, [row["image"] for row in rows])
    frame, reasons = from_rows(map(_of_row, rows, paths), LIST)
    return Manifest(
        name="expw",
        root=root,
        frame=frame,
        files=(table,),
        terms=TERMS,
        crop=Crop(images="scenes", region="box", margin=MARGIN),
        boxes=number_cells([_box(row) for row in rows]),
        reasons=reasons,
        made=left_out(len(lines) - len(once), "duplicate line"),
    )


def _box(row: Mapping[str, str]) -> Sequence[str]:
    return [row[edge] for edge in BOX]


def _of_row(row: Mapping[str, str], path: str) -> dict[str, str]:
    expression, reason = numbered(row["label"], LABELS, 0)
    return {
        "sample_id": f"{row['image']}:{row['face']}",
        "path": path,
        "expression": expression,
        "box_confidence": row["confidence"],
        "reason": reason,
    }


DATA = DataSet(
    read_expw,
    root=f"the folder with {LIST} and image/origin/",
    splits="none; make one with data split, which keeps the faces of a photo together",
    about="seven expressions and a box of the face; several faces in a photo",
    terms=TERMS,
    counts=COUNTS,
)

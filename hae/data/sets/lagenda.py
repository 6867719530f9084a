"""LAGENDA: people in photos of Open Images, with age and gender as people saw them.

Kuprashevich and Tolstykh, "MiVOLO: Multi-input Transformer for Age and Gender Estimation", AIST
2023 (arXiv 2307.04616). ``lagenda_annotation.csv`` is in MiVOLO's format; ``img_name`` begins with
``lag_benchmark/``. The publisher speaks of 84,192 people from 0 to 95 years on 67,159 images; most
rows of the table are other people without a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hae.data.core import Manifest
from hae.data.sets.mivolo import read_boxes
from hae.data.sets.names import NO_COUNTS, DataSet, check_folder, no_mapping, no_split

TERMS = "LAGENDA: CC BY 2.0 by its publisher's page; photos from Open Images"
TABLE = "lagenda_annotation.csv"
COUNTS = NO_COUNTS


def read_lagenda(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the folder with the table; people without age and gender are left out.

    Raises
    ------
    InputError
        As :func:`hae.data.sets.mivolo.read_mivolo`, or no such folder.
    """
    no_split("lagenda", split)
    no_mapping("lagenda", mapping)
    check_folder(root, "lagenda")
    folders = [root, root / "images"]
    return read_boxes(root / TABLE, "lagenda", folders, TERMS, {"gender": "perceived"})


DATA = DataSet(
    read_lagenda,
    root=f"the folder with {TABLE} and lag_benchmark/",
    splits="none; make one with data split",
    about="perceived age and gender and a box of the face; unlabelled people are left out",
    terms=TERMS,
    counts=COUNTS,
)

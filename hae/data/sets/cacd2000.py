"""CACD2000: celebrities over ten years, with age and name in the file name.

Chen, Chen and Hsu, "Cross-Age Reference Coding for Age-Invariant Face Recognition and Retrieval",
ECCV 2014. ``CACD2000/45_Peter_Mullan_0001.jpg`` is age, name and number: the name is what lies
between the first and the last underscore. ``celebrity2000_meta.mat`` holds a structure
``celebrityImageData`` (age, identity, year, feature, rank, lfw, birth, name). The age is the year
of the photo less that of birth and so uncertain. The publisher's split is by rank: 1 and 2
validation, 3 to 5 test (said to be clean), the others training. Gender is not given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.sets.names import (
    DataSet,
    Parsed,
    age_cell,
    check_folder,
    chosen_splits,
    from_names,
    from_rows,
    image_files,
    images_in,
    no_mapping,
)

TERMS = "CACD2000: research use; check the terms you signed"
SPLITS = ("train", "val", "test")
TABLE, STRUCTURE = "celebrity2000_meta.mat", "celebrityImageData"
FIELDS = ("name", "age", "rank")
AGES = (1, 100)
LAST_VAL, LAST_TEST = 2, 5
_NAME = re.compile(r"^(\d+)_(.+)_(\d+)\.jpe?g$", re.IGNORECASE)
COUNTS = {"": {"usable": 163_446}}


def read_cacd2000(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read the .mat where the folder holds it, else the names of the images.

    Raises
    ------
    InputError
        No such folder, neither .mat nor image in it, a .mat that cannot be read, a split without
        the .mat, or a mapping is asked for.
    """
    no_mapping("cacd2000", mapping)
    chosen = chosen_splits("cacd2000", split, SPLITS)
    check_folder(root, "cacd2000")
    table = root / TABLE
    if table.is_file():
        names, ages, ranks = _columns(table)
        rows = map(_of_row, names, images_in(root, ("CACD2000", "."), names), ages, ranks)
        frame, reasons = from_rows((row for row in rows if row["split"] in chosen), TABLE)
    elif split is None:
        frame, reasons = from_names(image_files(root, "cacd2000"), _parsed, "cacd2000")
    else:
        raise InputError(
            f"--split {split}: cacd2000 is split by the ranks in {table}: no such file"
        )
    return Manifest(
        name="cacd2000",
        root=root,
        frame=frame,
        files=(table,) if table.is_file() else (),
        split=split,
        terms=TERMS,
        crop=Crop(images="CACD2000's crops"),
        reasons=reasons,
    )


def _columns(table: Path) -> tuple[list[str], list[str], list[float]]:
    """Names, ages and ranks of the images, with every error in words."""
    from scipy.io import loadmat

    try:
        found = loadmat(table, variable_names=[STRUCTURE], squeeze_me=True, struct_as_record=False)
    except NotImplementedError:
        raise InputError(
            f"{table}: is a MATLAB file of version 7.3 (HDF5), which is not read; save it in "
            "MATLAB with -v7, or remove it to read the names of the images"
        ) from None
    except Exception as error:  # what a parser of a binary format raises on bad bytes
        raise InputError(f"{table}: is no readable MATLAB file ({error})") from None
    data = found.get(STRUCTURE)
    names, ages, ranks = (np.atleast_1d(getattr(data, name, [])) for name in FIELDS)
    try:
        years, places = ages.astype(np.float64), ranks.astype(np.float64)
    except (TypeError, ValueError):
        years = places = np.zeros(0)
    if not len(names) == len(years) == len(places) > 0:
        raise InputError(
            f"{table}: no structure {STRUCTURE!r} with the fields {', '.join(FIELDS)}, equally "
            "long; is it the file of CACD2000?"
        )
    return [str(name).strip() for name in names], [f"{age:g}" for age in years], places.tolist()


def _of_row(name: str, path: str, age: str, rank: float) -> dict[str, str]:
    parsed = _parsed(name)
    label = {"reason": parsed} if isinstance(parsed, str) else dict(parsed)
    if not isinstance(parsed, str) and parsed["age"] != age:
        label |= {"age": "", "reason": f"the age is {age} in the .mat, {parsed['age']} in the name"}
    part = "val" if rank <= LAST_VAL else "test" if rank <= LAST_TEST else "train"
    return {"sample_id": name, "path": path, **label, "split": part}


def _parsed(path: str) -> Parsed:
    found = _NAME.match(path.rpartition("/")[2])
    if not found:
        return "its name is not age_name_number.jpg"
    age, reason = age_cell(found[1], *AGES)
    return reason or {"subject_id": found[2].replace("_", " "), "age": age}


DATA = DataSet(
    read_cacd2000,
    root=f"the folder with CACD2000/ and {TABLE} (else no splits)",
    splits="all (default), train, val, test (by rank)",
    about="celebrities over ten years with age (uncertain) and person",
    terms=TERMS,
    counts=COUNTS,
)

"""FairFace: face crops with perceived age band, gender and race.

Kärkkäinen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age for Bias
Measurement and Mitigation", WACV 2021. On disk: ``fairface_label_{train,val}.csv`` with the columns
``file, age, gender, race, service_test`` beside the folders ``train/`` and ``val/``. There are no
identities and no exact ages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from audit.errors import InputError
from audit.tables import read_table
from hae.data.core import Manifest, checked
from hae.data.crop import Crop

SPLITS = ("train", "val")
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
COLUMNS = ("file", "age", "gender", "race")
TERMS = "FairFace: CC BY 4.0, attribution to Kärkkäinen and Joo (WACV 2021)"
_DAMAGED = {"03-Sep": "3-9", "3-Sep": "3-9", "9-Mar": "3-9", "Oct-19": "10-19", "19-Oct": "10-19"}
_SAME_AGE = {"70+": "more than 70"} | _DAMAGED


def read_fairface(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read one split of FairFace; a label without its image stays in and fails in prediction.

    Ages stay the bands of the file (``more than 70`` has no upper end). Label files that went
    through a spreadsheet are repaired: ``03-Sep`` is 3-9, ``Oct-19`` is 10-19, ``TRUE`` is True.

    Raises
    ------
    InputError
        The folder, the label file or a column is missing, or an age is none of the nine bands.
    """
    if mapping:
        raise InputError("--map: fairface has fixed columns; use --data manifest:TABLE instead")
    split = split or "val"
    if split not in SPLITS:
        raise InputError(f"--split {split!r}: fairface has {' and '.join(SPLITS)}")
    if not root.is_dir():
        raise InputError(f"--data fairface:{root}: no such folder; give the folder of the data set")
    labels = root / f"fairface_label_{split}.csv"
    if not labels.is_file():
        raise InputError(f"{labels}: no such file; the folder must hold FairFace's label files")
    frame = read_table(labels)
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(
            f"{labels.name}: no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}"
        )
    frame = frame.rename(columns={"file": "path"})
    frame.insert(0, "sample_id", frame["path"])
    frame["age"] = _ages(frame["age"], labels.name)
    if "service_test" in frame.columns:
        frame["service_test"] = frame["service_test"].str.capitalize()
    return Manifest(
        name="fairface",
        root=root,
        frame=checked(frame, labels.name),
        files=(labels,),
        split=split,
        sources={"gender": "perceived", "race": "perceived"},
        terms=TERMS,
        crop=Crop(images="FairFace's crops, margin 0.25"),
    )


def _ages(column: pd.Series, place: str) -> pd.Series:
    ages = column.str.strip().replace(_SAME_AGE)
    wrong = ages.notna() & ~ages.isin(AGES)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{place} row {row + 1}: age is {column.iloc[row]!r}, must be one of {', '.join(AGES)}"
        )
    return ages

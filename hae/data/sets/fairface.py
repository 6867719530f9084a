"""FairFace: face crops with perceived age band, gender and race.

Kärkkäinen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age for Bias
Measurement and Mitigation", WACV 2021. On disk: ``fairface_label_{train,val}.csv`` with the columns
``file, age, gender, race, service_test`` beside the folders ``train/`` and ``val/``. There are two
archives of images: 224 pixels with a margin of 0.25 around the face, and 448 with one of 1.25.
There are no identities and no exact ages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from PIL import Image

from audit.errors import InputError
from audit.tables import read_table
from hae.data.core import Manifest, checked
from hae.data.crop import Crop
from hae.data.images import strict_decoding
from hae.data.sets.names import DataSet

SPLITS = ("train", "val")
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
COLUMNS = ("file", "age", "gender", "race")
RACES = (
    "White",
    "Black",
    "Indian",
    "East Asian",
    "Southeast Asian",
    "Middle Eastern",
    "Latino_Hispanic",
)
TERMS = "FairFace: CC BY 4.0, attribution to Kärkkäinen and Joo (WACV 2021)"
_DAMAGED = {"03-Sep": "3-9", "3-Sep": "3-9", "9-Mar": "3-9", "Oct-19": "10-19", "19-Oct": "10-19"}
_SAME_AGE = {"70+": "more than 70"} | _DAMAGED
_RACES = {
    "train": (16_527, 12_233, 12_319, 12_287, 10_795, 9_216, 13_367),
    "val": (2_085, 1_556, 1_516, 1_550, 1_415, 1_209, 1_623),
}
_AGES = {
    "train": (1_792, 10_408, 9_103, 25_598, 19_250, 10_744, 6_228, 2_779, 842),
    "val": (199, 1_356, 1_181, 3_300, 2_330, 1_353, 796, 321, 118),
}
_GENDERS = {
    "train": {"usable": 86_744, "gender=Female": 40_758, "gender=Male": 45_986},
    "val": {"usable": 10_954, "gender=Female": 5_162, "gender=Male": 5_792},
}
COUNTS = {
    split: _GENDERS[split]
    | {f"race={race}": n for race, n in zip(RACES, _RACES[split], strict=True)}
    | {f"age={age}": n for age, n in zip(AGES, _AGES[split], strict=True)}
    for split in SPLITS
}
_WIDE = 448
_TRIED = 100
"""So many images are tried for one that tells the margin."""


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
        crop=Crop(images=f"FairFace's crops, margin {_margin(root, frame['path'])}"),
    )


def _margin(root: Path, paths: pd.Series) -> str:
    """The margin of the archive, by the size of the first image that can be opened."""
    with strict_decoding():
        for path in paths[:_TRIED].dropna():
            try:
                with Image.open(root / path) as image:
                    return "1.25" if image.size == (_WIDE, _WIDE) else "0.25"
            except (OSError, ValueError, Warning, Image.DecompressionBombError):
                continue  # it fails in prediction, with a reason
    return "0.25"


def _ages(column: pd.Series, place: str) -> pd.Series:
    ages = column.str.strip().replace(_SAME_AGE)
    wrong = ages.notna() & ~ages.isin(AGES)
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise InputError(
            f"{place} row {row + 1}: age is {column.iloc[row]!r}, must be one of {', '.join(AGES)}"
        )
    return ages


DATA = DataSet(
    read_fairface,
    root="the folder with fairface_label_val.csv and val/",
    splits="val (default), train",
    about="perceived age band, gender and race",
    terms=TERMS,
    counts=COUNTS,
)

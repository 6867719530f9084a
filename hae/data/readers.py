"""The data sets that ``--data NAME:ROOT`` knows: a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.errors import InputError
from hae.data.core import NO_SOURCES, Manifest, Reader
from hae.data.fairface import read_fairface
from hae.data.manifest import read_manifest
from hae.data.rendered.reader import read_rendered
from hae.data.utkface import read_utkface


@dataclass(frozen=True)
class DataSet:
    """A reader and what to tell about it."""

    read: Reader
    root: str
    splits: str
    about: str


READERS: dict[str, DataSet] = {
    "fairface": DataSet(
        read_fairface,
        root="the folder with fairface_label_val.csv and val/",
        splits="val (default), train",
        about="perceived age band, gender and race; CC BY 4.0",
    ),
    "manifest": DataSet(
        read_manifest,
        root="a CSV or Parquet table with a column path",
        splits="the values of its column split",
        about="your own images; every other column is truth or attribute",
    ),
    "rendered": DataSet(
        read_rendered,
        root="default, a TOML file, or key=value,key=value such as people=500,blur=1.5",
        splits="train, val, test (by person)",
        about="faces drawn by this program, every attribute known; biases can be planted",
    ),
    "utkface": DataSet(
        read_utkface,
        root="the folder of the faces, or of part1 to part3",
        splits="none; make one with data split",
        about="age, gender and race in the file names; non-commercial research only",
    ),
}


def read_data(
    text: str, split: str | None = None, mapping: Mapping[str, str] = NO_SOURCES
) -> Manifest:
    """Read the data set that ``NAME:ROOT`` names.

    Raises
    ------
    InputError
        No such data set, no such place, or a label file that breaks its rules.
    """
    name, colon, root = text.partition(":")
    if not colon or not root:
        raise InputError(f"--data {text!r}: must be NAME:ROOT; NAME is one of {', '.join(READERS)}")
    if name not in READERS:
        raise InputError(f"--data {text!r}: no data set {name!r}; known are {', '.join(READERS)}")
    return READERS[name].read(Path(root).expanduser(), split, mapping)

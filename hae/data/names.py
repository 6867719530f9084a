"""Data sets whose labels are in the names of their files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from audit.errors import InputError
from hae.data.core import checked

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
Parsed = Mapping[str, str] | str
"""Columns of a face, or why its name cannot be read."""


def image_files(root: Path, name: str) -> list[str]:
    """Paths of the image files below a folder, relative to it, in text order; others are left.

    Folders that are links are not entered, so that no face is found twice.

    Raises
    ------
    InputError
        No such folder, or no image in it.
    """
    if not root.is_dir():
        raise InputError(f"--data {name}:{root}: no such folder; give the folder of the images")
    found = [
        Path(folder, file).relative_to(root).as_posix()
        for folder, _, files in os.walk(root)
        for file in files
        if file.lower().endswith(SUFFIXES) and not file.startswith("._")
    ]
    if not found:
        raise InputError(
            f"--data {name}:{root}: no image in this folder ({', '.join(SUFFIXES)}); "
            "give the folder of the images"
        )
    return sorted(found)


def from_names(
    paths: Sequence[str], parse: Callable[[str], Parsed], place: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A manifest's frame and its reasons, from relative paths and what they mean.

    ``parse`` gets the path. A face whose name cannot be read keeps its row, without a label.
    """
    rows, reasons = [], []
    for path in paths:
        parsed = parse(path)
        label, reason = ({}, parsed) if isinstance(parsed, str) else (parsed, "")
        rows.append({"sample_id": path, "path": path, **label})
        reasons.append(reason)
    return checked(pd.DataFrame(rows).astype("str"), place), tuple(reasons)


def no_split(name: str, split: str | None) -> None:
    """Refuse a split where the data set has none."""
    if split is not None:
        raise InputError(
            f"--split {split!r}: {name} comes without splits; make one with data split and give "
            "its table as --data manifest:TABLE"
        )


def no_mapping(name: str, mapping: Mapping[str, str]) -> None:
    """Refuse names of columns where the format fixes them."""
    if mapping:
        raise InputError(f"--map: {name} has fixed columns; leave --map out")

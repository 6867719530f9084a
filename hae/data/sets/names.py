"""What the readers of published data sets share: names of files, rows of label files."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from audit.errors import InputError
from audit.tables import read_table
from hae.data.core import FloatArray, Reader, checked

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
Parsed = Mapping[str, str] | str
"""Columns of a face, or why its name cannot be read."""
Counts = Mapping[str, Mapping[str, int]]
"""For each split ("" for all of them) the published number of ``usable`` faces, of ``people`` and
of each ``column=value``."""
NO_COUNTS: Counts = MappingProxyType({})
_GENDERS = {"m": "Male", "male": "Male", "f": "Female", "female": "Female"}
_TRIED = 100
"""So many listed images say in which folder they lie."""


@dataclass(frozen=True)
class DataSet:
    """A reader and what to tell about it."""

    read: Reader
    root: str
    splits: str
    about: str
    terms: str
    counts: Counts = field(default_factory=lambda: NO_COUNTS)


def image_files(root: Path, name: str) -> list[str]:
    """Paths of the image files below a folder, relative to it, in text order; others are left.

    Raises
    ------
    InputError
        No such folder, one in it that is a link or cannot be read, no image, or a name that is no
        text.
    """
    check_folder(root, name)
    found = []
    for folder, folders, files in os.walk(root, onerror=_refuse):
        links = [inner for inner in folders if Path(folder, inner).is_symlink()]
        if links:
            raise InputError(
                f"--data {name}:{root}: {Path(folder, links[0])} is a link to a folder, whose "
                "images would be missed; put the folder itself there, or take the link away"
            )
        found += [
            Path(folder, file).relative_to(root).as_posix()
            for file in files
            if file.lower().endswith(SUFFIXES) and not file.startswith("._")
        ]
    if not found:
        raise InputError(
            f"--data {name}:{root}: no image in this folder ({', '.join(SUFFIXES)}); "
            "give the folder of the images"
        )
    for path in found:
        if not path.isprintable() and _undecodable(path):
            raise InputError(
                f"--data {name}:{root}: the file name {path!r} is not UTF-8; rename the file"
            )
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror}); mend its permissions")


def _undecodable(path: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in path)


def check_folder(root: Path, name: str) -> None:
    """Refuse a root that is no folder."""
    if not root.is_dir():
        raise InputError(f"--data {name}:{root}: no such folder; give the folder of the data set")


def from_names(
    paths: Sequence[str], parse: Callable[[str], Parsed], place: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A manifest's frame and its reasons, from relative paths and what they mean.

    ``parse`` gets the path. A face whose name cannot be read keeps its row, without a label.
    """
    rows = []
    for path in paths:
        parsed = parse(unicodedata.normalize("NFC", path))
        label = {"reason": parsed} if isinstance(parsed, str) else parsed
        rows.append({"sample_id": path, "path": path, **label})
    return from_rows(rows, place)


def from_rows(
    rows: Iterable[Mapping[str, str]], place: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A manifest's frame and its reasons, from each face's cells.

    A row has ``sample_id``, ``path``, the columns of its label (an empty text is missing) and,
    where that label cannot be used, the ``reason``. Ids and people become NFC, so that a name is
    one text on every system; paths stay as they are on disk. A face that is listed again fails
    under an id of its own; where the two labels differ, the first fails too.

    Raises
    ------
    InputError
        Not one label can be used.
    """
    cells = [dict(row) for row in rows]
    reasons = [row.pop("reason", "") for row in cells]
    for row in cells:
        for name in ("sample_id", "subject_id"):
            if name in row:
                row[name] = unicodedata.normalize("NFC", row[name])
    _mark_doubles(cells, reasons)
    if cells and all(reasons):
        raise InputError(
            f"{place}: none of its {len(cells):,} labels can be used; the first, "
            f"{cells[0]['sample_id']}: {reasons[0]}; is it the right place?"
        )
    frame = pd.DataFrame([{k: v or None for k, v in row.items()} for row in cells])
    return checked(frame.astype("str").where(frame.notna()), place), tuple(reasons)


def _mark_doubles(cells: Sequence[dict[str, str]], reasons: list[str]) -> None:
    first: dict[str, int] = {}
    for index, row in enumerate(cells):
        name = row["sample_id"]
        if name not in first:
            first[name] = index
            continue
        one, number = first[name], 2
        if _label(row) == _label(cells[one]):
            reasons[index] = f"duplicate of row {one + 1}"
        else:
            reasons[index] = f"row {one + 1} lists it with another label"
            reasons[one] = reasons[one] or f"row {index + 1} lists it with another label"
        while f"{name}#{number}" in first:
            number += 1
        row["sample_id"] = f"{name}#{number}"
        first[row["sample_id"]] = index


def _label(row: Mapping[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name not in ("sample_id", "path")}


def label_rows(path: Path, columns: Sequence[str], name: str) -> list[dict[str, str]]:
    """The rows of a CSV as text without blanks around it; a missing cell is "".

    Raises
    ------
    InputError
        No such file, one that is no table, or a column is missing.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; --data {name}:ROOT needs the folder with {path.name}"
        )
    table = read_table(path)
    check_columns(list(map(str, table.columns)), columns, path.name)
    rows = table.fillna("").to_dict("records")
    return [{str(k): str(v).strip() for k, v in row.items()} for row in rows]


def check_columns(found: Sequence[str], needed: Sequence[str], place: str) -> None:
    """Refuse a label file that lacks a column."""
    missing = [name for name in needed if name not in found]
    if missing:
        raise InputError(f"{place}: no column {missing[0]!r}; it has {', '.join(found)}")


def image_folder(root: Path, folders: Sequence[str], names: Sequence[str]) -> str:
    """The first of some folders that holds one of the first listed images; else the first."""
    for folder in folders:
        if any((root / folder / name).is_file() for name in names[:_TRIED]):
            return folder
    return folders[0]


def images_in(root: Path, folders: Sequence[str], names: Sequence[str]) -> list[str]:
    """Paths of the listed images, in the folder of :func:`image_folder`, as they are on disk."""
    folder = image_folder(root, folders, names)
    return on_disk(root, [name if folder == "." else f"{folder}/{name}" for name in names])


def on_disk(root: Path, paths: Sequence[str]) -> list[str]:
    """Listed paths as they are written on disk; one that is not found stays as it is.

    A name may differ in its Unicode form, in its accents and in its case, if only one file of its
    folder is meant.
    """
    known: dict[Path, dict[str, str]] = {}
    found = []
    for path in paths:
        place = root / path
        if not place.is_file():
            if place.parent not in known:
                known[place.parent] = _by_plain_name(place.parent)
            folder, slash, name = path.rpartition("/")
            path = f"{folder}{slash}{known[place.parent].get(_plain(name)) or name}"
        found.append(path)
    return found


def _by_plain_name(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    names: dict[str, str] = {}
    for name in sorted(file.name for file in folder.iterdir()):
        key = _plain(name)
        names[key] = "" if key in names or _undecodable(name) else name
    return names


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return "".join(c for c in letters if not unicodedata.combining(c)).casefold()


def age_cell(text: str, low: float, high: float) -> tuple[str, str]:
    """An age's text and "", or "" and why it cannot be used.

    Examples
    --------
    >>> age_cell("34.0", 0, 100), age_cell("-3", 0, 100)
    (('34', ''), ('', 'its age is -3, must be 0 to 100'))
    """
    try:
        years = float(text)
    except ValueError:
        return "", f"its age is {text!r}, no number" if text else "it has no age"
    if not low <= years <= high:
        return "", f"its age is {text}, must be {low:g} to {high:g}"
    return str(int(years)) if years == int(years) else text, ""


def gender_cell(text: str) -> str:
    """``Male`` or ``Female``; "" for anything else."""
    return _GENDERS.get(text.strip().lower(), "")


def number_cells(rows: Sequence[Sequence[str]]) -> FloatArray:
    """Cells as numbers, (n, k); NaN where one is none."""
    return np.array([[_number(cell) for cell in row] for row in rows], dtype=np.float64)


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) else np.nan


def chosen_splits(name: str, split: str | None, splits: Sequence[str]) -> Sequence[str]:
    """The splits to read: all, or the one that is asked for."""
    if split is not None and split not in splits:
        raise InputError(f"--split {split!r}: {name} has {', '.join(splits)}")
    return splits if split is None else [split]


def no_split(name: str, split: str | None) -> None:
    """Refuse a split where the data set has none."""
    if split is not None:
        raise InputError(
            f"--split {split!r}: {name} comes without splits; make one with data split and give "
            "its table as --data manifest:TABLE"
        )


def no_mapping(name: str, mapping: Collection[str]) -> None:
    """Refuse names of columns where the format fixes them."""
    if mapping:
        raise InputError(f"--map: {name} has fixed columns; leave --map out")

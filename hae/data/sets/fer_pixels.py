"""The pixels of FER2013, which are text in the cells of a CSV; FERPlus shares them.

``fer2013.csv`` has ``emotion, pixels, Usage``; ``pixels`` are 48 times 48 grey values from 0 to
255, row by row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from audit.errors import InputError
from hae.data.images import Pixels, fit_face
from hae.data.sets.lines import cells_of, csv_lines
from hae.data.sets.names import check_columns

TABLE = "fer2013.csv"
COLUMNS = ("emotion", "pixels", "Usage")
SIDE = 48
USAGES = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
SPLITS = tuple(USAGES.values())
BAD_PIXELS = f"its pixels are not {SIDE * SIDE:,} whole numbers from 0 to 255"


@dataclass(frozen=True, eq=False)
class FerTable:
    """The rows of a ``fer2013.csv`` in its order.

    ``pixels`` is (n, 48, 48) uint8; ``reasons`` has for each row why it has no pixels, "" where it
    has.
    """

    emotions: tuple[str, ...]
    splits: tuple[str, ...]
    pixels: npt.NDArray[np.uint8] = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class FerPixels:
    """Grey faces in memory, one for each row of a manifest; fulfils ``Images``.

    ``reasons``: for each face why it has no pixels or no label, "" where it has both.
    """

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all pixels."""
        return f"fer/1 {hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes()).hexdigest()}"

    @property
    def drawn(self) -> bool:
        """No: photos."""
        return False

    def __call__(
        self, rows: Sequence[int], size: tuple[int, int], keep: float
    ) -> list[Pixels | str]:
        """Cut and scale some faces as image files are; grey becomes RGB."""
        return [
            self.reasons[row] or fit_face(Image.fromarray(self.pixels[row]), size, keep)
            for row in rows
        ]


def read_fer_table(path: Path, name: str) -> FerTable:
    """Read a whole ``fer2013.csv``; some seconds, and 83 MB for its 35,887 faces.

    Raises
    ------
    InputError
        No such file, a column is missing, a row has another number of cells, its ``Usage`` is
        unknown, or there is no row.
    """
    lines = csv_lines(path, name)
    header = next(lines, (1, []))[1]
    check_columns(header, COLUMNS, path.name)
    emotion, pixels, usage = (header.index(column) for column in COLUMNS)
    emotions, splits, faces = [], [], []
    for number, found in lines:
        cells = cells_of(path, number, found, len(header), ", ".join(header))
        splits.append(split_of(cells[usage], f"{path} line {number}"))
        emotions.append(cells[emotion])
        faces.append(_face(cells[pixels]))
    if not faces:
        raise InputError(f"{path}: has no rows; give at least one face")
    whole = b"".join(face or bytes(SIDE * SIDE) for face in faces)
    return FerTable(
        emotions=tuple(emotions),
        splits=tuple(splits),
        pixels=np.frombuffer(whole, dtype=np.uint8).reshape(-1, SIDE, SIDE),
        reasons=tuple("" if face else BAD_PIXELS for face in faces),
    )


def split_of(usage: str, place: str) -> str:
    """The split that a ``Usage`` means.

    Raises
    ------
    InputError
        It means none.
    """
    if usage not in USAGES:
        raise InputError(f"{place}: Usage is {usage!r}, must be one of {', '.join(USAGES)}")
    return USAGES[usage]


def row_name(row: int) -> str:
    """What the face of a row of ``fer2013.csv``, counted from 0, is called here.

    FERPlus names files ``fer0000035.png``; those numbers are not the rows.

    Examples
    --------
    >>> row_name(35)
    'row00035'
    """
    return f"row{row:05d}"


def _face(text: str) -> bytes | None:
    try:
        face = bytes(map(int, text.split()))
    except ValueError:  # no number, or none from 0 to 255
        return None
    return face if len(face) == SIDE * SIDE else None

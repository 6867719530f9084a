"""Label files without a header: lines of cells with their numbers, for errors that say where."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from audit.errors import InputError


def split_lines(path: Path, name: str) -> list[tuple[int, list[str]]]:
    """Each line's number, from 1, and its cells between blanks or tabs; empty lines are left out.

    Raises
    ------
    InputError
        No such file, one that is not UTF-8, or not one line with a cell.
    """
    lines = _text(path, name).splitlines()
    found = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise InputError(f"{path}: has no rows; give at least one face")
    return found


def csv_lines(path: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """Each line's number, from 1, and its cells between commas, stripped; empty ones are left out.

    The file is read line by line: some are larger than memory should hold as text.

    Raises
    ------
    InputError
        No such file, or one that is no CSV in UTF-8.
    """
    _check(path, name)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, [cell.strip() for cell in cells]
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8") from None
        except csv.Error as error:
            raise InputError(f"{path} line {reader.line_num}: is no CSV ({error})") from None


def cells_of(path: Path, number: int, cells: list[str], width: int, what: str) -> list[str]:
    """The cells of a line.

    Raises
    ------
    InputError
        There are more or fewer than ``width``.
    """
    if len(cells) != width:
        raise InputError(
            f"{path} line {number}: has {len(cells)} cells, must have {width} ({what}); is the "
            "file cut off?"
        )
    return cells


def left_out(count: int, what: str) -> str | None:
    """In words how many rows are left out, for a manifest's ``made``; None where none is.

    Examples
    --------
    >>> left_out(1, "duplicate line"), left_out(1200, "duplicate line")
    ('1 duplicate line left out', '1,200 duplicate lines left out')
    """
    return f"{count:,} {what}{'' if count == 1 else 's'} left out" if count else None


def _check(path: Path, name: str) -> None:
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; --data {name}:ROOT needs the folder with {path.name}"
        )


def _text(path: Path, name: str) -> str:
    _check(path, name)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None

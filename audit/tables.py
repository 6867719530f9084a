"""Foreign tables: read CSV and Parquet as written, rename, join the truth, mark failures."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from audit.errors import InputError
from audit.result import FileHash

BoolArray = npt.NDArray[np.bool_]
_CONDITION = re.compile(r"^\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$")


@dataclass(frozen=True, eq=False)
class Joined:
    """A table after the join, and which rows only one side had."""

    frame: pd.DataFrame
    without_prediction: int
    without_truth: int


def file_hash(path: Path) -> FileHash:
    """Name, SHA-256 and size of a file."""
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return FileHash(name=path.name, sha256=digest.hexdigest(), bytes=path.stat().st_size)


def read_table(path: Path, *, empty: bool = False) -> pd.DataFrame:
    """Read CSV or Parquet; in a CSV every cell is text exactly as written, only "" is missing.

    Raises
    ------
    InputError
        The file is missing, unreadable or has duplicate column names, or it has no rows and may not
        be ``empty``.
    """
    with _explained(path):
        _checked_header(path)
        frame = pd.read_parquet(path) if is_parquet(path) else pd.concat(_csv_parts(path, None))
    if frame.empty and not empty:
        raise InputError(f"{path}: the table has no rows; give at least one face")
    return frame


def table_batches(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """The same table in batches of at most so many rows; a Parquet file is never read whole.

    Raises
    ------
    InputError
        As :func:`read_table`.
    """
    with _explained(path):
        _checked_header(path)
        found = False
        for frame in _parquet_parts(path, rows) if is_parquet(path) else _csv_parts(path, rows):
            if not frame.empty:
                found = True
                yield frame
    if not found:
        raise InputError(f"{path}: the table has no rows; give at least one face")


def is_parquet(path: Path) -> bool:
    """Whether a table is Parquet, by its name; all others are CSV."""
    return path.suffix.lower() in {".parquet", ".pq"}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say in one line why a table cannot be read."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a CSV or Parquet table")
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowException, pd.errors.ParserError, OSError) as error:
        reason = str(error).splitlines()[0]
        kind = "Parquet" if is_parquet(path) else "CSV"
        raise InputError(f"{path}: is no readable {kind} ({reason})") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is not UTF-8; save the table as UTF-8"
        ) from None
    except (csv.Error, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path}: is no readable CSV ({error})") from None


def _checked_header(path: Path) -> None:
    names = pq.read_schema(path).names if is_parquet(path) else _csv_header(path)
    refuse_duplicates(path, names)
    if not is_parquet(path):
        _refuse_ragged(path, len(names))


def _parquet_parts(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    with pq.ParquetFile(path) as stream:
        for batch in stream.iter_batches(batch_size=rows):
            yield batch.to_pandas()


def _csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return next(csv.reader(stream), [])


def _refuse_ragged(path: Path, width: int) -> None:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for number, row in enumerate(csv.reader(stream)):
            if row and len(row) != width:
                raise InputError(
                    f"{path} row {number}: has {len(row)} cells, the header {width}; "
                    "is the file cut off, or a comma or quote inside a cell not quoted?"
                )


def _csv_parts(path: Path, rows: int | None) -> Iterator[pd.DataFrame]:
    """Frames of so many rows, or the whole table as one."""
    with pd.read_csv(
        path,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8-sig",
        index_col=False,
        chunksize=rows or sys.maxsize,
    ) as parts:
        yield from parts


def refuse_duplicates(place: Path | str, names: list[str]) -> None:
    """A column name may occur once.

    Raises
    ------
    InputError
        With the first name that occurs several times.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{place}: column {twice[0]!r} occurs {names.count(twice[0])} times; rename one of them"
        )


def rename(frame: pd.DataFrame, mapping: Mapping[str, str], place: str) -> pd.DataFrame:
    """Give foreign columns the names of the contract; ``mapping`` is {ours: theirs}."""
    columns = list(frame.columns)
    refuse_duplicates(place, columns)
    for ours, theirs in mapping.items():
        if theirs not in columns:
            raise InputError(
                f"{place}: --map {ours}={theirs}: no column {theirs!r}; "
                f"the table has {', '.join(map(str, columns))}"
            )
    used = list(mapping.values())
    for theirs in used:
        if used.count(theirs) > 1:
            raise InputError(
                f"{place}: column {theirs!r} is mapped {used.count(theirs)} times; map it once"
            )
    for ours, theirs in mapping.items():
        if ours in columns and ours != theirs and ours not in used:
            raise InputError(
                f"{place}: --map {ours}={theirs}: the table has a column {ours!r} of its own; "
                f"move it away with --map other_{ours}={ours}"
            )
    renamed = frame.rename(columns={theirs: ours for ours, theirs in mapping.items()})
    refuse_duplicates(place, list(renamed.columns))
    return renamed


def join_truth(frame: pd.DataFrame, truth: pd.DataFrame, on: str, place: str) -> Joined:
    """Join predictions to their truth on a key; nothing is lost on either side.

    Where both tables have a column, the truth keeps the name and the prediction's becomes
    ``<name>_pred``. A face of the truth without a prediction is a failure to process.
    """
    for table, name in ((frame, place), (truth, "the --join table")):
        if on not in table.columns:
            raise InputError(
                f"{name}: no column {on!r} to join on; it has {', '.join(map(str, table.columns))}"
            )
        empty = table[on].isna()
        if empty.any():
            raise InputError(f"{name} row {int(empty.argmax()) + 1}: {on!r} is empty; fill it")
        double = table[on].duplicated()
        if double.any():
            raise InputError(
                f"{name}: {on} {table[on][double].iloc[0]!r} occurs more than once; "
                "a join needs one row per face"
            )
    both = [name for name in frame.columns if name in set(truth.columns) and name != on]
    taken = [f"{name}_pred" for name in both if f"{name}_pred" in set(frame.columns)]
    if taken:
        raise InputError(f"{place}: column {taken[0]!r} is in the way of the join; rename it")
    left = frame.rename(columns={name: f"{name}_pred" for name in both})
    key = left[on].astype(str)
    merged = truth.assign(**{on: truth[on].astype(str)}).merge(
        left.assign(**{on: key}), on=on, how="outer", indicator="_side", sort=False
    )
    side = merged.pop("_side")
    return Joined(merged, int((side == "left_only").sum()), int((side == "right_only").sum()))


def condition_column(condition: str) -> str:
    """The column that a condition ``column <op> value`` compares.

    Raises
    ------
    InputError
        It is no such comparison.
    """
    match = _CONDITION.match(condition)
    if not match:
        raise InputError(
            f"--failed-when {condition!r}: must be one comparison such as 'face_confidence == 0'"
        )
    return match[1]


def failed_rows(frame: pd.DataFrame, condition: str, place: str) -> BoolArray:
    """Rows for which a comparison ``column <op> value`` holds: they count as not processed."""
    name = condition_column(condition)
    match = _CONDITION.match(condition)
    assert match is not None
    operator, text = match[2], match[3].strip("'\"")
    if name not in frame.columns:
        raise InputError(
            f"{place}: --failed-when: no column {name!r}; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
    column = frame[name]
    try:
        right = float(text)
    except ValueError:
        return _failed_text(column, operator, text, condition, place)
    left = pd.to_numeric(column, errors="coerce")
    compare = {
        "==": left.eq,
        "!=": left.ne,
        "<": left.lt,
        "<=": left.le,
        ">": left.gt,
        ">=": left.ge,
    }[operator]
    return np.asarray(compare(right) & left.notna(), dtype=np.bool_)


def _failed_text(
    column: pd.Series, operator: str, text: str, condition: str, place: str
) -> BoolArray:
    several = re.search(r"==|!=|<|>|\s(and|or)\s", text)
    if several or operator not in {"==", "!="} or pd.api.types.is_numeric_dtype(column.dtype):
        raise InputError(
            f"{place}: --failed-when {condition!r}: must be one comparison of a column of "
            "numbers with a number, or == or != of a column of text with a text"
        )
    equal = column.astype(str) == text
    return np.asarray(equal if operator == "==" else ~equal & column.notna(), dtype=np.bool_)

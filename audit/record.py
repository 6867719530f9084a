"""Records as files and frames: the same rows as JSON, a row a line, and as a flat table."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import ValidationError
from pydantic_core import from_json

from audit.errors import InputError
from audit.rows import Record

R = TypeVar("R", bound=Record)
_LEADING = ("scope", "metric", "class", "kind", "run_a", "run_b")


def record_text(record: Record) -> str:
    """A record as JSON text, a row a line: same record, same bytes, never a bare NaN."""
    content = record.model_dump(by_alias=True, mode="json")
    parts = [f" {_dumps(key)}: {_lines(value)}" for key, value in content.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_record(kind: type[R], path: Path, schema: str, again: str) -> R:
    """Read a record back.

    Parameters
    ----------
    kind : type of Record
        What it must be.
    path : Path
        The file.
    schema : str
        Its schema, such as ``hae-audit/audit/1``.
    again : str
        The command that writes such a file, for the error message.

    Raises
    ------
    InputError
        The file is missing, is no JSON, or does not follow the schema.
    """
    short = schema.split("/")[1]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); give {_article(short)} {short}.json"
        ) from None
    with uncollected():
        return _read(kind, text, path, schema, again)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection, which takes half of the time where 10^5 small values are made."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _read(kind: type[R], text: str, path: Path, schema: str, again: str) -> R:
    short = schema.split("/")[1]
    content = _content(text, path, again)
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        same = str(found).startswith(schema.rpartition("/")[0] + "/")
        remedy = (
            f"use the hae-audit version that wrote it, or run `{again}` again"
            if same
            else f"give {_article(short)} {short}.json, as `{again}` writes it"
        )
        raise InputError(f"{path}: schema is {found!r}, must be {schema!r}; {remedy}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{path}: {where}: {first['msg']} ({error.error_count()} such errors); "
            f"see `hae-audit schema {short}`"
        ) from None


def _content(text: str, path: Path, again: str) -> Any:
    try:
        return from_json(text, cache_strings="all")
    except ValueError:
        pass
    try:  # knows the line, and texts that are no valid Unicode
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} line {error.lineno}: is no complete JSON ({error.msg}); run `{again}` again"
        ) from None


def rows_frame(rows: Sequence[Record]) -> pd.DataFrame:
    """Rows as a flat frame: groups become text columns (``group.gender``, ``a.gender``, ...)."""
    frame = pd.DataFrame([_flat(row.model_dump(by_alias=True, mode="json")) for row in rows])
    return with_names_first(frame)


def with_names_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that name a row before those that measure it."""
    leading = [
        name
        for name in frame.columns
        if name in _LEADING or name.startswith(("group.", "a.", "b."))
    ]
    return frame[[*leading, *(name for name in frame.columns if name not in leading)]]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _dumps(value)
    return "[\n" + ",\n".join(f"  {_dumps(row)}" for row in value) + "\n ]"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": text for name, text in value.items()}
        else:
            flat[key] = ",".join(value) if isinstance(value, list) else value
    return flat

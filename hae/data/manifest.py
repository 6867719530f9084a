"""Any table with a path column: CSV or Parquet, one row per face."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from audit.errors import InputError
from audit.tables import read_table, rename
from hae.data.core import Manifest, checked


def read_manifest(table: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read a table of faces; paths are relative to the table's folder.

    Columns: ``path``; optionally ``sample_id`` (else the path), ``subject_id``, ``age`` (years or
    a band such as ``20-29``) or ``age_low`` and ``age_high``, ``expression``, ``weight``,
    ``split``, and any attributes.

    Parameters
    ----------
    table : Path
        CSV (every cell is text as written, only an empty one is missing) or Parquet.
    split : str, optional
        Keep the rows whose column ``split`` is this.
    mapping : mapping of our column to theirs
        For example ``{"path": "img", "age": "label"}``.

    Raises
    ------
    InputError
        The table cannot be read, has no column ``path``, no row of the split, or doubled ids.
    """
    if table.is_dir():
        raise InputError(
            f"--data manifest:{table}: is a folder; give the CSV or Parquet table that lists the "
            "images"
        )
    frame = rename(read_table(table), mapping, table.name)
    if "path" not in frame.columns:
        raise InputError(
            f"{table.name}: no column 'path'; name it with --map path=THEIRS; "
            f"the table has {', '.join(map(str, frame.columns))}"
        )
    if split is not None:
        frame = _only(frame, split, table.name)
    if "sample_id" not in frame.columns:
        frame.insert(0, "sample_id", frame["path"])
    return Manifest(
        name=table.stem,
        root=table.parent,
        frame=checked(frame, table.name),
        files=(table,),
        split=split,
    )


def _only(frame: pd.DataFrame, split: str, place: str) -> pd.DataFrame:
    if "split" not in frame.columns:
        raise InputError(f"{place}: --split {split}: the table has no column 'split'")
    kept = frame[frame["split"].astype("str") == split]
    if kept.empty:
        found = ", ".join(sorted(frame["split"].dropna().astype("str").unique())[:8])
        raise InputError(f"{place}: --split {split}: no such row; the splits are {found}")
    return kept.copy()

"""Finished parts of a long prediction, kept on disk until the whole is done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from audit.files import write_text

FINGERPRINT = "fingerprint.json"
FORMAT = 1


@dataclass(frozen=True)
class Parts:
    """A folder of whole Parquet files, one per block of faces, all of one fingerprint."""

    folder: Path

    def path(self, number: int) -> Path:
        """Where a part lies."""
        return self.folder / f"part-{number:06d}.parquet"

    def load(self, number: int, rows: int) -> pd.DataFrame | None:
        """Read a part, or None where it is absent, damaged or of another length."""
        try:
            frame = pd.read_parquet(self.path(number))
        except (OSError, ValueError):  # pyarrow's own errors are ValueErrors
            return None
        return frame if len(frame) == rows else None

    def save(self, number: int, frame: pd.DataFrame) -> None:
        """Write a part whole or not at all."""
        write_parquet(frame, self.path(number))

    def remove(self) -> None:
        """Drop the folder: the whole is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def parts_of(out: Path) -> Path:
    """The folder of parts that belongs to an output file.

    Examples
    --------
    >>> parts_of(Path("preds.parquet")).name
    'preds.parquet.parts'
    """
    return out.with_name(f"{out.name}.parts")


def open_parts(folder: Path, fingerprint: Mapping[str, object]) -> tuple[Parts, str | None]:
    """Open a folder of parts; what another model, data set or option left there is dropped.

    Returns
    -------
    parts : Parts
    notice : str, optional
        What was dropped and why, to tell the user.
    """
    wanted = {"format": FORMAT, **fingerprint}
    found = _read(folder / FINGERPRINT)
    notice = None
    if folder.exists() and found != wanted:
        changed = [key for key in wanted if (found or {}).get(key) != wanted[key]]
        notice = f"{folder.name} holds parts of another run ({', '.join(changed)}): starting anew"
        shutil.rmtree(folder)
    if not folder.exists():
        folder.mkdir(parents=True)
        write_text(folder / FINGERPRINT, json.dumps(wanted, sort_keys=True) + "\n")
    return Parts(folder), notice


def _read(path: Path) -> dict[str, object] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet to a temporary name beside it, then rename: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        frame.to_parquet(temporary, index=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

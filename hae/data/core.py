"""The manifest: which faces there are, where their images lie, and what is known about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pandas as pd

from audit.errors import InputError
from hae.data.images import Pixels, load_face

NO_SOURCES: Mapping[str, str] = MappingProxyType({})


class Images(Protocol):
    """Where pixels come from that do not lie in files.

    Called with rows of the manifest, the size (height, width) and the share of the side to keep; it
    gives ``(height, width, 3)`` uint8 RGB, or the reason why not, for each row. The bytes of a face
    do not depend on the other rows.
    """

    @property
    def fingerprint(self) -> str:
        """A text that changes when the pixels may."""
        ...

    def __call__(
        self, rows: Sequence[int], size: tuple[int, int], keep: float
    ) -> list[Pixels | str]:
        """Make some faces."""
        ...


@dataclass(frozen=True, eq=False)
class Manifest:
    """A data set's faces in a fixed order.

    ``frame`` has the text columns ``sample_id`` (unique) and ``path`` (relative to ``root``, or
    absolute); every further column goes unchanged into the predictions table: the truth (``age``
    as years or as the band's text, ``expression``), ``subject_id`` and attributes.
    """

    name: str
    root: Path
    frame: pd.DataFrame
    files: tuple[Path, ...]
    """The label files that were read, for the hashes in the run record."""
    split: str | None = None
    sources: Mapping[str, str] = field(default_factory=lambda: NO_SOURCES)
    """Who assigned an attribute: ``self_reported``, ``perceived``, ``predicted`` or ``drawn``."""
    terms: str | None = None
    images: Images | None = None
    """Set where the pixels are made and not read; ``path`` then only names them."""

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def label(self) -> str:
        """How the data set is called in a report.

        Examples
        --------
        >>> Manifest("fairface", Path(), pd.DataFrame(), (), split="val").label
        'fairface val'
        """
        return f"{self.name} {self.split}" if self.split else self.name

    def paths(self) -> list[Path]:
        """The image files in the manifest's order; they need not exist."""
        return [self.root / name for name in self.frame["path"]]

    def faces(self, rows: Sequence[int], size: tuple[int, int], keep: float) -> list[Pixels | str]:
        """Some rows' pixels, or the reasons why not; see :func:`hae.data.images.load_face`."""
        if self.images is not None:
            return self.images(rows, size, keep)
        names = self.frame["path"]
        return [load_face(self.root / names.iloc[row], size, keep) for row in rows]


Reader = Callable[[Path, str | None, Mapping[str, str]], Manifest]
"""(root, split, {our column: their column}) -> manifest."""


def checked(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Make ``sample_id`` and ``path`` text, and check that they are there and unique.

    Raises
    ------
    InputError
        A path is empty, or a ``sample_id`` is empty or occurs twice.
    """
    frame = frame.reset_index(drop=True)
    for name in ("path", "sample_id"):
        empty = frame[name].isna() | (frame[name].astype("str").str.strip() == "")
        if empty.any():
            row = int(empty.to_numpy().argmax()) + 1
            raise InputError(f"{place} row {row}: {name} is empty; every face needs one")
        frame[name] = frame[name].astype("str")
    double = frame["sample_id"].duplicated(keep=False)
    if double.any():
        first = frame["sample_id"][double].iloc[0]
        rows = ", ".join(str(index + 1) for index in frame.index[frame["sample_id"] == first][:5])
        raise InputError(
            f"{place} rows {rows}: sample_id {first!r} occurs more than once; ids must be unique"
        )
    return frame


def content_hash(manifest: Manifest) -> str:
    """SHA-256 over the manifest's cells and each image's size and time of change, or its recipe.

    An image that appears, vanishes or is replaced changes the hash; where the data set lies does
    not.
    """
    digest = hashlib.sha256("\x1f".join(map(str, manifest.frame.columns)).encode())
    for row in manifest.frame.itertuples(index=False):
        digest.update(repr(tuple(row)).encode())
    if manifest.images is not None:
        digest.update(manifest.images.fingerprint.encode())
        return digest.hexdigest()
    for path in manifest.paths():
        digest.update(_state(path).encode())
    return digest.hexdigest()


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "|missing"
    return f"|{found.st_size},{found.st_mtime_ns}"

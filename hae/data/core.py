"""The manifest: which faces there are, where their images lie, and what is known about them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.data.crop import WHOLE, Crop
from hae.data.images import Cut, Pixels, load_face

FloatArray = npt.NDArray[np.float64]
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

    @property
    def drawn(self) -> bool:
        """Whether the faces are drawn and belong to no real person."""
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
    """Set where the pixels do not lie in image files; ``path`` then only names them."""
    crop: Crop = WHOLE
    boxes: FloatArray | None = None
    """(n, 4) left, top, right, bottom of the faces in pixels; NaN where there is none. With
    ``crop.region == "box"`` a face without a box fails."""
    rolls: FloatArray | None = None
    """(n,) how far a face leans, in degrees clockwise as seen; NaN (unknown) counts as upright."""
    reasons: tuple[str, ...] = ()
    """Empty, or for each face why its label cannot be used: it fails with these words; "" if it
    can."""
    made: str | None = None
    """How the table came about, such as by which protocol it was split."""
    guard: Path | None = None
    """The folder that links of the images must not leave, where it is not ``root``."""
    origins: tuple[str, ...] = ()
    """SHA-256 of label files, and :func:`faces_hash` of data, that these were taken from."""
    same_as: tuple[FileHash, ...] = ()
    """Of a copy in another form: the label files of what was copied."""
    copy_of: str | None = None
    """Of a copy of all faces in another form: the content hash of what was copied."""
    leaky: str | None = None
    """Set where people of this split may be in the training split too: in words, why."""

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

    @property
    def drawn(self) -> bool:
        """Whether the faces are drawn and belong to no real person."""
        return self.images is not None and self.images.drawn

    @cached_property
    def label_files(self) -> tuple[FileHash, ...]:
        """What the labels are known by: the files that were read, and those that these copy."""
        return (*map(file_hash, self.files), *self.same_as)

    def paths(self) -> list[Path]:
        """The image files in the manifest's order; they need not exist."""
        return list(self._paths)

    @cached_property
    def _paths(self) -> tuple[Path, ...]:
        return tuple(self.root / name for name in self.frame["path"])

    def failure(self, row: int) -> str:
        """Why a row fails before its image is opened; "" where it does not."""
        if self.reasons and self.reasons[row]:
            return self.reasons[row]
        if self.crop.region == "box" and (self.boxes is None or np.isnan(self.boxes[row]).any()):
            return "no box of the face"
        return ""

    def faces(self, rows: Sequence[int], size: tuple[int, int], keep: float) -> list[Pixels | str]:
        """Some rows' pixels, or the reasons why not; see :func:`hae.data.images.load_face`."""
        if self.images is not None:
            return self.images(rows, size, keep)
        return [self.failure(row) or self._load(row, size, keep) for row in rows]

    def _load(self, row: int, size: tuple[int, int], keep: float) -> Pixels | str:
        return load_face(
            self._paths[row], size, keep, cut=self.cut(row), root=self.guard or self.root
        )

    def cut(self, row: int) -> Cut | None:
        """Where the face lies in its image; None for the image's middle."""
        if self.crop.region == "image" or self.boxes is None:
            return None
        left, top, right, bottom = map(float, self.boxes[row])
        turned = self.crop.align == "roll" and self.rolls is not None
        roll = float(np.nan_to_num(self.rolls[row])) if turned and self.rolls is not None else 0.0
        return Cut((left, top, right, bottom), self.crop.margin, roll)


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
    """SHA-256 over the manifest's cells, its crop and each image's size, or the images' recipe.

    It knows a data set again wherever it lies, copied or not. That an image was replaced by another
    of the same size is not seen; see :func:`state_hash`.
    """
    return manifest.copy_of or _hash(manifest, times=False)


def state_hash(manifest: Manifest) -> str:
    """As :func:`content_hash`, and each image's time of change: for what is kept between runs."""
    return _hash(manifest, times=True)


def faces_hash(manifest: Manifest) -> str:
    """SHA-256 of the data set's name and its faces' ids and ages, in text order.

    It knows the faces again in a table with other columns, in another order, or packed.
    """
    frame = manifest.frame
    known = [name for name in ("sample_id", "age", "age_low", "age_high") if name in frame.columns]
    rows = sorted("\x1f".join(row) for row in frame[known].astype("str").fillna("").to_numpy())
    return hashlib.sha256("\x1e".join([manifest.name, *rows]).encode()).hexdigest()


def _hash(manifest: Manifest, *, times: bool) -> str:
    digest = hashlib.sha256("\x1f".join(map(str, manifest.frame.columns)).encode())
    for row in manifest.frame.itertuples(index=False):
        digest.update(repr(tuple(row)).encode())
    if manifest.crop.region == "box":
        digest.update(manifest.crop.model_dump_json(exclude={"images"}).encode())
        for part in (manifest.boxes, manifest.rolls):
            digest.update(b"|" if part is None else np.ascontiguousarray(part).tobytes())
    if any(manifest.reasons):
        digest.update("\x1f".join(manifest.reasons).encode())
    if manifest.images is not None:
        digest.update(manifest.images.fingerprint.encode())
        return digest.hexdigest()
    for path in manifest.paths():
        digest.update(_state(path, times=times).encode())
    return digest.hexdigest()


def _state(path: Path, *, times: bool) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return "|missing"
    return f"|{found.st_size},{found.st_mtime_ns}" if times else f"|{found.st_size}"

"""Packed faces: decoded once by ``data pack``, mapped into memory, read without decoding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from audit.errors import InputError
from audit.tables import file_hash
from hae.data.card import read_card
from hae.data.core import Manifest
from hae.data.images import Pixels, fit_face
from hae.data.manifest import read_manifest, with_card
from hae.data.packs.info import RECORD, TABLE, PackInfo, again, open_pixels, read_info

IntArray = npt.NDArray[np.int64]
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class PackedFaces:
    """Some ``rows`` of a pack's pixels (n, s, s, 3); fulfils ``Images``.

    ``reasons``: for each of these rows why it has no pixels, "" where it has.
    """

    info: PackInfo
    root: Path
    pixels: npt.NDArray[np.uint8] = field(repr=False)
    rows: IntArray = field(repr=False)
    reasons: tuple[str, ...] = field(repr=False)
    drawn: bool

    @property
    def fingerprint(self) -> str:
        """The checksum of all pixels of the pack."""
        return f"pack/1 {self.info.size} {self.info.total}"

    def holds(self, size: tuple[int, int], keep: float) -> bool:
        """Whether the pixels that are asked for lie in the pack as they are."""
        return keep == 1 and size == (self.info.size, self.info.size)

    def __call__(
        self, rows: Sequence[int], size: tuple[int, int], keep: float
    ) -> list[Pixels | str]:
        """Copy some faces; another size or share is cut out of the packed face and scaled down.

        Scaling up is refused: a network would see faces more blurred than those it was made for,
        and nothing would tell. A network of 224 pixels with ``keep`` 0.875 needs a pack of 256.

        Raises
        ------
        InputError
            The packed faces are too small for it.
        """
        side, needed = self.info.size, math.ceil(max(size) / keep - _ROUNDING)
        if needed > side:
            share = "" if keep == 1 else f" of the middle {100 * keep:g} %"
            raise InputError(
                f"{self.root}: its faces are packed at {side} pixels, and {max(size)} pixels"
                f"{share} are asked for; pack the data at --size {needed}"
            )
        return [self.reasons[row] or self._face(row, size, keep) for row in rows]

    def _face(self, row: int, size: tuple[int, int], keep: float) -> Pixels:
        packed = np.array(self.pixels[self.rows[row]])
        return packed if self.holds(size, keep) else fit_face(Image.fromarray(packed), size, keep)


def read_pack(root: Path, split: str | None, mapping: Mapping[str, str]) -> Manifest:
    """Read a folder that ``data pack`` wrote; the pixels stay on disk until they are used.

    The lengths of its files and the table's checksum are checked here; those of the pixels by
    :func:`hae.data.packs.write.verify_pack`. The columns are those of the data set that was packed,
    and so are its crop, terms and sources. A face without pixels fails with the reason found at
    packing.

    Parameters
    ----------
    root : Path
        The folder.
    split : str, optional
        Keep the rows whose column ``split`` is this; the packed split itself is all of them.
    mapping : mapping of our column to theirs
        As for :func:`hae.data.manifest.read_manifest`.

    Raises
    ------
    InputError
        It is no finished pack, a file of it was cut off or changed, or no row is of the split.
    """
    info, table = read_info(root), root / TABLE
    same = table.is_file() and file_hash(table).sha256 == info.table
    card = read_card(table) if same else None
    if card is None:
        raise InputError(f"{table}: is missing, was changed or has no card; {again(root)}")
    pixels, whole = open_pixels(root, info), read_manifest(table, None, mapping)
    if len(whole) != info.n:
        raise InputError(f"{table}: has {len(whole)} rows, {RECORD} says {info.n}; {again(root)}")
    rows = _rows(whole, split, info, root)
    reasons = tuple(whole.reasons[row] for row in rows) if whole.reasons else ()
    manifest = replace(
        whole,
        frame=whole.frame.iloc[rows].reset_index(drop=True),
        files=(root / RECORD, table),
        split=split or info.split,
        boxes=None if whole.boxes is None else whole.boxes[rows],
        rolls=None if whole.rolls is None else whole.rolls[rows],
        reasons=reasons,
        images=PackedFaces(info, root, pixels, rows, reasons or ("",) * len(rows), card.drawn),
    )
    found = with_card(manifest, card)
    copied = {file.sha256 for file in info.files}
    return replace(
        found,
        origins=tuple(name for name in found.origins if name not in copied),
        same_as=tuple(info.files),
        copy_of=info.source if len(rows) == info.n else None,
    )


def _rows(manifest: Manifest, split: str | None, info: PackInfo, root: Path) -> IntArray:
    rows = np.arange(info.n, dtype=np.int64)
    has_column = "split" in manifest.frame.columns
    if split is None or (not has_column and split == info.split):
        return rows
    if not has_column:
        held = f"only {info.split} is packed" if info.split else "the table has no column 'split'"
        raise InputError(f"{root}: --split {split}: {held}")
    names = manifest.frame["split"].dropna().astype("str")
    kept = names.index[names == split].to_numpy(np.int64)
    if not len(kept):
        found = ", ".join(sorted(names.unique())[:8])
        raise InputError(f"{root}: --split {split}: no such row; the splits are {found}")
    return kept

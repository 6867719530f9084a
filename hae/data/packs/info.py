"""What lies in the folder of a pack, its checksums, and whether all of it is there.

``pixels.npy`` (n, s, s, 3) uint8 RGB, ``faces.csv`` with its card, and ``pack.json``, which is
written last: a folder without it is no finished pack.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from audit.configs import checked
from audit.errors import InputError
from audit.result import FileHash
from hae.config import Positive, Strict
from hae.data.crop import Crop

PIXELS, TABLE, RECORD = "pixels.npy", "faces.csv", "pack.json"
_PIECE = 1 << 20
PixelMap = np.memmap[Any, np.dtype[np.uint8]]


class PackInfo(Strict):
    """``pack.json``: what a pack holds, and SHA-256 sums.

    ``source`` is the content hash of the manifest that was packed and ``files`` are its label
    files; ``state`` knows the very same image files again. ``table`` is the sum of ``faces.csv``.
    ``blocks`` has one sum for the pixels of each ``block`` faces, in order (the last may be
    shorter), and ``total`` is the sum over them. ``split`` is the part that was packed, if one was.
    """

    format: Literal["hae-audit/pack/1"] = "hae-audit/pack/1"
    size: Positive
    n: Positive
    crop: Crop
    split: str | None = None
    source: str
    state: str
    files: list[FileHash] = Field(default_factory=list)
    table: str
    block: Positive
    blocks: Annotated[list[str], Field(min_length=1)]
    total: str

    @model_validator(mode="after")
    def _fits(self) -> PackInfo:
        wanted = math.ceil(self.n / self.block)
        if len(self.blocks) != wanted:
            raise ValueError(f"has {len(self.blocks)} blocks, {self.n} faces need {wanted}")
        if self.total != total_of(self.blocks):
            raise ValueError("total is not the sum of the blocks")
        return self

    @property
    def face_bytes(self) -> int:
        """Of one face."""
        return 3 * self.size**2

    def rows(self, number: int) -> range:
        """The rows of a block."""
        return range(number * self.block, min((number + 1) * self.block, self.n))


def total_of(blocks: Sequence[str]) -> str:
    """One checksum of many."""
    return sha256("\n".join(blocks).encode()).hexdigest()


def part_hash(path: Path, start: int, length: int) -> str:
    """SHA-256 of some bytes of a file, or of those that are there."""
    digest = sha256()
    with path.open("rb", buffering=0) as stream:
        stream.seek(start)
        while length > 0 and (piece := stream.read(min(length, _PIECE))):
            digest.update(piece)
            length -= len(piece)
    return digest.hexdigest()


def read_info(root: Path) -> PackInfo:
    """Read ``pack.json``.

    Raises
    ------
    InputError
        It is not there, or breaks its format.
    """
    path = root / RECORD
    if not path.is_file():
        raise InputError(
            f"{path}: no such file, so {root} is no finished pack; give a folder that data pack "
            "wrote, or run the same data pack again, which goes on where it stopped"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); {again(root)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object; {again(root)}")
    return checked(PackInfo, content, str(path))


def open_pixels(root: Path, info: PackInfo) -> PixelMap:
    """Map the pixels of a pack, after checking that all of them are there.

    Raises
    ------
    InputError
        The file is missing, too short or too long, or has another shape than ``pack.json`` says.
    """
    path, shape = root / PIXELS, (info.n, info.size, info.size, 3)
    try:
        pixels: PixelMap = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{path}: is missing or cut off ({reason}); {again(root)}") from None
    whole = isinstance(pixels, np.memmap) and pixels.flags.c_contiguous
    if not whole or pixels.shape != shape or pixels.dtype != np.uint8:
        raise InputError(f"{path}: does not hold {shape} bytes as {RECORD} says; {again(root)}")
    if path.stat().st_size != pixels.offset + pixels.nbytes:
        raise InputError(f"{path}: has bytes behind its end; {again(root)}")
    return pixels


def again(root: Path) -> str:
    """What to do with a pack that is not whole."""
    return f"copy {root} again from where it is whole, or delete it and pack again"

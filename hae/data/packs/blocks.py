"""The pixels of a pack, block by block, so that an interrupted run goes on.

``unfinished.jsonl`` has a line that says what is packed and one line for each finished block.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import InputError
from audit.files import write_text
from hae.data.core import Manifest
from hae.data.decode import CHUNK, decoded, decoders
from hae.data.packs.info import PIXELS, PixelMap, part_hash
from hae.training.store import new_array

BLOCK = 1024
"""Faces with one checksum; an interruption costs those of the block that is not full yet."""
PART, STATE = "pixels.npy.part", "unfinished.jsonl"
Progress = Callable[[int], object]
_BATCH, _BATCH_BYTES = 256, 1 << 25
_WORDS = {"size": "size", "crop": "crop", "state": "its faces or their files", "block": "format"}


@dataclass(frozen=True)
class Block:
    """A finished block: its checksum, and why rows of it have no pixels."""

    sha256: str
    reasons: dict[str, str]


@dataclass(frozen=True)
class _Target:
    """The file of the pixels: ``n`` faces of one size lie in it from a byte on."""

    path: Path
    first: int
    n: int
    size: int

    @property
    def face_bytes(self) -> int:
        return 3 * self.size**2

    def block_hash(self, number: int) -> str:
        rows = min(BLOCK, self.n - number * BLOCK)
        start = self.first + number * BLOCK * self.face_bytes
        return part_hash(self.path, start, rows * self.face_bytes)


def fill_blocks(
    manifest: Manifest,
    out: Path,
    size: int,
    wanted: Mapping[str, Any],
    workers: int | None,
    progress: Progress,
) -> tuple[list[Block], int]:
    """Decode what is not decoded yet into ``pixels.npy``: all blocks, and how many faces are new.

    A face that cannot be read is black. Blocks of an earlier run are kept as far as their bytes
    still have their checksums.
    """
    header, shape = {**wanted, "block": BLOCK}, (len(manifest), size, size, 3)
    listed = _listed(out, header)
    path = out / (PART if (out / PART).is_file() else PIXELS)
    with decoders(workers) as pool:
        first = _first_byte(path, shape) if listed else None
        if first is None:
            path, listed = out / PART, []
            first = _new(path, shape)
        target = _Target(path, first, len(manifest), size)
        blocks = _still_whole(target, listed, pool)
        lines = [json.dumps(line) for line in (header, *map(asdict, blocks))]
        write_text(out / STATE, "\n".join(lines) + "\n")
        done = min(len(blocks) * BLOCK, len(manifest))
        progress(done)
        with (out / STATE).open("a", encoding="utf-8") as state:

            def keep(block: Block) -> None:
                state.write(json.dumps(asdict(block)) + "\n")
                state.flush()
                blocks.append(block)

            _decode(manifest, target, done, pool, progress, keep)
    path.replace(out / PIXELS)
    return blocks, len(manifest) - done


def refuse_other(out: Path, wanted: Mapping[str, Any], have: Mapping[str, Any], what: str) -> None:
    """Refuse to go on with what was begun with other faces or settings."""
    changed = [_WORDS[key] for key in wanted if have.get(key) != wanted[key]]
    if changed:
        raise InputError(
            f"{out}: holds {what} that differs in {' and '.join(changed)}; give another --out, or "
            "delete the folder to pack anew"
        )


def _listed(out: Path, header: Mapping[str, Any]) -> list[Block]:
    """The blocks that an earlier run finished; a line that was cut off ends them."""
    path = out / STATE
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    refuse_other(out, header, found[0] if found else {}, "an unfinished pack")
    return [Block(**line) for line in found[1:]]


def _first_byte(path: Path, shape: tuple[int, ...]) -> int | None:
    """Where the pixels of an earlier run begin; None where they are not all there."""
    try:
        pixels: PixelMap = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels.offset if pixels.shape == shape else None


def _new(path: Path, shape: tuple[int, ...]) -> int:
    try:
        return new_array(path, np.uint8, shape).offset
    except InputError as error:
        raise InputError(str(error).replace("--cache", "--out")) from None


def _still_whole(target: _Target, blocks: Sequence[Block], pool: ThreadPoolExecutor) -> list[Block]:
    """The first blocks, up to one whose bytes have changed."""
    sums = pool.map(target.block_hash, range(len(blocks)))
    same = [found == block.sha256 for found, block in zip(sums, blocks, strict=True)]
    return list(blocks[: same.index(False) if False in same else len(same)])


def _decode(
    manifest: Manifest,
    target: _Target,
    row: int,
    pool: ThreadPoolExecutor,
    progress: Progress,
    keep: Callable[[Block], object],
) -> None:
    """Write the rows from ``row`` on; sums are made by the pool while the next block is decoded.

    Every block that is full is kept, in order, also when the work is interrupted.
    """
    waiting: deque[tuple[Future[str], dict[str, str]]] = deque()
    reasons: dict[str, str] = {}
    rows, size = range(row, target.n), (target.size, target.size)
    black, batch_size = bytes(target.face_bytes), _batch_size(target.face_bytes)
    try:
        with target.path.open("r+b") as stream:
            stream.seek(target.first + row * target.face_bytes)
            for batch in decoded(manifest, rows, size, 1.0, pool=pool, batch_size=batch_size):
                for face in batch:
                    if isinstance(face, str):
                        reasons[str(row)] = face
                    stream.write(
                        black if isinstance(face, str) else np.ascontiguousarray(face).data
                    )
                    row += 1
                stream.flush()
                if row % BLOCK == 0 or row == target.n:
                    waiting.append((pool.submit(target.block_hash, (row - 1) // BLOCK), reasons))
                    reasons = {}
                progress(len(batch))
                while waiting and waiting[0][0].done():
                    _keep_first(waiting, keep)
            os.fsync(stream.fileno())
    finally:
        while waiting:
            _keep_first(waiting, keep)


def _keep_first(
    waiting: deque[tuple[Future[str], dict[str, str]]], keep: Callable[[Block], object]
) -> None:
    job, reasons = waiting.popleft()
    keep(Block(job.result(), reasons))


def _batch_size(face_bytes: int) -> int:
    """Faces decoded at once: a whole number of batches makes a block."""
    size, limit = BLOCK, max(CHUNK, min(_BATCH, _BATCH_BYTES // face_bytes))
    while size > limit and size % 2 == 0:
        size //= 2
    return size

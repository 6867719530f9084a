"""The pixels of a pack, block by block, so that an interrupted run goes on.

``unfinished.jsonl`` has a line that says what is packed and one line for each finished block.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import InputError
from audit.files import write_text
from hae.data.core import Manifest
from hae.data.decode import CHUNK, decoded, decoders
from hae.data.pack_info import PIXELS, PixelMap, part_hash
from hae.training.store import new_array

BLOCK = 1024
"""Faces with one checksum; an interruption costs at most a few blocks."""
PART, STATE = "pixels.npy.part", "unfinished.jsonl"
Progress = Callable[[int], object]
_BATCH, _BATCH_BYTES, _WAITING = 256, 1 << 25, 4
_WORDS = {"size": "size", "crop": "crop", "state": "its faces or their files", "block": "format"}


@dataclass(frozen=True)
class Block:
    """A finished block: its checksum, and why rows of it have no pixels."""

    sha256: str
    reasons: dict[str, str]


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
    header = {**wanted, "block": BLOCK}
    listed = _listed(out, header)
    path = out / (PART if (out / PART).is_file() else PIXELS)
    with decoders(workers) as pool:
        pixels = _opened(path, (len(manifest), size, size, 3)) if listed else None
        blocks = [] if pixels is None else _still_whole(path, pixels, listed, pool)
        if pixels is None:
            path = out / PART
            pixels = _new(path, (len(manifest), size, size, 3))
        lines = [json.dumps(line) for line in (header, *map(asdict, blocks))]
        write_text(out / STATE, "\n".join(lines) + "\n")
        done = min(len(blocks) * BLOCK, len(manifest))
        progress(done)
        with (out / STATE).open("a", encoding="utf-8") as state:
            for block in _decode(manifest, path, pixels, done, pool, progress):
                state.write(json.dumps(asdict(block)) + "\n")
                state.flush()
                blocks.append(block)
    pixels.flush()
    del pixels
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


def _opened(path: Path, shape: tuple[int, ...]) -> PixelMap | None:
    """The pixels of an earlier run; None where they are not all there."""
    try:
        pixels = np.load(path, mmap_mode="r+", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pixels if pixels.shape == shape else None


def _new(path: Path, shape: tuple[int, ...]) -> PixelMap:
    try:
        return new_array(path, np.uint8, shape)
    except InputError as error:
        raise InputError(str(error).replace("--cache", "--out")) from None


def _still_whole(
    path: Path, pixels: PixelMap, blocks: Sequence[Block], pool: ThreadPoolExecutor
) -> list[Block]:
    """The first blocks, up to one whose bytes have changed."""
    jobs = [_hash_job(path, pixels, number * BLOCK, pool) for number in range(len(blocks))]
    same = [job.result() == block.sha256 for job, block in zip(jobs, blocks, strict=True)]
    return list(blocks[: same.index(False) if False in same else len(same)])


def _hash_job(path: Path, pixels: PixelMap, start: int, pool: ThreadPoolExecutor) -> Future[str]:
    face = pixels[0].nbytes
    end = min(start + BLOCK, len(pixels))
    return pool.submit(part_hash, path, pixels.offset + start * face, (end - start) * face)


def _decode(
    manifest: Manifest,
    path: Path,
    pixels: PixelMap,
    row: int,
    pool: ThreadPoolExecutor,
    progress: Progress,
) -> Iterator[Block]:
    """Fill the rows from ``row`` on; sums are made by the pool while the next block is decoded."""
    waiting: deque[tuple[Future[str], dict[str, str]]] = deque()
    reasons: dict[str, str] = {}
    size, rows = (pixels.shape[1], pixels.shape[2]), range(row, len(pixels))
    batch_size = _batch_size(pixels[0].nbytes)
    for batch in decoded(manifest, rows, size, 1.0, pool=pool, batch_size=batch_size):
        for face in batch:
            pixels[row] = 0 if isinstance(face, str) else face
            if isinstance(face, str):
                reasons[str(row)] = face
            row += 1
        progress(len(batch))
        if row % BLOCK == 0 or row == len(pixels):
            start = (row - 1) // BLOCK * BLOCK
            waiting.append((_hash_job(path, pixels, start, pool), reasons))
            reasons = {}
        while waiting and (waiting[0][0].done() or len(waiting) > _WAITING):
            yield _block(waiting.popleft())
    yield from map(_block, waiting)


def _block(waiting: tuple[Future[str], dict[str, str]]) -> Block:
    job, reasons = waiting
    return Block(job.result(), reasons)


def _batch_size(face_bytes: int) -> int:
    """Faces decoded at once: a whole number of batches makes a block."""
    size, limit = BLOCK, max(CHUNK, min(_BATCH, _BATCH_BYTES // face_bytes))
    while size > limit and size % 2 == 0:
        size //= 2
    return size

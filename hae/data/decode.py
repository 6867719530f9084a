"""A data set's faces decoded by several threads, in order, a little ahead of who uses them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from hae.data.core import Manifest
from hae.data.images import Pixels, strict_decoding

AHEAD = 3
CHUNK = 16
"""Faces that a thread takes at once."""


@contextmanager
def decoders(workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool (default: all cores) that drops what waits when the work is interrupted."""
    pool = ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="decode")
    try:
        with strict_decoding():
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def decoded(
    manifest: Manifest,
    rows: Sequence[int],
    size: tuple[int, int],
    keep: float,
    *,
    pool: ThreadPoolExecutor,
    batch_size: int,
) -> Iterator[list[Pixels | str]]:
    """Yield batches of faces, or of reasons why there is none, in the order of ``rows``."""
    waiting: deque[list[Future[list[Pixels | str]]]] = deque()
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        chunks = [batch[k : k + CHUNK] for k in range(0, len(batch), CHUNK)]
        waiting.append([pool.submit(manifest.faces, chunk, size, keep) for chunk in chunks])
        if len(waiting) > AHEAD:
            yield _whole(waiting.popleft())
    while waiting:
        yield _whole(waiting.popleft())


def _whole(chunks: Sequence[Future[list[Pixels | str]]]) -> list[Pixels | str]:
    return [face for chunk in chunks for face in chunk.result()]

"""Near-duplicates: photos that are the same picture in another size, format or light.

A data set without identities still holds one photo several times; a random split then puts copies
on both sides. The hash is that of Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010): signs of the low frequencies of a discrete cosine transform against their median.
Faces that are all cut and aligned alike share the coarse frequencies, so 64 bits are too few: of
UTKFace's 281 million pairs of aligned faces the distances of 64 bits run into each other, those of
256 bits leave a gap between 30 (copies) and 60 bits (other faces).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audit.tables import file_hash
from hae.data.core import Manifest
from hae.data.decode import decoded, decoders
from hae.data.images import Pixels

SIDE, LOW = 32, 16
NEAR = 32
"""Bits of 256 in which near-duplicates may differ."""
BATCH, BLOCK, COLUMNS = 256, 64, 2048
MOST_EQUAL = 100
"""Faces of one hash, such as a placeholder for missing photos, that are paired each with each."""
_GREY = np.array([0.299, 0.587, 0.114])

Hashes = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]


def perceptual_hash(faces: npt.NDArray[np.uint8]) -> Hashes:
    """256-bit hashes (n, 4) of faces (n, 32, 32, 3) uint8 RGB."""
    grey = faces @ _GREY
    low = dctn(grey, axes=(1, 2))[:, :LOW, :LOW].reshape(len(faces), LOW * LOW)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view("<u8").astype(np.uint64)


def near_pairs(
    hashes: Hashes, near: int = NEAR, progress: Callable[[int], object] = lambda done: None
) -> IntArray:
    """Pairs (i, j), i < j, whose hashes or whose mirror's differ in at most ``near`` bits, (p, 2).

    In a mirror the odd horizontal frequencies change their signs, and so their bits, but for those
    few that lie within a sign of the median. The even ones stay: faces that differ there in more
    than ``near`` bits are neither copies nor mirrored, and only the others are compared in full.
    That is n^2 / 2 comparisons of 128 bits: on two cores a second for 24,000 faces, ten minutes for
    500,000. ``progress`` is told of finished rows. The order of the faces makes no difference.

    Equal hashes are compared once. Where more than ``MOST_EQUAL`` faces have one hash, the first
    stands for them: the others are paired with it alone.
    """
    distinct, code = np.unique(hashes, axis=0, return_inverse=True)
    code = code.reshape(-1)
    progress(len(hashes) - len(distinct))
    even, odd = _halves(distinct, 0), _halves(distinct, 1)
    found = [np.empty((0, 2), dtype=np.int64)]
    blocks = range(0, len(distinct), BLOCK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for pairs in pool.map(lambda start: _near_block(even, odd, start, near), blocks):
            found.append(pairs)
            progress(min(BLOCK, len(distinct) - BLOCK * (len(found) - 2)))
    return _of_faces(np.concatenate(found), code)


def _of_faces(pairs: IntArray, code: IntArray) -> IntArray:
    """The pairs of faces, in order, from those of their distinct hashes."""
    size = np.bincount(code)
    rows = np.argsort(code, kind="stable")
    start = np.cumsum(size) - size
    many = size > MOST_EQUAL
    stand = np.where(many, 1, size)
    several = np.flatnonzero((size > 1) & ~many)
    a, b = (np.concatenate([side, several]) for side in (pairs[:, 0], pairs[:, 1]))
    n = stand[a] * stand[b]
    pair = np.repeat(np.arange(len(a)), n)
    k = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
    left = rows[start[a][pair] + k // stand[b][pair]]
    right = rows[start[b][pair] + k % stand[b][pair]]
    twice = (a == b)[pair] & (left >= right)  # a hash with itself gives each pair of faces twice
    first = rows[start[code]]
    follow = np.flatnonzero(many[code] & (first != np.arange(len(code))))
    left = np.concatenate([left[~twice], first[follow]])
    right = np.concatenate([right[~twice], follow])
    i, j = np.minimum(left, right), np.maximum(left, right)
    order = np.lexsort((j, i))
    return np.stack([i[order], j[order]], axis=1)


def _halves(hashes: Hashes, parity: int) -> Hashes:
    """The bits of the even or of the odd horizontal frequencies, (n, 2)."""
    bits = np.unpackbits(np.ascontiguousarray(hashes, "<u8").view(np.uint8), axis=1)
    return np.packbits(bits[:, parity::2], axis=1).view("<u8").astype(np.uint64)


def _near_block(even: Hashes, odd: Hashes, start: int, near: int) -> IntArray:
    """The pairs of :func:`near_pairs` whose first face is one of a block, in order."""
    stop = min(start + BLOCK, len(even))
    rows, columns = [], []
    for left in range(start, len(even), COLUMNS):
        apart = _apart(even[start:stop, None], even[None, left : left + COLUMNS])
        i, j = np.nonzero(apart <= near)
        rows.append(i + start)
        columns.append(j + left)
    i, j = np.concatenate(rows), np.concatenate(columns)
    i, j = i[i < j], j[i < j]
    same, half = _apart(even[i], even[j]), _apart(odd[i], odd[j])
    close = same + np.minimum(half, LOW * LOW // 2 - half) <= near
    i, j = i[close], j[close]
    order = np.lexsort((j, i))
    return np.stack([i[order], j[order]], axis=1)


def _apart(a: Hashes, b: Hashes) -> npt.NDArray[np.uint8]:
    """In how many of 128 bits hashes (..., 2) differ."""
    first = np.bitwise_count(a[..., 0] ^ b[..., 0])
    first += np.bitwise_count(a[..., 1] ^ b[..., 1])
    return np.asarray(first, dtype=np.uint8)


def groups_of(pairs: IntArray, n: int) -> IntArray:
    """The group of each of n faces: its smallest member, over chains of pairs."""
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    first = np.full(label.max() + 1 if n else 0, n, dtype=np.int64)
    np.minimum.at(first, label, np.arange(n))
    result: IntArray = first[label]
    return result


def hashes_of(
    manifest: Manifest, progress: Callable[[int], object] = lambda done: None
) -> tuple[Hashes, tuple[str, ...]]:
    """Hashes (n, 4) of a manifest's faces as they are cut, and why one has none; "" if it has."""
    hashes = np.zeros((len(manifest), LOW * LOW // 64), dtype=np.uint64)
    reasons: list[str] = []
    for batch in _batches(manifest):
        rows = [k for k, face in enumerate(batch) if not isinstance(face, str)]
        if rows:
            faces = np.stack([face for face in batch if not isinstance(face, str)])
            hashes[len(reasons) + np.array(rows)] = perceptual_hash(faces)
        reasons.extend(face if isinstance(face, str) else "" for face in batch)
        progress(len(batch))
    return hashes, tuple(reasons)


def _batches(manifest: Manifest) -> Iterator[list[Pixels | str]]:
    with decoders() as pool:
        yield from decoded(
            manifest, range(len(manifest)), (SIDE, SIDE), 1.0, pool=pool, batch_size=BATCH
        )


def pairs_among(
    hashes: Hashes,
    reasons: Sequence[str],
    near: int = NEAR,
    progress: Callable[[int], object] = lambda done: None,
) -> IntArray:
    """:func:`near_pairs` of the faces that have a hash, as rows of the manifest, (p, 2)."""
    rows = np.flatnonzero([not reason for reason in reasons])
    progress(len(reasons) - len(rows))
    return rows[near_pairs(hashes[rows], near, progress)].reshape(-1, 2)


def same_bytes(paths: Sequence[Path]) -> IntArray:
    """Which files are the same byte for byte: the first such file's number for each, (n,).

    Only files of one size are read. A file that cannot be read is like no other.
    """
    sizes: dict[int, list[int]] = {}
    for number, path in enumerate(paths):
        with suppress(OSError, ValueError):
            sizes.setdefault(path.stat().st_size, []).append(number)
    result = np.arange(len(paths), dtype=np.int64)
    rows = sorted(row for group in sizes.values() if len(group) > 1 for row in group)
    first: dict[str, int] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for row, digest in zip(rows, pool.map(_digest, [paths[row] for row in rows]), strict=True):
            if digest is not None:
                result[row] = first.setdefault(digest, row)
    return result


def _digest(path: Path) -> str | None:
    try:
        return file_hash(path).sha256
    except OSError:
        return None

"""Near-duplicates: photos that are the same picture in another size, format or light.

A data set without identities still holds one photo several times; a random split then puts copies
on both sides. The hash is that of Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions" (2010): signs of the low frequencies of a discrete cosine transform against their median.
Faces that are all cut and aligned alike share the coarse frequencies, so 64 bits are too few: of
UTKFace's 281 million pairs of aligned faces the distances of 64 bits run into each other, those of
256 bits leave a gap between 30 (copies) and 60 bits (other faces).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hae.data.core import Manifest
from hae.data.decode import decoded, decoders
from hae.data.images import Pixels

SIDE, LOW = 32, 16
NEAR = 32
"""Bits of 256 in which near-duplicates may differ."""
BATCH, BLOCK = 256, 512
_GREY = np.array([0.299, 0.587, 0.114])

Hashes = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]


def perceptual_hash(faces: npt.NDArray[np.uint8]) -> Hashes:
    """256-bit hashes (n, 4) of faces (n, 32, 32, 3) uint8 RGB."""
    grey = faces @ _GREY
    low = dctn(grey, axes=(1, 2))[:, :LOW, :LOW].reshape(len(faces), LOW * LOW)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view("<u8").astype(np.uint64)


def mirrored(hashes: Hashes) -> Hashes:
    """Hashes of the faces seen in a mirror: the odd horizontal frequencies change their sign.

    Exact but for bits whose frequency lies within a sign of the median, which near 0 are few.
    """
    bits = np.unpackbits(hashes.astype("<u8").view(np.uint8), axis=1)
    odd = np.arange(LOW * LOW) % 2 == 1
    return np.packbits(np.where(odd, 1 - bits, bits), axis=1).view("<u8").astype(np.uint64)


def near_pairs(hashes: Hashes, near: int = NEAR) -> IntArray:
    """Pairs (i, j), i < j, whose hashes or whose mirror's differ in at most ``near`` bits, (p, 2).

    Every pair is compared: n^2 / 2 comparisons of 256 bits, 3 seconds for 24,000 faces.
    """
    found = [np.empty((0, 2), dtype=np.int64)]
    for other in (hashes, mirrored(hashes)):
        for start in range(0, len(hashes), BLOCK):
            block = hashes[start : start + BLOCK]
            apart = np.zeros((len(block), len(hashes) - start), dtype=np.uint16)
            for word in range(hashes.shape[1]):
                apart += np.bitwise_count(block[:, word, None] ^ other[None, start:, word])
            i, j = np.nonzero(apart <= near)
            found.append(np.stack([i, j], axis=1)[i < j] + start)
    return np.unique(np.concatenate(found), axis=0)


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
) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """Hashes of a manifest's faces as they are cut, and which of them could be read."""
    hashes = np.zeros((len(manifest), LOW * LOW // 64), dtype=np.uint64)
    readable = np.zeros(len(manifest), dtype=np.bool_)
    for start, batch in _batches(manifest):
        rows = [k for k, face in enumerate(batch) if not isinstance(face, str)]
        if rows:
            faces = np.stack([face for face in batch if not isinstance(face, str)])
            hashes[start + np.array(rows)] = perceptual_hash(faces)
            readable[start + np.array(rows)] = True
        progress(len(batch))
    return hashes, readable


def _batches(manifest: Manifest) -> Iterator[tuple[int, list[Pixels | str]]]:
    rows = range(len(manifest))
    with decoders() as pool:
        for number, batch in enumerate(
            decoded(manifest, rows, (SIDE, SIDE), 1.0, pool=pool, batch_size=BATCH)
        ):
            yield number * BATCH, batch


def near_duplicates(
    manifest: Manifest, progress: Callable[[int], object] = lambda done: None
) -> IntArray:
    """The group of near-duplicates of each face: its first member's row, (n,).

    A face that cannot be read is a group of its own.
    """
    hashes, readable = hashes_of(manifest, progress)
    rows = np.flatnonzero(readable)
    pairs = rows[near_pairs(hashes[rows])]
    return groups_of(pairs.reshape(-1, 2), len(manifest))

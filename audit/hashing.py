"""Randomness that does not depend on order: every draw is a hash of what it is drawn for.

Weights, folds and redrawn labels are functions of (seed, replicate, key of the unit), so row order,
chunking and the number of machines cannot change them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

Keys = npt.NDArray[np.uint64]
FloatArray = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LANES = 4
_BOOTSTRAP, _FOLD, _UNIFORM, _HALF, _PART, _DRAWS = 1, 2, 3, 4, 5, 6


def text_keys(texts: Sequence[str], namespace: str) -> Keys:
    """64-bit BLAKE2b of the NFC form of each text, in a namespace (``subject``, ``sample``)."""
    prefix = f"{namespace}:".encode()
    plain = texts if all(map(str.isascii, texts)) else map(_nfc, texts)
    digests = b"".join(
        [blake2b(prefix + text, digest_size=8).digest() for text in map(str.encode, plain)]
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def row_keys(start: int, count: int) -> Keys:
    """Keys of rows that carry no id: their number in the table."""
    return mix(np.arange(start, start + count, dtype=np.uint64))


def mix(values: Keys) -> Keys:
    """One SplitMix64 step (Steele, Lea and Flood, 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        z = values + _GOLDEN
        shifted = z >> np.uint64(30)
        z ^= shifted
        z *= _MIX_1
        z ^= np.right_shift(z, np.uint64(27), out=shifted)
        z *= _MIX_2
        z ^= np.right_shift(z, np.uint64(31), out=shifted)
        return z


def _stream(purpose: int, seed: int, index: int) -> np.uint64:
    state = mix(np.array([seed], dtype=np.int64).view(np.uint64))
    state = mix(state ^ np.uint64(purpose << 56) ^ np.uint64(index))
    return np.uint64(state[0])


def draws_seed(seed: int, index: int) -> int:
    """A seed for what is drawn at place ``index`` of a run, in [0, 2^64).

    Its lower half alone tells seeds and places apart, as generators read no more of it (torch on a
    CPU: 32 bits).
    """
    return int(_stream(_DRAWS, seed, index))


def _words(keys: Keys, purpose: int, seed: int, index: int) -> Keys:
    return mix(mix(keys ^ _stream(purpose, seed, index)))


def _poisson_table() -> npt.NDArray[np.uint8]:
    edges = np.round(poisson.cdf(np.arange(16), 1.0) * 2**16).astype(np.int64)
    return np.searchsorted(edges, np.arange(2**16), side="right").astype(np.uint8)


def poisson_weights(keys: Keys, seed: int, first: int, count: int) -> FloatArray:
    """Poisson(1) weights of replicates ``first .. first + count - 1``, shape (count, units).

    One 64-bit word gives the 16-bit draws of four consecutive replicates.
    """
    table = _poisson_table()
    weights = np.empty((count, len(keys)))
    for word in range(first // _LANES, (first + count - 1) // _LANES + 1 if count else 0):
        lanes = _words(keys, _BOOTSTRAP, seed, word).astype("<u8").view("<u2").reshape(-1, _LANES)
        for lane in range(_LANES):
            row = word * _LANES + lane - first
            if 0 <= row < count:
                weights[row] = table[lanes[:, lane]]
    return weights


def folds(keys: Keys, seed: int, split: int, n_folds: int) -> npt.NDArray[np.int64]:
    """The fold 0 .. n_folds - 1 of each unit in one seeded split, shape (units,)."""
    return (_words(keys, _FOLD, seed, split) % np.uint64(n_folds)).astype(np.int64)


def uniforms(keys: Keys, seed: int, draw: int) -> FloatArray:
    """One uniform number in [0, 1) per key."""
    return (_words(keys, _UNIFORM, seed, draw) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def halves(keys: Keys) -> npt.NDArray[np.int64]:
    """The half, 0 or 1, that each unit is in whatever the seed, shape (units,)."""
    return (_words(keys, _HALF, 0, 0) >> np.uint64(63)).astype(np.int64)


def in_part(keys: Keys, seed: int, share: float) -> npt.NDArray[np.bool_]:
    """Whether each unit is in a part that holds about this share of them, shape (units,)."""
    words = (_words(keys, _PART, seed, 0) >> np.uint64(11)).astype(np.float64)
    return np.asarray(words * 2.0**-53 < share, dtype=np.bool_)

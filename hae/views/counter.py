"""The counter hash of `audit.hashing` on tensors, so that draws are made on the device.

torch has no unsigned 64-bit arithmetic: words live in int64, whose products wrap around alike, and
a logical shift is an arithmetic one whose sign bits are masked off.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audit.hashing import mix as mix_words

_SLOTS = 256  # draws reserved for one op; more ops or draws leave the others as they are


def _signed(word: int) -> int:
    """The int64 with the bits of an unsigned 64-bit word."""
    return word - 2**64 if word >= 2**63 else word


_GOLDEN = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Logical right shift."""
    return (words >> bits).bitwise_and_(2 ** (64 - bits) - 1)


def mix(words: Tensor) -> Tensor:
    """One SplitMix64 step on int64 words: the bits of `audit.hashing.mix`."""
    z = words + _GOLDEN
    z = (z ^ _shifted(z, 30)).mul_(_MIX_1)
    z = (z ^ _shifted(z, 27)).mul_(_MIX_2)
    return z ^ _shifted(z, 31)


def stream(purpose: int, seed: int, index: int) -> int:
    """One word for (seed, purpose, index): what all units of one pass share."""
    state = mix_words(np.array([seed], dtype=np.int64).view(np.uint64))
    state = mix_words(state ^ np.uint64(purpose << 56) ^ np.uint64(index))
    return int(state.view(np.int64)[0])


def states(keys: Tensor, word: int, count: int) -> Tensor:
    """One generator per (key, index 0 .. count - 1), int64 (n, count)."""
    index = torch.arange(count, device=keys.device)
    return mix(mix(keys ^ word)[:, None] ^ index)


def uniforms(state: Tensor, op: int, count: int) -> Tensor:
    """Outputs ``256 op .. 256 op + count - 1`` of each SplitMix64 generator, as [0, 1) in float64.

    Parameters
    ----------
    state : tensor
        int64, any shape.
    op, count : int
        What is drawn, and how many numbers it takes, at most 256.

    Returns
    -------
    uniforms
        float64, shape ``(*state.shape, count)``, multiples of 2^-53.
    """
    slots = torch.arange(op * _SLOTS, op * _SLOTS + count, device=state.device)
    words = mix(state[..., None] + slots * _GOLDEN)
    return _shifted(words, 11).to(torch.float64) * 2.0**-53

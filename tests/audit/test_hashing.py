"""Pinned keys, weights, folds and uniforms; the distribution of the weights."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pytest

from audit.hashing import draws_seed, folds, poisson_weights, text_keys, uniforms


def test_twenty_pinned_weights() -> None:
    keys = text_keys(["007", "8", "Zoë", "p-1", "NA"], "subject")
    found = poisson_weights(keys, seed=0, first=0, count=4).astype(int)
    assert found.tolist() == PINNED
    # the same weights one replicate at a time, and from the middle of a word
    for row in range(4):
        assert poisson_weights(keys, 0, row, 1).astype(int).tolist() == [PINNED[row]]


PINNED = [[1, 0, 0, 0, 2], [1, 1, 1, 2, 1], [1, 2, 1, 0, 0], [0, 1, 1, 3, 0]]


def test_pinned_keys_folds_and_uniforms() -> None:
    keys = text_keys(["007", "8"], "subject")
    assert keys.tolist() == [14129980120208567975, 12583553045784352181]
    first = blake2b(b"subject:007", digest_size=8).digest()
    assert int.from_bytes(first, "little") == keys[0]
    assert folds(keys, 0, 0, 5).tolist() == [3, 3]
    assert uniforms(keys, 0, 0).tolist() == [0.4630884472563731, 0.27637993352661727]


def test_weights_have_mean_and_variance_one() -> None:
    """10^6 Poisson(1) draws: sd of the mean 0.001, of the variance about 0.0017; 4 sd each."""
    keys = text_keys([f"person-{i}" for i in range(1000)], "subject")
    weights = poisson_weights(keys, 3, 0, 1000)
    assert weights.mean() == pytest.approx(1.0, abs=0.004)
    assert weights.var() == pytest.approx(1.0, abs=0.007)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.002)
    # replicates, persons and neighbouring seeds are uncorrelated: sd 1 / sqrt(1000) = 0.032
    other = poisson_weights(keys, 4, 0, 1000)
    assert abs(np.corrcoef(weights[0], weights[1])[0, 1]) < 0.13
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.13
    assert abs(np.corrcoef(weights.ravel(), other.ravel())[0, 1]) < 0.004


def test_ids_are_normalised_but_namespaces_kept_apart() -> None:
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    assert text_keys([composed], "subject") == text_keys([decomposed], "subject")
    assert text_keys(["1"], "subject") != text_keys(["1"], "sample")
    assert text_keys(["007"], "subject") != text_keys(["7"], "subject")


def test_seeds_of_draws_differ_in_the_half_that_generators_read() -> None:
    low = {draws_seed(seed, index) % 2**32 for seed in range(50) for index in range(200)}
    assert len(low) > 10_000 - 10, "at most the few collisions that chance gives"
    assert len({draws_seed(seed, 3) % 2**16 for seed in range(20)}) > 15

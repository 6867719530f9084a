"""Pooled values of small groups: nearer to the truth on average, with intervals that hold it.

World: 2 x 7 groups of 4 to 40 persons with 2 photos each. The true value of a group is its two
attributes' effects and a part of its own, the same for no other group (exchangeable).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import expit

from audit.pooling import pooled_values

from .lean import age_setting, block_of, collected, errors_frame

SIZES = np.array([4, 6, 8, 10, 15, 20, 40] * 2)
FIRST, SECOND = np.repeat([0, 1], 7), np.tile(np.arange(7), 2)
PHOTOS = 2


@dataclass(frozen=True)
class Found:
    """Root mean square error of raw and pooled values, and the share of truths inside."""

    raw: float
    pooled: float
    covered: float
    outlier: float


def _truth(rng: np.random.Generator, own: float, outlier: float) -> np.ndarray:
    effects = 0.15 * rng.standard_normal(2)[FIRST] + 0.15 * rng.standard_normal(7)[SECOND]
    theta = effects + own * rng.standard_normal(14)
    theta[8] += outlier
    return theta


def _errors(metric: str, theta: np.ndarray, rng: np.random.Generator):
    """Signed errors of every photo, and the true value of every group."""
    group = np.repeat(np.arange(14), SIZES)
    person = np.repeat(np.arange(len(group)), PHOTOS)
    at = group[person]
    noise = 0.8 * rng.standard_normal(len(group))[person] + 0.6 * rng.standard_normal(len(person))
    if metric == "mae":
        truth = 4 * np.exp(theta)
        return truth[at] * np.sqrt(np.pi / 2) * noise, person, at, truth
    if metric == "bias":
        truth = 6 * theta
        return truth[at] + 5 * noise, person, at, truth
    truth = expit(1.5 + 2.5 * theta)
    p = rng.beta(1.5 * truth[group], 1.5 * (1 - truth[group]))  # ICC 0.4
    return np.where(rng.random(len(person)) < p[person], 0.0, 20.0), person, at, truth


def simulate(metric: str, own: float, runs: int, seed: int, outlier: float = 0.0) -> Found:
    rng = np.random.default_rng(seed)
    setting = age_setting([metric], min_n=2)
    square, inside, on_outlier = [], [], []
    for _ in range(runs):
        error, person, at, truth = _errors(metric, _truth(rng, own, outlier), rng)
        columns = {"a": FIRST[at].astype(str), "b": SECOND[at].astype(str)}
        frame = errors_frame(error, person, **columns)
        block = block_of(setting, collected(frame, ["a", "b"]), ("a", "b"))
        pooled = pooled_values(block, setting.metrics[0])
        assert pooled is not None
        raw = block.estimates[metric].value
        square.append([(raw - truth) ** 2, (pooled.value - truth) ** 2])
        held = (pooled.low <= truth) & (truth <= pooled.high)
        inside.append(held)
        on_outlier.append(held[8])
    error = np.sqrt(np.mean(square, axis=(0, 2)))
    return Found(*map(float, (*error, np.mean(inside), np.mean(on_outlier))))


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["mae", "bias", "cs5"])
@pytest.mark.parametrize("own", [0.0, 0.1, 0.3])
def test_pooled_values_of_an_exchangeable_world(metric, own):
    """600 runs of 14 groups: 8,400 groups, standard error of the coverage below 0.3 points."""
    found = simulate(metric, own, 600, seed=20260410)
    print(f"{metric} own {own}: rmse {found.raw:.3f} -> {found.pooled:.3f}, {found.covered:.4f}")
    assert found.pooled < (0.97 if own == 0.3 else 0.9) * found.raw
    assert 0.93 <= found.covered <= 0.975


@pytest.mark.slow
def test_a_group_that_stands_apart_is_drawn_to_the_others():
    """One group of 6 persons has e^0.7 = 2 times the error that its attributes say."""
    found = simulate("mae", 0.05, 600, seed=20260411, outlier=0.7)
    print(f"outlier: rmse {found.raw:.3f} -> {found.pooled:.3f}, all {found.covered:.4f}, "
          f"the one {found.outlier:.4f}")  # fmt: skip
    assert found.outlier < found.covered


@pytest.mark.parametrize("metric", ["mae", "cs5"])
def test_pooled_values_quickly(metric):
    found = simulate(metric, 0.1, 60, seed=20260412)
    assert found.pooled < found.raw
    assert 0.91 <= found.covered <= 0.99

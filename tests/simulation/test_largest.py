"""The largest gap of 14 groups of 100: neither exaggerated nor missed, its interval holds.

|e| = |5 z| + shift with z normal: mean 4.0 years plus the shift of the group, one photo a person.
"""

from __future__ import annotations

import numpy as np
import pytest

from audit.largest import eligible_pairs, largest_row
from audit.resample import resample, weightings

from .lean import age_setting, block_of, collected, errors_frame

GROUP = np.repeat(np.arange(14), 100)
CONFIGURATIONS = {
    "equal": np.zeros(14),
    "one worse": np.r_[1.0, np.zeros(13)],
    "one better": np.r_[0.0, np.ones(13)],
    "seven and seven": np.r_[np.ones(7), np.zeros(7)],
    "evenly spread": np.linspace(0, 1, 14),
    "two tails": np.r_[0.0, 1.0, np.full(12, 0.5)],
}
BOUNDS = {
    "equal": (-0.1, 0.1),
    "one worse": (0.55, 1.10),
    "seven and seven": (0.90, 1.10),
    "evenly spread": (0.55, 1.10),
}
"""Of the mean over runs of the debiased gap; the other two only have to hold the truth."""


def simulate(shift: np.ndarray, runs: int, seed: int, n_boot: int = 400):
    """The debiased gaps, the plain ones, and whether each interval holds the true range."""
    rng = np.random.default_rng(seed)
    setting = age_setting(["mae"], n_boot=n_boot)
    truth = np.ptp(shift)
    found = []
    for run in range(runs):
        error = np.abs(rng.normal(0, 5, len(GROUP))) + shift[GROUP]
        person = np.arange(len(GROUP)) + 10_000 * run  # other persons in each run: other weights
        table = collected(errors_frame(error, person, g=np.char.mod("%02d", GROUP)), ["g"])
        block = block_of(setting, table, ("g",))
        resampled = resample(setting, block, weightings(setting, table.sums))
        (metric,) = setting.metrics
        tested = eligible_pairs(setting, block, metric, resampled)
        row = largest_row(setting, block, metric, resampled, tested, None, 1)
        found.append((row.debiased, row.value, row.low <= truth <= row.high))
    return np.array(found, dtype=float).T


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_debiased_gap_and_interval(name):
    """1,000 runs: standard error of the mean about 0.02, of the coverage 0.8 points."""
    debiased, plain, covered = simulate(CONFIGURATIONS[name], 1000, seed=20260420)
    error = debiased.std() / np.sqrt(len(debiased))
    print(f"{name}: plain {plain.mean():.3f}, debiased {debiased.mean():.3f} +- {error:.3f} "
          f"(sd {debiased.std():.2f}), covered {covered.mean():.3f}")  # fmt: skip
    low, high = BOUNDS.get(name, (0.0, 1.10))
    assert low <= debiased.mean() <= high
    assert covered.mean() >= 0.93


def test_without_a_gap_quickly():
    """The plain range is about 1 year; the debiased one has mean 0 (sd 0.55 a run)."""
    debiased, plain, covered = simulate(CONFIGURATIONS["equal"], 80, seed=20260421, n_boot=99)
    assert plain.mean() > 0.8
    assert abs(debiased.mean()) < 3 * 0.6 / np.sqrt(80)
    assert covered.mean() >= 0.87

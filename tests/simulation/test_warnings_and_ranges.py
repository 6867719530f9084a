"""Unequal photos are warned of; the largest gap is neither exaggerated nor missed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import audit
from audit.simulate import person_errors, zipf_photos


def zipf_table(m: int, rng: np.random.Generator) -> pd.DataFrame:
    error, person = person_errors(m, zipf_photos(m, rng), rng)
    return pd.DataFrame({"subject_id": person, "age": 40.0, "age_pred": 40.0 + error})


@pytest.mark.slow
@pytest.mark.parametrize("m", [50, 200, 1000])
def test_zipf_photos_raise_few_effective_subjects(m):
    rng, runs = np.random.default_rng(7), 200
    raised = 0
    for _ in range(runs):
        result = audit(zipf_table(m, rng), task="age", by=[], n_boot=0)
        raised += any(w.code == "few_effective_subjects" for w in result.warnings)
    print(f"zipf {m} persons: warned in {raised} of {runs}")
    assert raised >= 0.95 * runs


def test_equal_photos_raise_no_such_warning():
    rng = np.random.default_rng(8)
    error, person = person_errors(50, np.full(50, 5), rng)
    frame = pd.DataFrame({"subject_id": person, "age": 40.0, "age_pred": 40.0 + error})
    result = audit(frame, task="age", by=[], n_boot=0)
    assert not any(w.code == "few_effective_subjects" for w in result.warnings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shift", "low", "high"),
    [
        (np.zeros(14), -0.1, 0.1),
        (np.r_[1.0, np.zeros(13)], 0.55, 1.10),
        (np.r_[np.ones(7), np.zeros(7)], 0.90, 1.10),
    ],
    ids=["equal", "one worse", "seven and seven"],
)
def test_largest_gap_of_14_groups(shift, low, high):
    """|e| has mean 4 + shift; the debiased gap is right on average, the interval covers."""
    rng, runs = np.random.default_rng(9), 150
    group = np.repeat(np.arange(14), 100)
    debiased, covered = [], 0
    for _ in range(runs):
        error = np.abs(rng.normal(0, 5, 1400)) + shift[group]
        frame = pd.DataFrame(
            {"age": 40.0, "age_pred": 40.0 + error, "g": [f"{g:02d}" for g in group]}
        )
        result = audit(frame, task="age", by=["g"], n_boot=400)
        row = next(r for r in result.gaps if r.metric == "mae" and r.kind == "worst_minus_best")
        debiased.append(row.debiased)
        covered += row.low <= shift.max() - shift.min() <= row.high
    mean, error = np.mean(debiased), np.std(debiased) / np.sqrt(runs)
    print(f"debiased {mean:.3f} +- {error:.3f}, covered {covered / runs:.3f}")
    assert low - 2 * error <= mean <= high + 2 * error
    assert covered >= 0.92 * runs

"""Worst slices: no slice where nothing is wrong, and the planted one where something is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from audit.simulate import person_errors, person_hits
from audit.slices import slice_rows

from .lean import age_setting, collected, errors_frame

SHARES = {
    "gender": [0.5, 0.5],
    "race": [0.4, 0.25, 0.15, 0.12, 0.08],
    "tone": [0.5, 0.3, 0.2],
    "region": [0.4, 0.3, 0.2, 0.1],
}
PLANTED = {"gender": "1", "race": "2"}


def _people(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: rng.choice(len(p), n, p=p).astype(str) for name, p in SHARES.items()}


def _run(n: int, rng: np.random.Generator, first: int, shift: float, *, shares: bool = False):
    photos = np.full(n, 2)
    people = _people(n, rng)
    setting = age_setting(["cs5" if shares else "mae"])
    if shares:  # the error of a hit is 0, of a miss 10
        accuracy = replace(setting.metrics[0], name="accuracy")
        setting = replace(setting, metrics=(accuracy,))
        hit, person = person_hits(n, photos, rng, accuracy=0.85, icc=0.4)
        error = np.where(hit, 0.0, 10.0)
    else:
        error, person = person_errors(n, photos, rng)
    planted = np.all([people[name] == value for name, value in PLANTED.items()], axis=0)
    error = np.abs(error) + shift * planted[person]
    columns = {name: values[person] for name, values in people.items()}
    frame = errors_frame(error, person + first, **columns)
    return slice_rows(setting, collected(frame, list(SHARES)), list(SHARES))[0]


def _any_significant(runs: int, seed: int, n: int, *, shares: bool = False) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for run in range(runs):
        rows = _run(n, rng, 10_000 * run, 0.0, shares=shares)
        hits += any(row.p_adjusted is not None and row.p_adjusted < 0.05 for row in rows)
    return hits / runs


def _planted_found(runs: int, seed: int, n: int) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for run in range(runs):
        rows = _run(n, rng, 10_000 * run, 3.0)
        hits += any(row.group == PLANTED and row.p_adjusted < 0.05 for row in rows)
    return hits / runs


@pytest.mark.slow
@pytest.mark.parametrize("shares", [False, True], ids=["errors", "shares"])
def test_no_slice_where_nothing_is_wrong(shares):
    """600 runs of 2,000 persons, 2 photos each, 4 attributes: standard error 0.9 points."""
    found = _any_significant(600, 20260430, 2000, shares=shares)
    print(f"false slices in {found:.4f} of the runs")
    assert found <= 0.065


@pytest.mark.slow
def test_a_planted_slice_is_found_and_confirmed():
    """+3 years for 7.5 % of 2,000 persons: about 75 of them in each half."""
    found = _planted_found(200, 20260431, 2000)
    print(f"planted slice found and confirmed in {found:.3f} of the runs")
    assert found >= 0.80


def test_slices_quickly():
    assert _any_significant(20, 20260432, 800) <= 0.15
    assert _planted_found(4, 20260433, 2000) >= 0.5

"""What noise alone makes of an aggregate, against simulated worlds without differences."""

from __future__ import annotations

import numpy as np
import pytest

from audit.aggregates import aggregate_rows
from audit.simulate import person_errors, person_hits

from .lean import age_setting, block_of, collected, errors_frame

SIZES = np.array([40, 60, 90, 150, 250, 400])


def _run(rng: np.random.Generator, draw: str) -> dict[tuple[str, str], tuple[float, float]]:
    photos = np.full(SIZES.sum(), 3)
    if draw == "errors":
        error, person = person_errors(SIZES.sum(), photos, rng)
    else:
        hit, person = person_hits(SIZES.sum(), photos, rng, accuracy=0.9, icc=0.4)
        error = np.where(hit, 0.0, 20.0)
    group = np.repeat([f"g{i}" for i in range(len(SIZES))], SIZES)[person]
    frame = errors_frame(error, person, group=group)
    setting = age_setting(["mae"] if draw == "errors" else ["cs5"])
    block = block_of(setting, collected(frame, ["group"]), ("group",))
    rows = aggregate_rows(setting, block, ())
    return {(row.metric, row.kind): (row.value, row.null_expected) for row in rows}


def _compare(draw: str, runs: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Mean of the aggregate, of its stated expectation, and the standard error of the first."""
    rng = np.random.default_rng(seed)
    found = [_run(rng, draw) for _ in range(runs)]
    means = {}
    for _, kind in found[0]:
        pairs = np.array([next(v for (_, k), v in run.items() if k == kind) for run in found])
        means[kind] = (*pairs.mean(axis=0), pairs[:, 0].std() / np.sqrt(runs))
    return means


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["errors", "shares"])
def test_null_expectation_is_the_mean_without_differences(draw):
    """600 runs of 6 groups of 40 to 400 persons with 3 photos; within 5 % and 3 standard errors."""
    for kind, (mean, stated, error) in _compare(draw, 600, seed=20260401).items():
        print(f"{draw} {kind}: mean {mean:.5f} +- {error:.5f}, stated {stated:.5f}")
        assert abs(mean - stated) <= 0.05 * stated + 3 * error
        if kind == "tau2":
            assert abs(mean) <= 3 * error


def test_null_expectation_quickly():
    for kind, (mean, stated, error) in _compare("errors", 60, seed=20260402).items():
        assert abs(mean - stated) <= 0.05 * stated + 3.5 * error, kind

"""Isotonic fits of sorted faces: by group, with ties and weights, and of some groups alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from audit import audit
from audit.metrics.isotonic import brier_parts, isotonic, ordered
from tests.audit.frames import metric

FloatArray = npt.NDArray[np.float64]


def _faces(seed: int, n: int) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 40, n) / 40
    return score, rng.integers(0, 4, n), rng.choice([0.5, 1.0, 2.0], n), rng.uniform(size=n) < score


@pytest.mark.parametrize("seed", range(5))
def test_groups_equal_sklearn_one_by_one(seed: int) -> None:
    score, group, weight, hit = _faces(seed, 150)
    o = ordered(score, group, 5, weight)  # nobody is in the last group
    hits = o.hits(hit)
    height, parts = isotonic(o, hits), brier_parts(o, hits)
    for g, part in enumerate(o.parts()):
        own = group == g
        if not own.any():
            assert all(np.isnan(found[g]) for found in parts)
            continue
        theirs = IsotonicRegression().fit(score[own], hit[own], sample_weight=weight[own])
        assert height[part] == pytest.approx(theirs.predict(o.score[part]), abs=1e-12)
        fitted = theirs.predict(score[own])
        raw, flat = (
            brier_score_loss(hit[own], p, sample_weight=weight[own])
            for p in (score[own], np.full(own.sum(), np.average(hit[own], weights=weight[own])))
        )
        best = brier_score_loss(hit[own], fitted, sample_weight=weight[own])
        expected = (raw - best, flat - best, flat)
        assert [found[g] for found in parts] == pytest.approx(expected, abs=1e-12)


def test_some_groups_alone_are_the_same() -> None:
    score, group, weight, hit = _faces(9, 200)
    o = ordered(score, group, 4, weight)
    kept = np.array([True, False, True, False])
    few = o.only(kept)
    for whole, part in zip(
        brier_parts(o, o.hits(hit)), brier_parts(few, few.hits(hit)), strict=True
    ):
        assert part[kept] == pytest.approx(whole[kept], abs=1e-15)
        assert np.isnan(part[~kept]).all()


def test_large_groups_expect_what_many_draws_show() -> None:
    """Three to five draws of a large group are near the mean of fifty; small ones take twenty."""
    rng = np.random.default_rng(3)
    n = 20_000
    p = rng.beta(2, 2, n)
    frame = {
        "prob_a": p,
        "prob_b": 1 - p,
        "expression": np.where(rng.uniform(size=n) < p, "a", "b"),
    }
    result = audit(pd.DataFrame(frame), task="expression", by=[], n_boot=0)
    o = ordered(p, np.zeros(n, dtype=np.int64), 1, np.ones(n))
    drawn = [brier_parts(o, o.hits(rng.uniform(size=n) < p))[0][0] for _ in range(50)]
    found = metric(result, "brier_miscalibration").null_expected
    assert found == pytest.approx(2 * np.mean(drawn), rel=0.15)  # two classes

"""Formulas of the aggregates against published and hand-made values."""

from __future__ import annotations

import numpy as np
import pytest

from audit.metrics.spread import (
    fdr,
    garbe,
    gei_between,
    gei_total,
    gini,
    inequity,
    sd_between,
    spread_specs,
    tau2,
)
from audit.rows import AggregateGap

M = np.array([2.0, 3.0, 4.0])
FPR = np.array([0.02, 0.04, 0.05])
FNR = np.array([0.10, 0.12, 0.20])


def test_hand_sized_values():
    assert sd_between(M) == pytest.approx(1.0)  # ((-1)^2 + 0 + 1^2) / 2
    assert gini(M) == pytest.approx(2 / 9)  # (1+2+1)*2 / (2*9*3) = 4/27, times 3/2
    assert gei_between(M, np.ones(3)) == pytest.approx(1 / 27)  # (1/9 + 0 + 1/9) / 3 / 2
    assert tau2(M, np.diag([0.09, 0.16, 0.25])) == pytest.approx(1 - 0.5 / 3)


def test_two_error_rates():
    # differences .03 and .10; ratios 2.5 and 2
    assert fdr(FPR, FNR) == pytest.approx(0.935)
    assert fdr(FPR, FNR, 0.25) == pytest.approx(0.9175)
    assert inequity(FPR, FNR) == pytest.approx(np.sqrt(5))
    assert inequity(FPR, FNR, 0.25) == pytest.approx(2.114742526881128)
    assert garbe(FPR, FNR) == pytest.approx(0.2554112554112554)
    assert garbe(FPR, FNR, 0.25) == pytest.approx(0.24675324675324672)


def test_generalised_entropy_of_other_suites():
    # LiFT BenefitMapTest: benefits .6, .75, .9; AIF360: benefits of ten faces in three groups
    assert gei_between(np.array([0.6, 0.75, 0.9]), np.ones(3)) == pytest.approx(0.04 / 3)
    faces = np.array([0, 2, 2, 0, 1, 1, 0, 2, 1, 1.0])
    total = gei_total(faces.mean(), (faces**2).mean())
    assert total == pytest.approx(0.3)
    between = gei_between(np.array([1.0, 1.25, 0.75]), np.array([2.0, 4.0, 4.0]))
    assert between == pytest.approx(0.025)


def test_within_and_between_add_up():
    rng = np.random.default_rng(0)
    faces = [rng.gamma(2, size, 40 + 20 * i) for i, size in enumerate((1.0, 2.0, 3.0))]
    n = np.array([len(x) for x in faces], dtype=float)
    means = np.array([x.mean() for x in faces])
    within = sum(  # Shorrocks (1980): share of the total times relative mean^2 times own index
        size / n.sum() * (mean / np.average(means, weights=n)) ** 2 * gei_total(mean, (x**2).mean())
        for x, mean, size in zip(faces, means, n, strict=True)
    )
    everyone = np.concatenate(faces)
    total = gei_total(everyone.mean(), (everyone**2).mean())
    assert gei_between(means, n) + within == pytest.approx(total)


def test_tau2_of_groups_that_share_persons_needs_the_covariance():
    """Var of two estimates with common persons: E S^2 = (v1 + v2 - 2c) / 2 without a true gap."""
    v = np.array([[0.5, 0.3], [0.3, 0.7]])
    drawn = np.random.default_rng(1).multivariate_normal([4, 4], v, 200_000)
    mean = tau2(drawn, v).mean()
    assert mean == pytest.approx(0, abs=4 * np.std(tau2(drawn, v)) / np.sqrt(len(drawn)))
    assert tau2(drawn, np.diag(np.diag(v))).mean() == pytest.approx(-0.3, abs=0.01)


def test_scale_and_order():
    for of in (gini, lambda x: gei_between(x, np.ones(3))):
        assert of(10 * M) == pytest.approx(of(M))
        assert of(M[::-1]) == pytest.approx(of(M))
        assert of(np.full(3, 7.0)) == pytest.approx(0, abs=1e-15)
    assert gini(np.array([0, 0, 9.0])) == pytest.approx(1)  # a single group bears everything


def test_undefined():
    zero = np.zeros(3)
    assert np.isnan(gini(zero))
    assert np.isnan(gei_between(zero, np.ones(3)))
    assert np.isnan(inequity(np.array([0.0, 0.1, 0.2]), FNR))
    assert np.isnan(inequity(FPR, zero))
    assert garbe(zero, FNR) == pytest.approx(gini(FNR) / 2)  # no error anywhere is equality
    assert np.isnan(gei_total(0.0, 0.0))


def test_every_kind_is_described():
    kinds = AggregateGap.model_json_schema()["properties"]["kind"]["enum"]
    assert set(spread_specs()) == set(kinds)

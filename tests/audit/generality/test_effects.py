"""Random effects: against statsmodels, by hand, and under correlation by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.meta_analysis import combine_effects

from audit.generality.effects import random_effects

SPREAD = (np.array([1.2, 0.1, 2.5, 0.9, 3.0]), np.array([0.2, 0.3, 0.15, 0.4, 0.25]))
ALIKE = (np.array([1.0, 1.1, 0.95, 1.05]), np.array([0.5, 0.3, 0.4, 0.6]))


def test_independent_values_with_heterogeneity_are_those_of_statsmodels() -> None:
    y, v = SPREAD
    found = random_effects(y, np.diag(v))
    other = combine_effects(y, v, method_re="iterated", use_t=True)
    assert found.tau2 == pytest.approx(other.tau2, rel=1e-4)
    assert found.value == pytest.approx(other.mean_effect_re, rel=1e-4)
    assert found.se == pytest.approx(np.sqrt(other.var_hksj_re), rel=1e-4)
    low, high = other.conf_int()[3]  # fixed, random, fixed HKSJ, random HKSJ
    assert found.limits == pytest.approx((low, high), rel=1e-4)
    # where tau^2 is above 0, Paule and Mandel make Q equal to its expectation
    assert found.scale == pytest.approx(1, rel=1e-9)


def test_without_heterogeneity_the_interval_is_not_narrower_than_chance() -> None:
    y, v = ALIKE
    found = random_effects(y, np.diag(v))
    other = combine_effects(y, v, method_re="iterated", use_t=True)
    assert found.tau2 == 0 == other.tau2
    # Hartung and Knapp's own factor, which would make it narrower, is below 1
    assert found.scale == pytest.approx(other.scale_hksj_re)
    assert found.scale is not None
    assert found.scale < 0.2
    assert found.se == pytest.approx(1 / np.sqrt((1 / v).sum()))
    half = t.ppf(0.975, 3) / np.sqrt((1 / v).sum())
    assert found.limits == pytest.approx((found.value - half, found.value + half))


def test_tau2_and_the_prediction_interval_by_hand() -> None:
    # equal variances 0.1: tau^2 = s^2 - 0.1 = 1 - 0.1, se^2 = s^2 / 3 = 1 / 3
    found = random_effects(np.array([1.0, 2.0, 3.0]), np.diag([0.1] * 3))
    assert found.tau2 == pytest.approx(0.9)
    assert found.se == pytest.approx(np.sqrt(1 / 3))
    # t with k - 2 = 1 degree of freedom at 0.975 is tan(0.475 pi) = 12.7062
    half = np.tan(0.475 * np.pi) * np.sqrt(0.9 + 1 / 3)
    assert found.predicted == pytest.approx((2 - half, 2 + half))
    assert found.i2 == pytest.approx(0.9)
    # t = 2 sqrt(3) with 2 df has the closed form p = 1 - t / sqrt(t^2 + 2)
    assert found.p == pytest.approx(1 - np.sqrt(12 / 14))


def test_p_is_the_inversion_of_the_interval() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        k = int(rng.integers(3, 7))
        part = rng.normal(size=(k, 9))
        s = part @ part.T / 30
        found = random_effects(rng.normal(0.8, 0.6, k), s)
        assert found.limits is not None
        assert found.p is not None
        assert (found.p < 0.05) == (found.limits[0] > 0 or found.limits[1] < 0)
        assert found.predicted is not None
        assert found.predicted[0] < found.limits[0] < found.limits[1] < found.predicted[1]


def test_common_luck_moves_nothing_but_the_interval() -> None:
    """S = D + c 1 1': mu and tau^2 of D where its variances are equal, and c more variance."""
    y, d, c = np.array([0.2, 1.4, 0.8, 2.0]), np.diag([0.1] * 4), 0.3
    alone, joint = random_effects(y, d), random_effects(y, d + c)
    assert joint.value == pytest.approx(alone.value)
    assert joint.tau2 == pytest.approx(alone.tau2)
    assert alone.se is not None
    assert joint.se == pytest.approx(np.sqrt(alone.se**2 + c))


@pytest.mark.parametrize("k", [1, 2])
def test_below_three_there_is_neither_interval_nor_p(k: int) -> None:
    found = random_effects(np.arange(k) + 1.0, np.eye(k) * 0.1)
    assert found.value == pytest.approx((k + 1) / 2)
    assert (found.p, found.limits, found.limits_90, found.predicted, found.se) == (None,) * 5


def test_a_value_without_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="variance must be positive"):
        random_effects(np.array([1.0, 2.0, 3.0]), np.diag([0.1, 0.0, 0.1]))


@pytest.mark.parametrize(("k", "tau"), [(3, 0.0), (3, 0.5), (4, 1.0), (6, 0.5)])
def test_coverage_with_people_in_common(k: int, tau: float) -> None:
    """1,000 worlds: own luck 0.5, common luck 0.5 (SD); the interval holds mu, the other a new one.

    Two SE of a share 0.95 are 1.4 points; with tau = 0 it is above 0.95.
    """
    rng = np.random.default_rng(7)
    runs, s = 1000, 0.25 * np.eye(k) + 0.25
    u = rng.normal(0, tau, (runs, k + 1)) if tau else np.zeros((runs, k + 1))
    e = rng.normal(0, 0.5, (runs, k)) + rng.normal(0, 0.5, (runs, 1))
    held, new, naive = 0, 0, 0
    for i in range(runs):
        found = random_effects(u[i, :k] + e[i], s)
        apart = random_effects(u[i, :k] + e[i], np.diag(np.diag(s)))
        assert found.limits is not None
        assert found.predicted is not None
        assert apart.limits is not None
        held += found.limits[0] <= 0 <= found.limits[1]
        naive += apart.limits[0] <= 0 <= apart.limits[1]
        new += found.predicted[0] <= u[i, k] <= found.predicted[1]
    assert held / runs > 0.936
    assert new / runs > 0.936
    assert naive <= held  # persons taken for others on every backbone: never better

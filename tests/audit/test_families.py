"""The pure core of the families: max-T, Holm, Benjamini-Hochberg."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from audit.families import bh, holm, max_t


def test_max_t_counts_maxima_at_or_above():
    # maxima of the 4 replicates: 2, 3, 1, 4; p = (1 + count of maxima >= |T|) / 5
    replicates = np.array([[1.0, -2.0], [3.0, 0.0], [-1.0, 0.5], [0.0, 4.0]])
    found = max_t(np.array([-2.5, 1.0]), replicates)
    assert found is not None
    assert found.p.tolist() == [3 / 5, 1.0]
    assert found.critical == np.inf  # 4 replicates cannot reject at 5 %: (0 + 1) / 5


def test_a_tie_within_rounding_is_a_tie():
    replicates = np.full((99, 1), 2.0)
    found = max_t(np.array([2.0 + 4e-16]), replicates)
    assert found is not None
    assert found.p[0] == 1.0


@pytest.mark.parametrize("n_boot", [40, 99, 200, 999, 1000])
def test_p_below_5_percent_exactly_above_the_critical_value(n_boot):
    rng = np.random.default_rng(1)
    replicates = rng.standard_t(5, (n_boot, 7))
    for row in np.linspace(-8, 8, 1400).reshape(-1, 7):
        found = max_t(row, replicates)
        assert found is not None
        assert np.array_equal(found.p < 0.05, np.abs(row) > found.critical)


def test_what_is_not_observed_is_not_in_the_family():
    replicates = np.column_stack([np.linspace(0, 1, 99), np.full(99, 50.0)])
    with_it = max_t(np.array([2.0, 1.0]), replicates)
    without = max_t(np.array([2.0, np.nan]), replicates)
    assert with_it is not None
    assert without is not None
    assert with_it.p[0] == 1.0
    assert without.p[0] == 0.01
    assert np.isnan(without.p[1])
    assert max_t(np.array([np.nan]), replicates[:, :1]) is None


def test_undefined_replicates_are_left_out_until_there_are_too_many():
    replicates = np.ones((1000, 2))
    replicates[:10, 0] = np.nan
    found = max_t(np.array([2.0, 0.0]), replicates)
    assert found is not None
    assert found.p[0] == 1 / 991
    replicates[10, 1] = np.inf
    assert max_t(np.array([2.0, 0.0]), replicates) is None
    assert max_t(np.array([2.0]), np.empty((0, 1))) is None


def test_holm_and_bh_of_the_reference_values():
    p = np.array([0.03, 0.001, np.nan, 0.2, 0.012, 0.04])
    nan = np.nan
    assert holm(p) == pytest.approx([0.09, 0.005, nan, 0.2, 0.048, 0.09], nan_ok=True)
    assert bh(p) == pytest.approx([0.05, 0.005, nan, 0.2, 0.03, 0.05], nan_ok=True)
    assert np.isnan(holm(np.array([nan]))).all()
    assert np.isnan(bh(np.array([nan]))).all()


def test_max_t_holds_its_level_for_correlated_statistics():
    """1,000 families of 20 normal statistics correlated by 0.5: error 5 % +- 2."""
    rng = np.random.default_rng(2)

    def world(n):
        return np.sqrt(0.5) * (rng.normal(size=(n, 1)) + rng.normal(size=(n, 20)))

    replicates = world(2000)
    wrong = 0
    for row in world(1000):
        found = max_t(row, replicates)
        assert found is not None
        wrong += bool((found.p < 0.05).any())
    assert 30 <= wrong <= 70


def test_holm_equals_statsmodels_with_ties_and_gaps():
    rng = np.random.default_rng(0)
    for m in (1, 2, 9, 40):
        p = np.round(rng.random(m) ** 3, 2)
        p[rng.random(m) < 0.1] = np.nan
        known = ~np.isnan(p)
        expected = np.full(m, np.nan)
        if known.any():
            expected[known] = multipletests(p[known], method="holm")[1]
        assert holm(p) == pytest.approx(expected, nan_ok=True)

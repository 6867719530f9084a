"""Kendall's W: against Friedman's statistic with ties, by hand, and what chance makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from audit.generality.concordance import concordance, kendall_w


@pytest.mark.parametrize("ties", [False, True])
def test_w_is_friedmans_statistic_over_k_times_g_minus_1(ties: bool) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        k, g = int(rng.integers(3, 7)), int(rng.integers(3, 9))
        values = rng.integers(0, 4, (k, g)).astype(float) if ties else rng.normal(size=(k, g))
        chi2 = friedmanchisquare(*values.T).statistic  # one argument a group, a block a backbone
        assert kendall_w(values) == pytest.approx(chi2 / (k * (g - 1)))


def test_w_by_hand() -> None:
    # ranks 1 2 3 and 1 3 2: sums 2 5 5 about 4: S = 4 + 1 + 1 = 6; own 2 + 2; W = 6 / (2 * 4)
    assert kendall_w(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])) == pytest.approx(0.75)
    assert kendall_w(np.array([[1.0, 2.0], [2.0, 1.0]])) == 0
    assert np.isnan(kendall_w(np.ones((3, 4))))


def test_agreement_that_chance_cannot_make() -> None:
    rng = np.random.default_rng(0)
    values = np.tile(np.arange(5.0), (4, 1))
    found = concordance(values, rng.normal(0, 0.1, (400, 4, 5)))
    assert (found.w, found.low, found.high) == (1.0, 1.0, 1.0)
    assert found.p == pytest.approx(1 / 401)
    # independent noise: E W = 1 / k
    assert found.null_expected == pytest.approx(0.25, abs=0.03)


def test_common_luck_with_people_is_in_the_null() -> None:
    """Backbones that all move together agree on noise; that is no sign of a group served worst."""
    rng = np.random.default_rng(1)
    moved = np.repeat(rng.normal(size=(400, 1, 5)), 4, axis=1) + rng.normal(0, 0.2, (400, 4, 5))
    values = rng.normal(size=(1, 5)) + rng.normal(0, 0.2, (4, 5))
    found = concordance(values, moved)
    assert found.w is not None
    assert found.w > 0.8
    assert found.null_expected == pytest.approx(found.w, abs=0.15)
    assert found.p is not None
    assert found.p > 0.05


def test_two_backbones_have_no_p_and_few_replicates_no_interval() -> None:
    rng = np.random.default_rng(0)
    values = np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    found = concordance(values, rng.normal(size=(100, 2, 3)))
    assert found.p is None
    assert found.low is not None
    assert concordance(values, np.zeros((0, 2, 3))).low is None
    assert concordance(np.ones((3, 3)), rng.normal(size=(100, 3, 3))).w is None


def test_ties_within_rounding_are_ties() -> None:
    values = np.array([[0.1 + 0.2, 0.3, 1.0], [1.0, 2.0, 3.0]])
    tied = np.array([[0.3, 0.3, 1.0], [1.0, 2.0, 3.0]])
    assert concordance(values, np.zeros((0, 2, 3))).w == kendall_w(tied)

"""Evenness, distances and associations: by hand, and beside scipy and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chisquare, entropy
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score

from audit.metrics import representation as ours
from audit.metrics.fairness import nmi

GENERATOR = np.random.default_rng(7)
TABLES = GENERATOR.integers(1, 40, size=(20, 3, 5)).astype(np.float64)


def test_evenness_by_hand_and_scipy() -> None:
    # (2, 1, 1): H = 1/2 ln 2 + 2 * 1/4 ln 4 = 3/2 ln 2; exp(H) = 2^1.5
    sizes = np.array([2.0, 1.0, 1.0])
    assert ours.effective_groups(sizes) == pytest.approx(2**1.5)
    assert ours.evenness(sizes) == pytest.approx(1.5 * math.log(2) / math.log(3))
    assert ours.evenness(np.array([5.0, 5.0, 5.0])) == pytest.approx(1)
    assert ours.evenness(np.array([5.0, 0.0])) == pytest.approx(0)
    assert np.isnan(ours.evenness(np.array([5.0])))
    for table in TABLES:
        assert ours.evenness(table[0]) == pytest.approx(entropy(table[0]) / math.log(5))


def test_distances_by_hand_and_scipy() -> None:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    assert ours.tv_distance(p, q) == pytest.approx(0.5)
    assert ours.tv_distance(p, p) == 0
    apart = (np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert ours.tv_distance(*apart) == 1
    assert ours.jensen_shannon(*apart) == pytest.approx(1)  # one bit tells the sides apart
    for table in TABLES:
        a, b = table[0] / table[0].sum(), table[1] / table[1].sum()
        assert ours.jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2) ** 2)
        assert np.minimum(a, b).sum() == pytest.approx(1 - ours.tv_distance(a, b))


def test_chi_square_beside_scipy() -> None:
    for table in TABLES:
        given = np.array([0.1, 0.2, 0.3, 0.3, 0.1])
        expected = given * table[0].sum()
        found = ours.chi_square(table[0], expected)
        assert found == pytest.approx(chisquare(table[0], expected).statistic)
    assert np.isnan(ours.chi_square(np.array([1.0, 1.0]), np.array([2.0, 0.0])))
    assert ours.chi_square(np.array([2.0, 0.0]), np.array([2.0, 0.0])) == 0


def test_associations_beside_scipy_and_sklearn() -> None:
    found = ours.cramers_v(TABLES), nmi(TABLES)
    for i, table in enumerate(TABLES):
        assert found[0][i] == pytest.approx(association(table.astype(int), method="cramer"))
        rows, columns = (
            np.repeat(at.ravel(), table.ravel().astype(int)) for at in np.indices((3, 5))
        )
        joint = entropy(table.ravel())
        assert found[1][i] == pytest.approx(mutual_info_score(rows, columns) / joint)


def test_corrected_cramers_v_by_hand() -> None:
    # ((30, 10), (10, 30)): phi^2 = (20 * 20 / 1600)... = (900 - 100)^2 / 40^4 = 0.25, n = 80.
    # Less 1 / 79; both sides have 2 - 1 / 79, so V = sqrt((0.25 - 1 / 79) / (1 - 1 / 79)).
    table = np.array([[30.0, 10.0], [10.0, 30.0]])
    assert ours.cramers_v(table) == pytest.approx(0.5)
    want = math.sqrt((0.25 - 1 / 79) / (1 - 1 / 79))
    assert ours.cramers_v_corrected(table) == pytest.approx(want)
    assert ours.cramers_v_corrected(np.full((2, 2), 10.0)) == 0
    assert np.isnan(ours.cramers_v_corrected(np.array([[3.0, 4.0]])))
    # an empty row or column is not there
    wide = np.pad(table, ((0, 1), (0, 2)))
    assert ours.cramers_v_corrected(wide) == pytest.approx(want)


def test_correction_takes_chance_away() -> None:
    """Independent variables, 2 x 7, 60 faces, 500 draws, seed 3: mean V^2 is 6 / 60."""
    drawn = np.random.default_rng(3).multinomial(60, np.full(14, 1 / 14), 500)
    tables = drawn.reshape(-1, 2, 7).astype(np.float64)
    plain, corrected = ours.cramers_v(tables), ours.cramers_v_corrected(tables)
    assert np.mean(plain**2) == pytest.approx(6 / 60, abs=0.01)
    assert np.mean(corrected**2) < 0.03
    assert np.median(corrected) < 0.1 < np.median(plain)

"""Drift between two tables: changes of shares and distances, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance
from statsmodels.stats.proportion import confint_proportions_2indep

from audit.data_set.prepare import DataOptions
from audit.data_set.run import audit_data
from audit.errors import InputError
from tests.audit.data_set.looking import metric, people, statistic

BY_GENDER = DataOptions(by=["gender"])


def other(sizes: dict[str, int], photos: int = 1) -> pd.DataFrame:
    """Other people than those of :func:`people`."""
    frame = people(sizes, photos)
    return frame.assign(sample_id="o" + frame["sample_id"], subject_id="o" + frame["subject_id"])


def test_change_by_hand_and_statsmodels() -> None:
    result = audit_data(people({"f": 60, "m": 140}), BY_GENDER, against=other({"f": 90, "m": 110}))
    row = metric(result, "share_change", gender="f")
    assert row.value == pytest.approx(0.45 - 0.3)
    low, high = confint_proportions_2indep(90, 200, 60, 200, compare="diff", method="score")
    assert (row.low, row.high) == pytest.approx((low, high), abs=0.003)
    assert row.p is not None
    assert row.p < 0.01
    back = metric(result, "share_change", gender="m")
    assert back.value == pytest.approx(-0.15)
    assert statistic(result, "drift_tv", "gender").value == pytest.approx(0.15)


def test_photos_widen_nothing_and_narrow_nothing() -> None:
    rows = []
    for k in (1, 4):
        second = other({"f": 45, "m": 55}, k)
        result = audit_data(people({"f": 30, "m": 70}, k), BY_GENDER, against=second)
        rows.append(metric(result, "share_change", gender="f"))
    assert rows[1].n == 4 * (rows[0].n or 0)
    assert (rows[1].low, rows[1].high) == pytest.approx((rows[0].low, rows[0].high), abs=0.005)


def test_the_same_people_do_not_drift() -> None:
    frame = people({"f": 30, "m": 70}, photos=2)
    result = audit_data(frame, BY_GENDER, against=frame)
    row = metric(result, "share_change", gender="f")
    assert row.value == 0
    assert row.low is not None
    assert row.high is not None
    # people of both cancel: next to nothing is left to chance
    assert -0.02 < row.low <= 0 <= row.high < 0.02
    distance = statistic(result, "drift_tv", "gender")
    assert (distance.value, distance.p) == (0, 1)


@pytest.mark.slow
def test_p_is_uniform_without_drift() -> None:
    """200 runs, twice 40 persons of 3 photos, seed 8: p < 0.05 in 5 % +- 4.5 points."""
    generator, found = np.random.default_rng(8), 0
    for _ in range(200):
        n = generator.binomial(40, 0.3, 2)
        first, second = (
            people({"f": n[0], "m": 40 - n[0]}, 3),
            other({"f": n[1], "m": 40 - n[1]}, 3),
        )
        row = statistic(audit_data(first, BY_GENDER, against=second), "drift_tv", "gender")
        assert row.p is not None
        found += row.p < 0.05
    assert found / 200 <= 0.095


def test_without_a_common_group() -> None:
    result = audit_data(people({"f": 5}), BY_GENDER, against=other({"m": 5}))
    row = statistic(result, "drift_js", "gender")
    assert (row.value, row.note) == (1, "disjoint")
    assert metric(result, "share_change", gender="m").value == 1


def test_ages_in_years() -> None:
    first = pd.DataFrame({"age": ["20", "30", "40"]})
    second = pd.DataFrame({"age": ["25", "45"]})
    result = audit_data(first, against=second)
    found = statistic(result, "drift_w1_age", "age")
    assert found.value == pytest.approx(wasserstein_distance([20, 30, 40], [25, 45]))
    assert found.note == "descriptive"


def test_bands_that_cut_otherwise_are_not_compared() -> None:
    first, second = pd.DataFrame({"age": ["0-2", "20-29"]}), pd.DataFrame({"age": ["5", "25"]})
    row = statistic(audit_data(first, against=second), "drift_tv", "age")
    assert (row.value, row.note) == (None, "bands_differ")
    options = DataOptions(age_bands=[0, 20])
    assert statistic(audit_data(first, options, against=second), "drift_tv", "age").value == 0


def test_labels_drift_too() -> None:
    first = pd.DataFrame({"gender": list("fmfm"), "expression": ["sad", "sad", "happy", "sad"]})
    result = audit_data(first, BY_GENDER, against=first.assign(expression="sad"))
    assert metric(result, "share_change", expression="sad").value == pytest.approx(0.25)


def test_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="--against: has none of the columns gender"):
        audit_data(people({"f": 2}), against=pd.DataFrame({"race": ["x"]}))
    empty = other({"f": 2}).assign(gender=None)
    row = statistic(audit_data(people({"f": 2}), against=empty), "drift_tv", "gender")
    assert (row.value, row.note) == (None, "empty_group")

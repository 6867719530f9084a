"""Which gaps are listed, who is worst, and the range without its selection bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit, predictions_from_frame
from audit.ranges import cross_fitted
from audit.simulate import example_cohort
from tests.audit.frames import age_table, gap, gaps, metric


def codes(result: AuditResult) -> list[str]:
    return [w.code for w in result.warnings]


def many_groups(n_groups: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(n_groups), 24)
    age = rng.uniform(10, 60, len(group))
    pred = age + rng.normal(0, 3 + 0.1 * group)
    ids = np.arange(len(group))
    return pd.DataFrame(
        {"sample_id": ids, "age": age, "age_pred": pred, "g": [f"g{i:02d}" for i in group]}
    )


def test_pairs_of_at_most_12_groups_and_the_20_largest_above() -> None:
    few = audit(many_groups(12), task="age", by=["g"], n_boot=0, min_n=5)
    assert len(gaps(few, metric="mae", kind="difference")) == 66
    assert "gaps_truncated" not in codes(few)
    many = audit(many_groups(13), task="age", by=["g"], n_boot=0, min_n=5)
    listed = gaps(many, metric="mae", kind="difference")
    assert len(listed) == 20
    assert len(gaps(many, metric="mae", kind="vs_rest")) == 13
    everything = audit(many_groups(13), task="age", by=["g"], n_boot=0, min_n=5, pairs="all")
    complete = gaps(everything, metric="mae", kind="difference")
    assert len(complete) == 78
    largest = sorted((abs(row.value) for row in complete), reverse=True)[:20]
    assert sorted((abs(row.value) for row in listed), reverse=True) == largest
    widest = gap(many, metric="mae", kind="worst_minus_best")
    assert widest.value == pytest.approx(largest[0], rel=1e-12)
    assert "gaps_truncated" in codes(many)


def test_sides_are_in_text_order(age_result: AuditResult) -> None:
    for row in gaps(age_result, kind="difference"):
        assert tuple(map(str, row.a.values())) < tuple(map(str, row.b.values()))


def test_worst_and_best_follow_what_is_better(age_result: AuditResult) -> None:
    for name, low_is_better in (("mae", True), ("cs5", False)):
        row = gap(age_result, metric=name, kind="worst_minus_best", attributes=["gender"])
        a, b = (metric(age_result, name, side).value for side in (row.a, row.b))
        assert (a > b) is low_is_better
        assert row.value == pytest.approx(abs(a - b), rel=1e-12)
    row = gap(age_result, metric="bias", kind="max_minus_min", attributes=["gender"])
    a, b = (metric(age_result, "bias", side).value for side in (row.a, row.b))
    assert row.value == pytest.approx(a - b, rel=1e-12)
    assert a > b


def test_small_groups_are_shown_and_not_tested() -> None:
    table = age_table(1, 100)
    result = audit(table, task="age", by=["race"], n_boot=0, min_n=20)
    assert "small_groups" in codes(result)
    small = metric(result, "mae", {"race": "Indian"})
    assert small.n_subjects < 20
    assert small.value is not None
    assert small.low is not None
    for row in gaps(result, metric="mae", kind="difference"):
        if {"race": "Indian"} in (row.a, row.b):
            assert row.p is None
            assert "below_min_n" in row.note
            assert row.value is not None
    widest = gap(result, metric="mae", kind="worst_minus_best")
    assert {"race": "Indian"} not in (widest.a, widest.b)
    small = {row.group["race"] for row in result.metrics if row.metric == "mae" and row.group}
    small = {
        race for race in small - {None} if metric(result, "mae", {"race": race}).n_subjects < 20
    }
    assert f"below_min_n: {len(small)} groups left out" in str(widest.note)


def test_cross_fitted_range_on_three_folds() -> None:
    """Chosen on train (largest, smallest), measured on test: 3 - 1, 1 - 2, fold without value."""
    train = np.array([[5.0, 1.0, 2.0], [1.0, 2.0, 0.0], [np.nan, 1.0, 2.0]])
    test = np.array([[3.0, 1.0, 9.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    assert cross_fitted(train, test) == pytest.approx(((3 - 1) + (1 - 2)) / 2)
    assert np.isnan(cross_fitted(train[2:], test[2:]))


@pytest.mark.slow
def test_debiased_range_is_unbiased_without_a_gap() -> None:
    """200 cohorts without a gap: the plain range is about 1 year, the cross-fitted one 0."""
    plain, debiased = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(14), 100)
        table = pd.DataFrame({"age": 40.0, "age_pred": 40 + rng.normal(0, 5, len(group))})
        table["sample_id"], table["g"] = np.arange(len(table)), group.astype(str)
        row = gap(
            audit(table, task="age", by=["g"], n_boot=0), metric="mae", kind="worst_minus_best"
        )
        plain.append(row.value)
        debiased.append(row.debiased)
    assert np.mean(plain) > 0.9
    assert np.mean(debiased) == pytest.approx(0.0, abs=0.1)


def test_example_cohort_shows_its_planted_gaps() -> None:
    result = audit(example_cohort(), task="age", by=["gender", "skin_tone"], n_boot=0)
    row = gap(result, metric="bias", kind="max_minus_min", attributes=["skin_tone"])
    assert row.b == {"skin_tone": "dark"}
    assert row.low > 2.0
    assert row.high < 6.0  # 3 years are planted, on top of who happens to be old
    ratio = gap(result, metric="mae", kind="ratio", attributes=["gender"])
    assert ratio.a == {"gender": "man"}
    assert ratio.low < 1 / 1.15 < ratio.high
    again = replace(predictions_from_frame(example_cohort(), task="age"), place="x")
    assert audit(again, by=["gender"], n_boot=0).metrics[0] == result.metrics[0]

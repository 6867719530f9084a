"""Rows adjusted for their family: p and limits agree, whatever the adjustment and the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit
from audit.families import Hypotheses, family_of
from audit.rows import AdjustedGap, PairGap, RestGap
from tests.audit.frames import age_table, expression_table, gap, gaps


@pytest.fixture(scope="module", params=["max_t", "holm", "bh"])
def result(request) -> AuditResult:
    table = age_table(11, 500)
    by = ["gender", "race", "gender,race"]
    return audit(table, task="age", by=by, n_boot=120, adjust=request.param, min_n=20)


@pytest.fixture(scope="module")
def expressions() -> AuditResult:
    return audit(expression_table(12, 500), task="expression", by=["gender", "race"], n_boot=120)


def adjusted_rows(found: AuditResult) -> list:
    return [
        row
        for row in found.gaps
        if isinstance(row, PairGap | RestGap) and row.p_adjusted is not None
    ]


def test_adjusted_p_below_5_percent_exactly_where_0_is_outside(result, expressions):
    rejected = 0
    for found in (result, expressions):
        for row in adjusted_rows(found):
            outside = row.low_adjusted > 0 or row.high_adjusted < 0
            if found.spec.adjust == "holm":  # only Holm, not Bonferroni: 0 is the limit itself
                outside = row.low_adjusted >= 0 or row.high_adjusted <= 0
            assert (row.p_adjusted < 0.05) == outside, row
            rejected += outside
    assert rejected > 10


def test_adjusting_never_helps(result, expressions):
    for found in (result, expressions):
        for row in adjusted_rows(found):
            assert row.p_adjusted >= row.p - 1e-12
            assert row.high_adjusted >= row.high - 1e-12 or row.high_adjusted == 0
            assert row.low_adjusted <= row.low + 1e-12 or row.low_adjusted == 0
            assert row.low_adjusted <= row.value <= row.high_adjusted


def test_what_is_not_tested_has_a_reason(result, expressions):
    for found in (result, expressions):
        for row in found.gaps:
            if isinstance(row, RestGap) and row.p_adjusted is None:
                assert row.note is not None, row
                assert row.low_adjusted is None
                assert row.min_detectable is None


def test_groups_that_are_too_small_are_in_no_family(result):
    for row in result.gaps:
        if isinstance(row, RestGap) and min(row.n_subjects_a, row.n_subjects_b) < 20:
            assert row.p is None
            assert row.p_adjusted is None
            assert "below_min_n" in row.note


def test_largest_gap_is_the_most_significant_pair():
    """Four groups and one metric: the range rejects exactly as hard as its best pair."""
    rng = np.random.default_rng(1)
    g = rng.choice(list("abcd"), 800)
    error = rng.normal(0, np.where(g == "d", 7, 5))
    frame = pd.DataFrame({"sample_id": np.arange(800), "age": 40.0, "age_pred": 40 + error, "g": g})
    found = audit(frame, task="age", by=["g"], n_boot=200)
    for metric in ("mae", "bias", "cs5", "rmse"):
        pairs = gaps(found, metric=metric, kind="difference")
        row = next(r for r in gaps(found, metric=metric) if r.kind.startswith(("worst", "max")))
        assert row.p_adjusted == row.p == pytest.approx(min(pair.p_adjusted for pair in pairs))
        low = max(max(pair.low_adjusted, -pair.high_adjusted, 0) for pair in pairs)
        assert row.low_adjusted == row.low == pytest.approx(low, abs=1e-9)


def test_two_groups_are_one_test():
    found = audit(age_table(3, 300), task="age", by=["gender"], n_boot=200)
    for metric in ("mae", "cs5", "bias"):
        pair = gap(found, metric=metric, kind="difference")
        one, other = gaps(found, metric=metric, kind="vs_rest")
        assert one.p_adjusted == pytest.approx(other.p_adjusted, rel=1e-9)
        assert one.p_adjusted == pytest.approx(pair.p_adjusted, rel=1e-9)
        assert one.low_adjusted == pytest.approx(-other.high_adjusted, abs=1e-9)
        assert one.low_adjusted == pytest.approx(pair.low_adjusted, abs=1e-9)


def test_families_have_names(result):
    plain = [row for row in result.gaps if not isinstance(row, AdjustedGap)]
    for row in plain:
        base = f"{row.metric}/{','.join(row.attributes)}"
        assert row.family == (f"{base}/pairs" if isinstance(row, PairGap) else base)


def test_all_classes_of_a_metric_are_one_family():
    """p of recall by class is adjusted for all classes: never below that of one class alone."""
    table = expression_table(12, 500)
    whole = audit(table, task="expression", by=["gender"], n_boot=200)
    t = [row for row in adjusted_rows(whole) if row.metric == "recall" and row.kind == "vs_rest"]
    assert len({row.class_ for row in t}) > 2
    strongest = min(t, key=lambda row: row.p)
    assert strongest.p_adjusted > strongest.p


def test_effect_size_by_hand():
    # errors 1, -1, 3, -3 in both halves: SD sqrt(5), MAE 1 against 3
    n = 40
    error = np.tile([1.0, -1.0], n).tolist() + np.tile([3.0, -3.0], n).tolist()
    frame = pd.DataFrame({"age": 40.0, "age_pred": 40 + np.array(error)})
    frame["sample_id"] = np.arange(len(frame))
    frame["g"] = np.repeat(["a", "b"], 2 * n)
    frame.loc[0, "age_pred"] = 40 + 1.5  # some variance
    frame.loc[2 * n, "age_pred"] = 40 + 2.5
    e = (frame["age_pred"] - frame["age"]).to_numpy()
    found = audit(frame, task="age", by=["g"], n_boot=0)
    row = gap(found, metric="mae", kind="difference")
    assert row.effect_size == pytest.approx(row.value / e.std())
    share = gap(found, metric="cs3", kind="difference")
    p = (np.abs(e) <= 3).mean()
    assert share.effect_size is None if p in (0, 1) else share.value / np.sqrt(p * (1 - p))
    five = gap(found, metric="cs1", kind="difference")
    p = (np.abs(e) <= 1).mean()
    assert five.effect_size == pytest.approx(five.value / np.sqrt(p * (1 - p)))
    assert gap(found, metric="mae", kind="ratio").effect_size is None


def test_ratios_are_not_adjusted_again(result):
    ratios = gaps(result, kind="ratio")
    assert ratios
    assert all(row.p_adjusted is None and row.low_adjusted is None for row in ratios)


def test_few_replicates_adjust_nothing():
    found = audit(age_table(3, 200), task="age", by=["gender"], n_boot=30)
    for row in gaps(found, metric="mae", kind="vs_rest"):
        assert row.p is not None
        assert row.p_adjusted is None
        assert "too_few_replicates" in row.note


def test_ten_people_with_a_thousand_photos():
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(60), np.r_[np.full(10, 1000), np.full(50, 3)])
    g = np.where(person < 10, "a", "b")
    frame = pd.DataFrame(
        {"subject_id": person, "age": 40.0, "age_pred": 40 + rng.normal(0, 5, len(g)), "g": g}
    )
    frame["sample_id"] = np.arange(len(frame))
    found = audit(frame, task="age", by=["g"], n_boot=60, min_n=5, margins={"mae": 5.0})
    for row in gaps(found, metric="mae", kind="vs_rest"):
        assert row.p is None
        assert row.p_adjusted is None
        assert row.low is not None
        assert "low_m_eff" in row.note
        assert row.verdict == "inconclusive"
    widest = gap(found, metric="mae", kind="worst_minus_best")
    assert widest.value is None
    assert "low_m_eff" in widest.note


@pytest.mark.parametrize(
    ("age", "pred", "group"),
    [
        (np.full(80, 40.0), np.full(80, 44.0), np.repeat(["a", "b"], 40)),
        (np.linspace(20, 60, 80), np.full(80, 40.0), np.repeat(["a", "b"], 40)),
        (np.full(80, 40.0), np.linspace(30, 50, 80), np.repeat(["a"], 80)),
        (np.linspace(20, 60, 80), np.linspace(21, 59, 80), np.r_[["a"], ["b"] * 79]),
        (np.full(80, 40.0), np.full(80, 40.0), np.repeat(["a", "b"], 40)),
        (
            np.full(80, 40.0),
            np.r_[np.full(40, 40.0), np.linspace(30, 50, 40)],
            np.repeat(["a", "b"], 40),
        ),
    ],
    ids=["all equal", "constant estimate", "one group", "a group of one", "all right", "one right"],
)
@pytest.mark.parametrize("n_boot", [0, 60])
def test_odd_tables_give_reasons(age, pred, group, n_boot):
    frame = pd.DataFrame({"age": age, "age_pred": pred, "g": group})
    found = audit(frame, task="age", by=["g"], n_boot=n_boot)
    for row in found.gaps:
        if isinstance(row, RestGap | PairGap) and row.kind != "ratio":
            assert row.p_adjusted is not None or row.note is not None, row
            if row.p_adjusted is not None:
                assert row.low_adjusted <= row.high_adjusted
    assert found.to_json()


def test_holm_cuts_at_0_what_bonferroni_does_not_reject():
    # p = 0.02, 0.03: Holm 0.04, 0.04; Bonferroni's level is 0.975
    p = np.array([0.02, 0.03])
    family = family_of("holm", [Hypotheses(np.array([2.3, 2.2]), p)])
    assert family.p[0].tolist() == [0.04, 0.04]
    assert family.level == pytest.approx(0.975)


def test_bh_takes_the_level_at_which_it_rejects():
    # 2 of 4 rejected: 1 - 0.05 x 2 / 4; a third NaN is not counted
    p = np.array([0.01, 0.02, 0.3, 0.9, np.nan])
    family = family_of("bh", [Hypotheses(np.zeros(5), p)])
    assert family.level == pytest.approx(0.975)
    assert (family.p[0][:2] < 0.05).all()
    assert np.isnan(family.p[0][4])


def test_a_family_without_tests_or_with_shaky_ones():
    nothing = Hypotheses(np.full(2, np.nan), np.full(2, np.nan), np.ones(100))
    assert np.isnan(family_of("max_t", [nothing]).p[0]).all()
    some = Hypotheses(np.array([3.0, np.nan]), np.array([0.01, np.nan]), np.ones(100))
    assert family_of("max_t", [some, nothing]).p[0][0] == 1 / 101
    few = Hypotheses(some.statistic, some.p, np.ones(39))
    assert family_of("max_t", [few]).note == "too_few_replicates"
    shaky = Hypotheses(some.statistic, some.p, np.r_[np.full(2, np.nan), np.ones(98)])
    assert family_of("max_t", [shaky]).note == "unstable_replicates"

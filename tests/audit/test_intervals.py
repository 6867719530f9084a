"""Intervals against statsmodels and scipy, and p as the inversion of the printed interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from audit import AuditResult, audit
from audit.intervals import Estimates, limits, order_interval, order_p, wilson
from tests.audit.frames import age_table, expression_table, gap, gaps, metric


def _excluded(row: Any) -> bool:
    """Whether the 95 % interval leaves out the value of no gap."""
    nothing = 1.0 if row.kind == "ratio" else 0.0
    return bool(row.low > nothing or row.high < nothing)


def assert_p_is_the_inversion(result: AuditResult) -> set[str]:
    kinds = set()
    for row in result.gaps:
        untested = "low_m_eff" in (row.note or "")  # below 20 effective persons: an interval alone
        assert row.p is None or row.low is not None, row
        assert row.p is not None or row.low is None or untested, row
        if row.p is not None:
            assert (row.p < 0.05) == _excluded(row), row
            assert 0 <= row.p <= 1
            assert row.low <= row.low_90 <= row.high_90 <= row.high, row
            inside = row.low - 1e-9 <= row.value <= row.high + 1e-9
            assert inside or row.kind == "worst_minus_best", row
            kinds.add(row.kind)
    return kinds


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n_persons=st.integers(12, 90),
    n_boot=st.sampled_from([0, 39, 60, 99]),
    shift=st.floats(0, 4),
)
def test_p_below_5_percent_exactly_where_the_interval_excludes_no_gap_age(
    seed: int, n_persons: int, n_boot: int, shift: float
) -> None:
    table = age_table(seed, n_persons)
    table["age_pred"] += np.where(table["gender"] == "f", shift, 0.0)
    by = ["gender", "race", "age"] if seed % 3 == 0 else ["gender"]
    result = audit(table, task="age", by=by, n_boot=n_boot, min_n=2, seed=seed)
    assert_p_is_the_inversion(result)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n_persons=st.integers(12, 120),
    n_boot=st.sampled_from([0, 39, 60]),
)
def test_p_below_5_percent_exactly_where_the_interval_excludes_no_gap_expression(
    seed: int, n_persons: int, n_boot: int
) -> None:
    table = expression_table(seed, n_persons)
    by = ["race"] if seed % 3 == 0 else ["gender"]
    result = audit(table, task="expression", by=by, n_boot=n_boot, min_n=2, seed=seed)
    assert_p_is_the_inversion(result)


def test_p_and_interval_agree_for_every_kind_of_gap(
    age_result: AuditResult, expression_result: AuditResult
) -> None:
    for result in (age_result, expression_result):
        for row in result.gaps:
            if row.p is not None and row.low is not None:
                assert (row.p < 0.05) == _excluded(row), row
    found = {row.kind for row in age_result.gaps if row.p is not None}
    ranges = {"worst_minus_best", "max_minus_min"}
    adjusted = {"standardised_difference", "kitagawa_mix", "kitagawa_rate", "adjusted_difference"}
    assert found == {"difference", "ratio", "vs_rest", *ranges, *adjusted}


@pytest.mark.parametrize("n", [39, 40, 59, 79, 99, 199, 200, 999, 1000, 1999])
def test_percentile_interval_and_its_p_at_the_boundary(n: int) -> None:
    """With one more sample on the wrong side of 0 the interval holds 0 and p is not below 0.05."""
    for wrong in range(int(0.025 * (n + 1)) + 3):
        samples = np.concatenate([np.full(wrong, -1.0), np.full(n - wrong, 1.0)])
        low, high = order_interval(samples, 0.95)
        if not np.isnan(low):
            assert (order_p(samples) < 0.05) == (low > 0 or high < 0), wrong
            mirrored = order_interval(-samples, 0.95)
            assert (low, high) == (-mirrored[1], -mirrored[0])


@given(
    k=st.integers(0, 60),
    extra=st.integers(0, 60),
    level=st.sampled_from([0.9, 0.95, 0.99]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_wilson_equals_statsmodels(k: int, extra: int, level: float) -> None:
    n = k + extra + 1
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    z = np.array([stats.norm.isf((1 - level) / 2)])
    found = wilson(np.array([k / n]), np.array([float(n)]), z)
    assert found[0][0] == pytest.approx(max(low, 0.0), abs=1e-12)
    assert found[1][0] == pytest.approx(min(high, 1.0), abs=1e-12)


def _one_photo(seed: int, n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.where(np.arange(n) < 0.4 * n, "x", "y")
    age = rng.uniform(5, 80, n)
    error = rng.normal(np.where(group == "x", 1.0, 0.0), np.where(group == "x", 3.0, 5.0))
    ids = [f"s{i}" for i in range(n)]
    return pd.DataFrame({"sample_id": ids, "age": age, "age_pred": age + error, "g": group})


def test_mean_and_difference_equal_students_and_welchs_t() -> None:
    """One photo per person and no weights: the textbook intervals, exactly."""
    table = _one_photo(0)
    result = audit(table, task="age", by=["g"], n_boot=0, min_n=2)
    error = table["age_pred"] - table["age"]
    x, y = error[table["g"] == "x"], error[table["g"] == "y"]
    for group, part in (({}, error), ({"g": "x"}, x), ({"g": "y"}, y)):
        row = metric(result, "bias", group)
        low, high = stats.t.interval(0.95, len(part) - 1, part.mean(), stats.sem(part))
        assert (row.low, row.high) == pytest.approx((low, high), rel=1e-9)
        low, high = stats.t.interval(0.90, len(part) - 1, part.mean(), stats.sem(part))
        assert (row.low_90, row.high_90) == pytest.approx((low, high), rel=1e-9)
    welch = stats.ttest_ind(x, y, equal_var=False)
    limits = welch.confidence_interval(0.95)
    row = gap(result, metric="bias", kind="difference")
    assert (row.low, row.high, row.p) == pytest.approx(
        (limits.low, limits.high, welch.pvalue), rel=1e-9
    )
    widest = gap(result, metric="bias", kind="max_minus_min")
    assert widest.high == pytest.approx(max(abs(limits.low), abs(limits.high)), rel=1e-9)


def test_wilson_with_t_of_independent_faces() -> None:
    """deff = m / (m - 1) from the cluster variance, hence n_eff = m - 1, and t(m - 1)."""
    table = _one_photo(1, 200)
    result = audit(table, task="age", by=["g"], n_boot=0)
    row = metric(result, "cs3", {"g": "x"})
    m, p = row.n_subjects, row.value
    assert m == 80
    assert 5 <= p * m <= m - 5  # else the rule for rare outcomes
    low, high = wilson(np.array([p]), np.array([m - 1.0]), stats.t.isf([0.025], m - 1))
    assert (row.low, row.high) == pytest.approx((low[0], high[0]), rel=1e-9)


def test_interval_of_a_mean_of_shares_is_made_on_the_logit_scale() -> None:
    """0.9 +- t 0.03 with 19 degrees of freedom: odds 9 times exp(-+ t 0.03 / 0.09)."""
    value = np.array([0.9, 0.5, 0.0, 1.0, 1 - 1e-12])
    var = np.array([0.0009, 0.0, 0.0, 0.0, 1e-4])
    df, n = np.full(5, 19.0), np.full(5, 20.0)
    low, high = limits("logit_t", Estimates(value, var, df, n, np.zeros(5, bool), n, n), 0.95)
    odds = 9 * np.exp(np.array([-1, 1]) * stats.t.ppf(0.975, 19) / 3)
    assert (low[0], high[0]) == pytest.approx(tuple(odds / (1 + odds)), rel=1e-12)
    assert np.isnan(low[1:4]).all()  # no variance: no interval
    assert np.isnan(high[1:4]).all()
    assert 0 <= low[4] <= value[4] <= high[4] <= 1


def test_score_interval_of_two_proportions_near_statsmodels() -> None:
    """Miettinen and Nurminen with normal quantiles; ours has t and m - 1, so within 2 %."""
    table = _one_photo(2, 1000)
    result = audit(table, task="age", by=["g"], n_boot=0)
    row = gap(result, metric="cs3", kind="difference")
    hit = (table["age_pred"] - table["age"]).abs() <= 3
    x, y = hit[table["g"] == "x"], hit[table["g"] == "y"]
    low, high = confint_proportions_2indep(
        x.sum(), len(x), y.sum(), len(y), compare="diff", method="score", correction=False
    )
    width = high - low
    assert row.low == pytest.approx(low, abs=0.02 * width)
    assert row.high == pytest.approx(high, abs=0.02 * width)


def test_intervals_stay_in_their_range(
    age_result: AuditResult, expression_result: AuditResult
) -> None:
    shares = {"share"}
    for result in (age_result, expression_result):
        for row in result.metrics:
            if row.low is None:
                continue
            assert row.low <= row.low_90 <= row.value <= row.high_90 <= row.high, row
            if result.spec.metrics[row.metric].unit in shares:
                assert 0 <= row.low <= row.high <= 1
            if row.metric in {"mae", "rmse", "nll", "brier", "median_ae"}:
                assert row.low >= 0
        for row in gaps(result, kind="worst_minus_best"):
            assert row.value is None or row.value >= 0
            assert row.low is None or row.low >= 0

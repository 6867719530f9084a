"""Aggregate rows of an audit: values, what noise alone would show, and what is undefined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit
from audit.metrics.spread import gei_between, gini, sd_between
from audit.null_world import null_draws
from audit.rows import AggregateGap
from tests.audit.frames import age_table, expression_table, gap, gaps, metric

KINDS = ("sd_between", "tau2", "gini", "garbe", "fdr", "inequity", "gei_between")


def spreads(result: AuditResult, **wanted) -> dict[str, AggregateGap]:
    return {row.kind: row for row in gaps(result, **wanted) if row.kind in KINDS}


def test_values_are_those_of_the_metric_rows(age_result: AuditResult) -> None:
    groups = [{"race": race} for race in ("Black", "Indian", "NA", "White")]
    rows = [metric(age_result, "mae", group) for group in groups]
    assert all(row.n_subjects >= 10 for row in rows)
    m = np.array([row.value for row in rows])
    found = spreads(age_result, metric="mae", attributes=["race"])
    assert set(found) == {"sd_between", "tau2", "gini", "gei_between"}
    assert found["sd_between"].value == pytest.approx(sd_between(m), rel=1e-12)
    assert found["gini"].value == pytest.approx(gini(m), rel=1e-12)
    assert found["tau2"].value is not None
    assert found["tau2"].value < found["sd_between"].value ** 2
    assert found["tau2"].null_expected == 0
    assert all(row.low is None and row.note for row in found.values())


def test_entropy_between_and_within_on_plain_faces() -> None:
    table = age_table(4, weights=False, failures=False, unknown=False)
    result = audit(table, task="age", by=["gender"], n_boot=0, min_n=2)
    error = (table["age_pred"] - table["age"]).abs()
    by = error.groupby(table["gender"])
    row = spreads(result, metric="mae", attributes=["gender"])["gei_between"]
    expected = float(gei_between(by.mean().to_numpy(), by.size().to_numpy(dtype=float)))
    total = ((error / error.mean()) ** 2).mean() / 2 - 0.5
    assert row.value == pytest.approx(expected, rel=1e-10)
    assert row.within == pytest.approx(total - expected, rel=1e-10)


def test_shares_are_read_as_errors(expression_result: AuditResult) -> None:
    races = ("Black", "Indian", "NA", "White")
    m = [metric(expression_result, "accuracy", {"race": race}).value for race in races]
    row = gap(expression_result, metric="accuracy", attributes=["race"], kind="gini")
    assert row.value == pytest.approx(gini(1 - np.array(m)), rel=1e-12)
    assert "of_errors" in row.note


def test_race_error_of_real_predictions(heritage_result: AuditResult) -> None:
    row = gap(heritage_result, metric="accuracy", attributes=["race"], kind="gini")
    assert row.value == pytest.approx(0.0682347931, abs=5e-11)


def test_one_vs_rest_of_plain_counts() -> None:
    table = expression_table(3, 400, weights=False, failures=False, unknown=False)
    result = audit(table, task="expression", by=["gender"], n_boot=0, min_n=10)
    rates = {}
    for name, part in table.groupby("gender"):
        true, given = part["expression"] == "happy", part["expression_pred"] == "happy"
        rates[name] = (given[~true].mean(), (~given[true]).mean())
    (fp_f, fn_f), (fp_m, fn_m) = rates["f"], rates["m"]
    found = spreads(result, metric="one_vs_rest", class_="happy", attributes=["gender"])
    assert found["fdr"].value == pytest.approx(1 - abs(fp_f - fp_m) / 2 - abs(fn_f - fn_m) / 2)
    ratio = max(fp_f, fp_m) / min(fp_f, fp_m) * max(fn_f, fn_m) / min(fn_f, fn_m)
    assert found["inequity"].value == pytest.approx(np.sqrt(ratio))
    assert found["fdr"].null_expected < 1 < found["inequity"].null_expected


def test_few_groups_and_small_ones_have_a_reason() -> None:
    table = age_table(5, n_persons=80, unknown=False)
    result = audit(table, task="age", by=["race", "gender,race"], n_boot=0, min_n=15)
    sizes = table.groupby("race")["subject_id"].nunique()
    assert 0 < (sizes < 15).sum() < 3
    row = gap(result, metric="mae", attributes=["race"], kind="gini")
    assert f"below_min_n: {(sizes < 15).sum()} groups left out" in row.note
    one = audit(table, task="age", by=["race"], n_boot=0, min_n=59)
    for row in spreads(one, metric="mae").values():
        assert (row.value, row.null_expected, row.note) == (None, None, "below_min_n")
    alone = audit(table.assign(race="x"), task="age", by=["race"], n_boot=0)
    for row in spreads(alone, metric="mae").values():
        assert (row.value, row.note) == (None, "single_group")


def test_no_error_anywhere_has_no_gini() -> None:
    table = age_table(6, failures=False, unknown=False)
    result = audit(table, task="age", by=["gender"], n_boot=0)
    for kind in ("gini", "gei_between"):
        row = gap(result, metric="failure_rate", attributes=["gender"], kind=kind)
        assert (row.value, row.null_expected, row.note) == (None, None, "zero_denominator")
    assert gap(result, metric="failure_rate", attributes=["gender"], kind="sd_between").value == 0


def test_by_age_a_correlation_has_no_spread() -> None:
    result = audit(age_table(7), task="age", by=["age"], n_boot=0, min_n=5)
    for row in spreads(result, metric="pearson").values():
        assert (row.value, row.note) == (None, "range_restricted")


def test_quantiles_need_replicates() -> None:
    table = age_table(8)
    bare = audit(table, task="age", by=["gender"], n_boot=0)
    row = gap(bare, metric="p90_ae", attributes=["gender"], kind="tau2")
    assert (row.value, row.note) == (None, "too_few_replicates")
    row = gap(bare, metric="p90_ae", attributes=["gender"], kind="gini")
    assert row.value is not None
    assert (row.null_expected, row.note) == (None, "too_few_replicates")
    full = audit(table, task="age", by=["gender"], n_boot=60)
    assert gap(full, metric="p90_ae", attributes=["gender"], kind="tau2").value is not None


def test_null_draws_have_the_covariance_that_was_asked_for() -> None:
    cov = np.array([[0.5, 0.3, 0.0], [0.3, 0.7, -0.1], [0.0, -0.1, 0.2]])
    drawn = null_draws(np.full(3, 8.0), cov, np.ones(3), 1, positive=True)
    assert np.allclose(np.cov(drawn.T), cov, atol=0.04)
    rare = null_draws(np.full(2, 0.01), np.diag([1e-4, 4e-4]), np.ones(2), 1, positive=True)
    assert (rare >= 0).all()
    assert np.allclose(rare.mean(axis=0), 0.01, rtol=0.1)
    assert np.allclose(rare.var(axis=0), [1e-4, 4e-4], rtol=0.2)


def test_null_draws_do_not_know_the_order_of_groups() -> None:
    var, weights = np.array([0.1, 0.4, 0.2]), np.array([5.0, 6.0, 7.0])
    turn = np.array([2, 0, 1])
    a = null_draws(np.full(3, 5.0), np.diag(var), weights, 3, positive=False)
    b = null_draws(np.full(3, 5.0), np.diag(var[turn]), weights[turn], 3, positive=False)
    assert np.array_equal(a[:, turn], b)


def test_a_planted_difference_stands_out() -> None:
    table = age_table(9, 600, weights=False, failures=False, unknown=False)
    table["age_pred"] += np.where(table["race"] == "White", 8.0, 0.0)
    result = audit(pd.DataFrame(table), task="age", by=["race"], n_boot=0)
    for kind in ("sd_between", "gini", "gei_between"):
        row = gap(result, metric="mae", attributes=["race"], kind=kind)
        assert row.value > 3 * row.null_expected
    assert gap(result, metric="mae", attributes=["race"], kind="tau2").value > 1

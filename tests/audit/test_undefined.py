"""No data means null and a reason, never 0: one test per case, with what sklearn would say."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pandas as pd
import pytest
from sklearn import metrics as sk

from audit import AuditResult, audit
from tests.audit.frames import gaps, interval_table, metric


def ages(**columns: list[Any]) -> AuditResult:
    return audit(pd.DataFrame(columns), task="age", by=["g"], n_boot=50)


def faces(**columns: list[Any]) -> AuditResult:
    return audit(pd.DataFrame(columns), task="expression", by=["g"], n_boot=50)


def quietly(score: Any, *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return score(*args, **options)


def test_one_class_has_no_mcc_and_no_kappa() -> None:
    # all true and all predicted "a": chance agreement is 1, nothing is left to explain
    result = faces(expression=list("aaab"), expression_pred=list("aaab"), g=list("xxxy"))
    assert quietly(sk.matthews_corrcoef, [0, 0, 0], [0, 0, 0]) == 0.0
    assert math.isnan(quietly(sk.cohen_kappa_score, [0, 0, 0], [0, 0, 0]))
    for name in ("mcc", "cohen_kappa"):
        row = metric(result, name, {"g": "x"})
        assert (row.value, row.note, row.low, row.high) == (None, "one_value", None, None)


def test_constant_prediction_has_no_mcc_but_a_kappa_of_zero() -> None:
    # one predicted class: the denominator of MCC is 0; kappa = (2/4 - 2/4) / (1 - 2/4) = 0
    result = faces(expression=list("aabb"), expression_pred=list("aaaa"), g=list("xxxx"))
    assert quietly(sk.matthews_corrcoef, [0, 0, 1, 1], [0, 0, 0, 0]) == 0.0
    assert metric(result, "mcc").value is None
    assert metric(result, "mcc").note == "one_value"
    assert metric(result, "cohen_kappa").value == 0.0


def test_precision_of_a_class_that_is_never_predicted() -> None:
    result = faces(expression=list("aabb"), expression_pred=list("aaaa"), g=list("xxyy"))
    assert quietly(sk.precision_score, [0, 0, 1, 1], [0, 0, 0, 0]) == 0.0
    row = metric(result, "precision", class_="b")
    assert (row.value, row.note, row.n) == (None, "never_predicted", 0)
    assert metric(result, "recall", class_="b").value == 0.0


def test_recall_of_a_class_that_is_absent_in_a_group() -> None:
    result = faces(expression=list("aabb"), expression_pred=list("abab"), g=list("xxyy"))
    assert quietly(sk.recall_score, [0, 0], [0, 1], pos_label=1) == 0.0
    row = metric(result, "recall", {"g": "x"}, class_="b")
    assert (row.value, row.note, row.n) == (None, "class_absent", 0)


def test_macro_f1_leaves_out_absent_classes_and_says_so() -> None:
    # group x: true a, a; predicted a, b. F1 of a = 2 / (2 + 0 + 1) = 2/3. sklearn also averages
    # the F1 of b, which never occurs as truth: (2/3 + 0) / 2 = 1/3.
    result = faces(expression=list("aabb"), expression_pred=list("abab"), g=list("xxyy"))
    assert quietly(sk.f1_score, [0, 0], [0, 1], average="macro") == pytest.approx(1 / 3)
    row = metric(result, "macro_f1", {"g": "x"})
    assert row.value == pytest.approx(2 / 3)
    assert "classes_excluded: b" in str(row.note)
    row = metric(result, "balanced_accuracy", {"g": "x"})
    assert row.value == pytest.approx(1 / 2)
    assert "classes_excluded: b" in str(row.note)


def test_groups_without_a_common_class_have_no_gap_in_class_means() -> None:
    result = faces(expression=list("aabb"), expression_pred=list("abab"), g=list("xxyy"))
    for name in ("macro_f1", "balanced_accuracy", "standardised_accuracy"):
        rows = gaps(result, metric=name, kind="difference")
        assert [row.value for row in rows] in ([], [None])


def test_predicted_without_probabilities() -> None:
    result = faces(expression=list("ab"), expression_pred=list("ab"), g=list("xy"))
    for name in ("nll", "brier", "ece", "classwise_ece", "mce"):
        assert metric(result, name).note == "no_probabilities"
        assert metric(result, name).value is None


def test_group_without_a_processed_face() -> None:
    result = ages(age=[20, 30, 40, 50], age_pred=[21, 31, None, None], g=list("xxyy"))
    for name in ("mae", "bias", "rmse", "sd_error", "median_ae", "cs5", "within_band_accuracy"):
        row = metric(result, name, {"g": "y"})
        assert (row.value, row.note, row.n, row.n_failed) == (None, "empty_group", 0, 2), name
    assert metric(result, "failure_rate", {"g": "y"}).value == 1.0
    assert metric(result, "cs5_all", {"g": "y"}).value == 0.0  # both failures count as wrong
    assert metric(result, "cs5_all", {"g": "y"}).n == 2


def test_group_without_any_truth() -> None:
    result = ages(age=[20, 30, None, None], age_pred=[21, 31, 3, 4], g=list("xxyy"))
    for name in ("mae", "failure_rate"):
        row = metric(result, name, {"g": "y"})
        assert (row.value, row.n, row.n_failed, row.n_unlabelled) == (None, 0, 0, 2)
        assert row.note == "empty_group"


def test_group_of_one_face() -> None:
    result = ages(age=[20, 30, 40, 50], age_pred=[21, 32, 43, 49], g=list("xyyy"))
    one = {"g": "x"}
    assert metric(result, "mae", one).value == 1.0
    assert metric(result, "mae", one).note == "one_subject"
    assert metric(result, "mae", one).low is None
    assert metric(result, "cs1", one).value == 1.0
    assert metric(result, "cs1", one).low is None
    # one error has no standard deviation, and two points make any line
    for name in ("sd_error", "pearson", "slope"):
        assert (metric(result, name, one).value, metric(result, name, one).note) == (
            None,
            "one_value",
        )


def test_several_photos_of_one_person_have_no_interval() -> None:
    result = ages(
        age=[20, 30, 40, 50, 60, 61],
        age_pred=[21, 33, 42, 49, 66, 60],
        g=list("xxxyyy"),
        subject_id=["p", "p", "p", "q", "r", "s"],
    )
    for name in ("mae", "bias", "cs5", "median_ae", "failure_rate"):
        row = metric(result, name, {"g": "x"})
        assert row.value is not None
        assert (row.low, row.high, row.note) == (None, None, "one_subject"), name
        assert row.n_subjects == 1


def test_constant_true_age_has_no_correlation() -> None:
    # 23.7 is no binary fraction: raw sums of squares would leave a variance of about 1e-13
    result = ages(
        age=[23.7] * 6 + [20, 30, 40],
        age_pred=[20, 21, 25, 26, 24, 30, 21, 33, 39],
        g=list("xxxxxxyyy"),
    )
    for name in ("pearson", "slope"):
        row = metric(result, name, {"g": "x"})
        assert (row.value, row.note) == (None, "one_value")
        assert metric(result, name, {"g": "y"}).value is not None
    assert metric(result, "mae", {"g": "x"}).value == pytest.approx(
        (3.7 + 2.7 + 1.3 + 2.3 + 0.3 + 6.3) / 6
    )


def test_constant_prediction_has_no_correlation_but_a_slope_of_minus_one() -> None:
    result = ages(age=[20, 30, 40, 55], age_pred=[33.3] * 4, g=list("xxxx"))
    assert metric(result, "pearson").note == "one_value"
    assert metric(result, "slope").value == pytest.approx(-1.0, abs=1e-12)


EXACT = ["mae", "bias", "rmse", "sd_error", "median_ae", "p90_ae", "cs1", "cs5", "cs10_all"]


@pytest.mark.parametrize("name", [*EXACT, "pearson", "slope"])
@pytest.mark.parametrize("predicted", [False, True])
def test_interval_truth_has_no_exact_error(name: str, predicted: bool) -> None:
    result = audit(interval_table(0, predicted=predicted), task="age", by=["gender"], n_boot=0)
    for group in ({}, {"gender": "f"}):
        row = metric(result, name, group)
        assert (row.value, row.low, row.note) == (None, None, "interval_truth")
    assert not gaps(result, metric=name)


def test_predicted_bands_with_exact_truth() -> None:
    result = ages(age=[20, 34, 41], age_pred=["20-29", "40-49", "40-49"], g=list("xxx"))
    assert metric(result, "mae").note == "predicted_bands"
    assert metric(result, "within_band_accuracy").value == pytest.approx(2 / 3)
    # 34 lies in 30-39 = [30, 40); the band 40-49 starts where it ends
    assert metric(result, "band_distance").value == 0.0


def test_open_top_band_has_no_largest_distance() -> None:
    result = ages(age=["60-69", "70+", "60-69"], age_pred=[65, 75, 50], g=list("xyx"))
    for group in ({}, {"g": "y"}):
        row = metric(result, "band_distance_max", group)
        assert (row.value, row.note) == (None, "open_band")
    # x: 65 in [60, 70) is at most 5 away; 50 is at most 20 away
    assert metric(result, "band_distance_max", {"g": "x"}).value == pytest.approx(12.5)
    assert metric(result, "band_distance").value == pytest.approx(10 / 3)


def test_overlapping_bands_have_no_neighbours() -> None:
    result = ages(age=["20-29", "25-34", "30-39"], age_pred=[25, 30, 31], g=list("xxx"))
    assert metric(result, "one_off_accuracy").note == "overlapping_bands"
    assert metric(result, "within_band_accuracy").value == 1.0


def test_no_variation_between_persons_has_no_t_interval() -> None:
    result = ages(age=[20, 30, 40, 50], age_pred=[22, 32, 42, 52], g=list("xxyy"))
    row = metric(result, "bias")
    assert (row.value, row.low, row.high, row.note) == (2.0, None, None, "zero_variance")
    gap = gaps(result, metric="bias", kind="difference")[0]
    assert (gap.value, gap.low, gap.p) == (0.0, None, None)
    assert "zero_variance" in gap.note


def test_ratio_without_a_natural_zero_is_not_made() -> None:
    result = ages(age=[20, 30, 40, 50], age_pred=[22, 31, 42, 55], g=list("xxyy"))
    assert {row.metric for row in gaps(result, kind="ratio")}.isdisjoint(
        {"bias", "slope", "pearson", "cohen_kappa", "mcc"}
    )


def test_ratio_to_zero_is_null() -> None:
    # nobody in y fails: failure rate 1/3 over 0
    result = ages(
        age=[20, 30, 40, 50, 60, 70], age_pred=[22, 31, None, 55, 61, 71], g=list("xxxyyy")
    )
    row = next(r for r in gaps(result, kind="ratio", metric="failure_rate"))
    assert (row.value, row.low, row.high) == (None, None, None)
    assert "denominator_near_zero" in row.note


def test_single_group_has_no_gap() -> None:
    result = ages(age=[20, 30, 40], age_pred=[22, 31, 42], g=list("xxx"))
    rows = gaps(result, metric="mae")
    assert [row.kind for row in rows[:2]] == ["worst_minus_best", "sd_between"]
    assert {(row.value, row.note) for row in rows} == {(None, "single_group")}


def test_every_null_has_a_reason(age_result: AuditResult, expression_result: AuditResult) -> None:
    for result in (age_result, expression_result):
        assert all(row.note for row in result.metrics if row.value is None)
        assert all(row.note for row in result.metrics if row.low is None)
        assert all(row.note for row in result.gaps if row.value is None or row.low is None)
        assert all((row.low is None) == (row.high is None) for row in result.metrics)
        assert all((row.low is None) == (row.method is None) for row in result.metrics)

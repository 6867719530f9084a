"""Calibration on hand-sized data and beside other libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import multiclass_calibration_error

from audit import AuditResult, Predictions, audit
from audit.metrics.binning import bin_index, mass_edges, mass_index
from audit.metrics.calibration import calibration_metrics
from audit.metrics.isotonic import brier_parts, cumulative_differences, ordered
from tests.audit.frames import expression_table, metric

MIXED_C = np.array([0.35, 0.45, 0.55, 0.62, 0.68, 0.75, 0.85, 0.92, 0.97, 1.0])


MIXED_H = np.array([1, 0, 1, 0, 1, 1, 1, 0, 1, 1])


def _sums(c: np.ndarray, h: np.ndarray, n_bins: int) -> dict[str, np.ndarray]:
    at, mass = bin_index(c, n_bins), mass_index(c, mass_edges(c, np.ones(len(c)), n_bins))
    return {
        "w": np.array(float(len(c))),
        "bin_n": np.bincount(at, minlength=n_bins).astype(float),
        "bin_w": np.bincount(at, minlength=n_bins).astype(float),
        "bin_conf": np.bincount(at, c, n_bins),
        "bin_hit": np.bincount(at, h, n_bins),
        "mass_gap": np.bincount(mass, c - h, n_bins),
    }


def _error(name: str, c: np.ndarray, h: np.ndarray, n_bins: int) -> float:
    found = {m.name: m.formula for m in calibration_metrics(2, n_bins)}
    return float(found[name](_sums(c, h, n_bins)))


@pytest.mark.parametrize(
    ("n_bins", "ece", "mce"), [(5, 0.144, 0.65), (10, 0.314, 0.65), (15, 0.384, 0.92)]
)
def test_mixed_sign_calibration(n_bins: int, ece: float, mce: float) -> None:
    assert _error("ece", MIXED_C, MIXED_H, n_bins) == pytest.approx(ece, abs=1e-12)
    assert _error("mce", MIXED_C, MIXED_H, n_bins) == pytest.approx(mce, abs=1e-12)


def test_mixed_sign_calibration_in_five_equal_count_bins() -> None:
    # gaps of the pairs: (.80 - 1), (1.17 - 1), (1.43 - 2), (1.77 - 1), (1.97 - 2); sum 1.74
    assert _error("ece_equal_mass", MIXED_C, MIXED_H, 5) == pytest.approx(0.174, abs=1e-12)


def test_average_and_l2_errors_by_hand() -> None:
    # five bins of 0.2: {.35}, {.45, .55}, {.62, .68, .75}, {.85, .92, .97, 1}, none below 0.2
    gaps = np.array([0.65, 0.0, 0.05 / 3, 0.74 / 4])
    size = np.array([1, 2, 3, 4])
    assert _error("average_ce", MIXED_C, MIXED_H, 5) == pytest.approx(gaps.mean(), abs=1e-12)
    l2 = np.sqrt((size * gaps**2).sum() / 10)
    assert _error("l2_ce", MIXED_C, MIXED_H, 5) == pytest.approx(l2, abs=1e-12)


def _mixed() -> AuditResult:
    """Three classes, the predicted one with confidence c, the two others share the rest."""
    rest = (1 - MIXED_C) / 2
    table = pd.DataFrame(
        {
            "expression": np.where(MIXED_H == 1, "a", "b"),
            "expression_pred": "a",
            "prob_a": MIXED_C,
            "prob_b": rest,
            "prob_c": rest,
        }
    )
    return audit(table, task="expression", by=[], n_boot=0)


def test_mixed_sign_calibration_through_the_audit() -> None:
    result = _mixed()
    assert metric(result, "ece").value == pytest.approx(0.384, abs=1e-12)
    assert metric(result, "mce").value == pytest.approx(0.92, abs=1e-12)
    assert metric(result, "mce").n == 1  # the one face with confidence 0.92 that was wrong
    # 7.14 - 7 = 0.14 over 10 faces
    assert metric(result, "confidence_bias").value == pytest.approx(0.014, abs=1e-12)
    z = metric(result, "spiegelhalter_z")
    assert z.value == pytest.approx(1.2955844157516452, abs=1e-12)
    assert z.note == "test_statistic"
    assert metric(result, "ecce_mad").value == pytest.approx(0.075, abs=1e-12)
    assert metric(result, "ecce_range").value == pytest.approx(0.092, abs=1e-12)


def test_brier_parts_by_hand() -> None:
    """Brier 0.22466 of the mixed-sign set; isotonic steps 1/2, 2/3 (twice), 3/4, 1 pooled."""
    o = ordered(MIXED_C, np.zeros(10, dtype=np.int64), 1, np.ones(10))
    hits = o.hits(MIXED_H == 1)
    miscalibration, discrimination, uncertainty = brier_parts(o, hits)
    # pool adjacent violators of 1,0,1,0,1,1,1,0,1,1: (1,0,1,0) -> 1/2, (1,1,1,0) -> 3/4, (1,1) -> 1
    fitted = (4 * 0.25 + 4 * 3 / 16) / 10
    assert uncertainty[0] == pytest.approx(0.21, abs=1e-12)
    assert miscalibration[0] == pytest.approx(0.22466 - fitted, abs=1e-12)
    assert discrimination[0] == pytest.approx(0.21 - fitted, abs=1e-12)
    largest, span = cumulative_differences(o, hits)
    assert (largest[0], span[0]) == pytest.approx((0.075, 0.092), abs=1e-12)


def test_confidence_of_exactly_1_is_in_the_last_bin() -> None:
    """0.95 right and 1.0 wrong: one bin, confidence 0.975, accuracy 1/2 (torchmetrics#3510)."""
    c, h = np.array([0.95, 1.0]), np.array([1, 0])
    assert _error("ece", c, h, 10) == pytest.approx(0.475, abs=1e-12)


@pytest.mark.parametrize("kind", ["l1", "l2", "max"])
def test_equal_width_errors_equal_torchmetrics(heritage: Predictions, kind: str) -> None:
    """It computes in single precision; no confidence of these faces is exactly 1."""
    result = audit(heritage, by=[], n_boot=0)
    theirs = multiclass_calibration_error(
        torch.tensor(heritage.probabilities.proba),
        torch.tensor(heritage.y_true),
        num_classes=7,
        n_bins=15,
        norm=kind,
    )
    name = {"l1": "ece", "l2": "l2_ce", "max": "mce"}[kind]
    assert metric(result, name).value == pytest.approx(float(theirs), abs=1e-6)


def test_reliability_curve_equals_sklearn(heritage: Predictions) -> None:
    result = audit(heritage, by=[], n_boot=0)
    proba = heritage.probabilities.proba
    hit = proba.argmax(axis=1) == heritage.y_true
    y, x = calibration_curve(hit, proba.max(axis=1), n_bins=15)
    rows = [row for row in result.curves if row.name == "reliability"]
    assert [row.x for row in rows] == pytest.approx(x, abs=1e-12)
    assert [row.y for row in rows] == pytest.approx(y, abs=1e-12)


@pytest.mark.parametrize("n_bins", [5, 10, 15, 20])
def test_bin_edges_belong_to_the_upper_bin(n_bins: int) -> None:
    edges = np.array([j / n_bins for j in range(n_bins + 1)])
    expected = [*range(n_bins), n_bins - 1]  # the last bin is closed
    assert bin_index(edges, n_bins).tolist() == expected
    below = np.nextafter(edges[1:-1], 0)
    assert bin_index(below, n_bins).tolist() == list(range(n_bins - 1))


def test_equal_mass_bins_never_part_equal_confidences() -> None:
    c = np.array([0.5] * 6 + [0.9] * 2 + [0.7] * 2)
    edges = mass_edges(c, np.ones(10), 5)
    # below 0.5: 0, below 0.7: 6/10, below 0.9: 8/10 of the weight
    assert edges.tolist() == [0.7, 0.7, 0.7, 0.9]
    assert mass_index(np.array([0.5, 0.7, 0.9]), edges).tolist() == [0, 3, 4]
    weight = np.array([3.0] * 10)
    assert mass_edges(c, weight, 5).tolist() == edges.tolist()
    order = np.random.default_rng(0).permutation(10)
    assert mass_edges(c[order], np.ones(10), 5).tolist() == edges.tolist()


def _scored(certain: bool, right: list[bool]) -> AuditResult:
    top = 1.0 if certain else 0.9
    truth = np.where(right, "a", "b")
    frame = {"expression": truth, "prob_a": top, "prob_b": 1 - top, "g": list("xy") * 4}
    return audit(pd.DataFrame(frame), task="expression", by=["g"], n_boot=0, min_n=2)


def test_probabilities_of_0_and_1_are_audited() -> None:
    result = _scored(certain=True, right=[True] * 6 + [False] * 2)
    assert metric(result, "ece").value == pytest.approx(0.25)
    assert metric(result, "ece_equal_mass").value == pytest.approx(0.25)
    assert metric(result, "confidence_bias").value == pytest.approx(0.25)
    z = metric(result, "spiegelhalter_z")
    assert (z.value, z.note) == (None, "certain")
    # the isotonic fit knows one score only, so it gives the share that is right
    assert metric(result, "brier_discrimination").value == pytest.approx(0.0, abs=1e-12)
    assert metric(result, "brier_miscalibration").null_expected == 0.0


def test_certain_and_always_right_has_no_interval() -> None:
    result = _scored(certain=True, right=[True] * 8)
    row = metric(result, "confidence_bias")
    assert (row.value, row.low, row.note) == (0.0, None, "zero_variance")
    assert metric(result, "brier_uncertainty").value == 0.0


def test_one_person_has_no_debiased_error() -> None:
    table = expression_table(3, n_persons=30, weights=False)
    table["only"] = np.where(table["subject_id"] == "p000", "one", "rest")
    result = audit(table, task="expression", by=["only"], n_boot=0)
    row = metric(result, "squared_ce", {"only": "one"})
    assert (row.value, row.note) == (None, "empty_half")


def test_brier_is_its_parts_in_every_group(expression_result: AuditResult) -> None:
    groups = [row.group for row in expression_result.metrics if row.metric == "brier"]
    for group in groups:
        score, first, second, third = (
            metric(expression_result, f"brier{part}", group).value
            for part in ("", "_miscalibration", "_discrimination", "_uncertainty")
        )
        if score is None:  # the value is missing for all four
            assert first is second is third is None
        else:
            assert score == pytest.approx(first - second + third, abs=1e-12)

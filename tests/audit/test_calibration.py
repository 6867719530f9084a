"""Calibration bins on hand-sized data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import audit
from audit.metrics.calibration import bin_index, calibration_metrics
from tests.audit.frames import metric

MIXED_C = np.array([0.35, 0.45, 0.55, 0.62, 0.68, 0.75, 0.85, 0.92, 0.97, 1.0])


MIXED_H = np.array([1, 0, 1, 0, 1, 1, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("n_bins", "ece", "mce"), [(5, 0.144, 0.65), (10, 0.314, 0.65), (15, 0.384, 0.92)]
)
def test_mixed_sign_calibration(n_bins: int, ece: float, mce: float) -> None:
    at = bin_index(MIXED_C, n_bins)
    sums = {
        "w": np.array(10.0),
        "bin_w": np.bincount(at, minlength=n_bins).astype(float),
        "bin_conf": np.bincount(at, MIXED_C, n_bins),
        "bin_hit": np.bincount(at, MIXED_H, n_bins),
    }
    found = {m.name: m.formula for m in calibration_metrics(2, n_bins)}
    assert float(found["ece"](sums)) == pytest.approx(ece, abs=1e-12)
    assert float(found["mce"](sums)) == pytest.approx(mce, abs=1e-12)


def test_mixed_sign_calibration_through_the_audit() -> None:
    """Two classes, the predicted one with confidence c; below 1/2 a third class takes the rest."""
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
    result = audit(table, task="expression", by=[], n_boot=0)
    assert metric(result, "ece").value == pytest.approx(0.384, abs=1e-12)
    assert metric(result, "mce").value == pytest.approx(0.92, abs=1e-12)
    assert metric(result, "mce").n == 1  # the one face with confidence 0.92 that was wrong


@pytest.mark.parametrize("n_bins", [5, 10, 15, 20])
def test_bin_edges_belong_to_the_upper_bin(n_bins: int) -> None:
    edges = np.array([j / n_bins for j in range(n_bins + 1)])
    expected = [*range(n_bins), n_bins - 1]  # the last bin is closed
    assert bin_index(edges, n_bins).tolist() == expected
    below = np.nextafter(edges[1:-1], 0)
    assert bin_index(below, n_bins).tolist() == list(range(n_bins - 1))

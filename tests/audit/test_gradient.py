"""The complex-step gradient of every metric against central differences of its own formula."""

from __future__ import annotations

import numpy as np
import pytest

from audit import Predictions, predictions_from_frame
from audit.age_plan import age_plan, plan_features, plan_layout, plan_metrics
from audit.bands import DECADES
from audit.collect import table_bands
from audit.cure import COLUMNS, RAW
from audit.gates import gates_of
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_features, age_layout
from audit.metrics.core import Layout, Metric, gradient
from audit.metrics.expression import expression_features, expression_layout, expression_metrics
from tests.audit.frames import CLASSES, age_table, cured_table, distribution_table

AGE = [m for m in age_metrics() if m.quantile is None]
EXTRAS = (*COLUMNS, RAW)
EXPRESSION = list(expression_metrics(CLASSES, EXTRAS))
SMOOTH = [m for m in EXPRESSION if m.interval != "none"]  # the others have no interval
FROM_SUMS = [m for m in (*AGE, *EXPRESSION) if not m.rowwise]


def _totals(table: Predictions) -> np.ndarray:
    weight = np.ones(len(table)) if table.weight is None else table.weight
    if table.task == "age":
        return age_features(table, table_bands([table], DECADES), weight).sum(axis=0)
    return np.asarray(expression_features(table, weight).sum(axis=0)).ravel()


AGE_TOTALS = _totals(predictions_from_frame(age_table(3), task="age"))
DISTRIBUTED = predictions_from_frame(distribution_table(3), task="age")
PLAN = age_plan([DISTRIBUTED], table_bands([DISTRIBUTED], DECADES), gates_of(["40", "40:45"]))
MORE = [m for m in plan_metrics(PLAN) if m.quantile is None and m not in AGE]
MORE_TOTALS = plan_features(DISTRIBUTED, PLAN, np.ones(len(DISTRIBUTED))).sum(axis=0)
EXPRESSION_TOTALS = _totals(predictions_from_frame(cured_table(3), task="expression"))


def _central(metric: Metric, layout: Layout, totals: np.ndarray, column: int) -> float:
    step = 1e-5 * max(1.0, abs(totals[column]))
    values = []
    for sign in (1, -1):
        moved = totals.copy()
        moved[column] += sign * step
        values.append(float(metric.formula(layout.unpack(moved))))
    return (values[0] - values[1]) / (2 * step)


def _assert_gradient(metric: Metric, layout: Layout, totals: np.ndarray) -> None:
    found = gradient(metric, layout, totals[None])[0]
    used = layout.columns(*(name for name in metric.features if name != "open_n"))  # a switch
    assert np.all(found[np.setdiff1d(np.arange(layout.size), used)] == 0)
    expected = np.array([_central(metric, layout, totals, c) for c in used])
    scale = np.abs(expected).max()
    assert scale > 0
    assert found[used] == pytest.approx(expected, abs=1e-7 * scale, rel=1e-6)


@pytest.mark.parametrize("metric", AGE, ids=lambda m: m.key)
def test_gradient_of_age_metrics(metric: Metric) -> None:
    _assert_gradient(metric, age_layout(), AGE_TOTALS)


@pytest.mark.parametrize("metric", MORE, ids=lambda m: m.key)
def test_gradient_of_distribution_and_gate_metrics(metric: Metric) -> None:
    _assert_gradient(metric, plan_layout(PLAN), MORE_TOTALS)


@pytest.mark.parametrize("metric", SMOOTH, ids=lambda m: m.key)
def test_gradient_of_expression_metrics(metric: Metric) -> None:
    _assert_gradient(metric, expression_layout(len(CLASSES), EXTRAS), EXPRESSION_TOTALS)


@pytest.mark.parametrize("metric", FROM_SUMS, ids=lambda m: m.key)
def test_formula_is_vectorised_and_undefined_without_sums(metric: Metric) -> None:
    age = metric in AGE
    layout = age_layout() if age else expression_layout(len(CLASSES), EXTRAS)
    totals = AGE_TOTALS if age else EXPRESSION_TOTALS
    stacked = np.stack([[totals, 2 * totals, 0 * totals], [totals / 2, totals, totals]])
    found = metric.formula(layout.unpack(stacked))
    assert found.shape == (2, 3)
    single = metric.formula(layout.unpack(totals))
    assert found[0, 0] == found[1, 1] == found[1, 2] == single
    assert np.isnan(found[0, 2])
    # sd_error divides by faces - 1, a z grows with the faces
    if metric.name not in {"sd_error", "spiegelhalter_z", "spiegelhalter_z_raw"}:
        assert found[0, 1] == pytest.approx(single, rel=1e-12)

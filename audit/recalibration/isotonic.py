"""Isotonic recalibration: the rising step function that fits best, by scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from audit.classes import Probabilities
from audit.columns import AgeColumn
from audit.distribution import NormalAges
from audit.errors import InputError
from audit.predictions import Predictions
from audit.recalibration.core import Choice, Fitted, Method, Part, check_varied, exact_ages

FloatArray = npt.NDArray[np.float64]
Steps = dict[str, list[float]]


def _steps(x: FloatArray, y: FloatArray, weight: FloatArray) -> Steps:
    fit = IsotonicRegression(out_of_bounds="clip").fit(x, y, sample_weight=weight)
    return {"x": fit.X_thresholds_.tolist(), "y": fit.y_thresholds_.tolist()}


def _follow(steps: Mapping[str, list[float]], x: FloatArray) -> FloatArray:
    return np.asarray(np.interp(x, steps["x"], steps["y"]))


def _fit_classes(part: Part, choice: Choice) -> Fitted:
    table = part.table
    if table.probabilities is None or table.y_true is None:
        raise InputError(f"{table.place}: no probabilities or logits, so nothing to recalibrate")
    y, proba = table.y_true[part.rows], table.probabilities.proba[part.rows]
    check_varied([table.classes[k] for k in y], "class")
    absent = [
        name
        for k, name in enumerate(table.classes)
        if (table.y_true == k).any() and not (y == k).any()
    ]
    if absent:
        raise InputError(
            f"the calibration part holds no face of class {absent[0]}, which would get probability "
            "0 everywhere; raise --fit-share, try another --seed, or use --method temperature"
        )
    return Fitted(
        {
            name: _steps(proba[:, k], (y == k).astype(np.float64), part.weight)
            for k, name in enumerate(table.classes)
        }
    )


def _apply_classes(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    assert table.probabilities is not None
    assert table.y_pred is not None
    old = table.probabilities.proba
    raised = np.column_stack(
        [_follow(parameters[name], old[:, k]) for k, name in enumerate(table.classes)]
    )
    total = raised.sum(axis=1, keepdims=True)
    proba = np.where(total > 0, raised / np.where(total > 0, total, 1.0), old)
    # a table may predict another class than the most probable one; from here on that is taken
    best = np.nan_to_num(proba, nan=-1.0).argmax(axis=1)
    pred = np.where(table.y_pred >= 0, best, -1)
    return replace(table, probabilities=Probabilities(table.classes, proba), y_pred=pred)


def _fit_ages(part: Part, choice: Choice) -> Fitted:
    y, guess = exact_ages(part, "isotonic")
    check_varied(y.tolist(), "true age")
    check_varied(guess.tolist(), "estimated age")
    return Fitted(_steps(guess, y, part.weight), shift_remarks(part.table))


def _apply_ages(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    assert table.estimate is not None
    return moved(table, _follow(parameters, table.estimate.low))


def moved(table: Predictions, ages: FloatArray, stretch: float = 1.0) -> Predictions:
    """The table with other estimates; a normal distribution moves along, its spread stretched."""
    ages = np.where(table.processed, ages, np.nan)
    found = table.distribution
    new = NormalAges(ages, found.std * stretch) if isinstance(found, NormalAges) else None
    column = AgeColumn(ages, ages, is_band=False)
    return replace(table, estimate=column, distribution=new, intervals=None)


def shift_remarks(table: Predictions) -> tuple[str, ...]:
    """What new estimates leave without a meaning."""
    left = []
    if table.distribution is not None and not isinstance(table.distribution, NormalAges):
        left.append("prob_age_* columns")
    if table.intervals is not None:
        left.append("stated intervals")
    return tuple(f"the {name} do not fit the new estimates and are left out" for name in left)


CLASSES = Method(
    "one isotonic regression of [y = k] on p_k for each class, then scaled to sum 1; a face for "
    "which all are 0 keeps its probabilities. The most probable class is then the predicted one",
    "Zadrozny and Elkan (2002), doi:10.1145/775047.775151",
    _fit_classes,
    _apply_classes,
)
AGES = Method(
    "isotonic regression of the true age on the estimate: the mean age of people with such an "
    "estimate. Lowers the error and keeps the pull to the mean",
    "Barlow et al. (1972)",
    _fit_ages,
    _apply_ages,
)

"""Bias by age: the calibration line of the estimates, turned round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from audit.errors import InputError
from audit.predictions import Predictions
from audit.recalibration.core import Choice, Fitted, Method, Part, check_varied, exact_ages
from audit.recalibration.isotonic import moved, shift_remarks

LEAST_SLOPE = 0.1


def _fit(part: Part, choice: Choice) -> Fitted:
    y, guess = exact_ages(part, "bias-by-age")
    check_varied(y.tolist(), "true age")
    w = part.weight / part.weight.sum()
    mean_y, mean_guess = w @ y, w @ guess
    slope = float(w @ ((y - mean_y) * (guess - mean_guess)) / (w @ (y - mean_y) ** 2))
    if slope < LEAST_SLOPE:
        raise InputError(
            f"--method bias-by-age: estimates rise by {slope:.3g} years a year of age, too little "
            f"to be turned round (at least {LEAST_SLOPE:g}); use --method isotonic"
        )
    found = {"slope": slope, "intercept": float(mean_guess - slope * mean_y)}
    spread = f"errors get {1 / slope:.3g} times as wide, so the mean absolute error may rise"
    return Fitted(found, (*shift_remarks(part.table), *([spread] if slope < 1 else [])))


def _apply(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    assert table.estimate is not None
    slope = parameters["slope"]
    ages = (table.estimate.low - parameters["intercept"]) / slope
    return moved(table, np.asarray(ages), 1 / slope)


AGES = Method(
    "(estimate - a) / b with the least-squares line estimate = a + b age of the fitting people: "
    "the mean error is 0 at every age where the line holds. Needs no true age to apply",
    "de Lange and Cole (2020), doi:10.1016/j.nicl.2020.102229",
    _fit,
    _apply,
)

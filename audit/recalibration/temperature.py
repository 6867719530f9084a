"""Temperature: one number that makes confidences sharper or blunter and never reorders them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax

from audit.classes import Probabilities
from audit.columns import AgeColumn
from audit.distribution import GridAges, NormalAges
from audit.errors import InputError
from audit.metrics.scores import FLOOR
from audit.predictions import Predictions
from audit.recalibration.core import Choice, Fitted, Method, Part, check_varied

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_WIDEST = 1e4
_NO_EDGE = (
    "the calibration part has no best temperature: {why}; give more faces or use another --method"
)


def temperature_of(scores: FloatArray, y: IntArray, weight: FloatArray) -> float:
    """The temperature T > 0 that minimises mean -log softmax(scores / T) of the true class.

    Parameters
    ----------
    scores : array (n, K)
        Logits, or logarithms of probabilities.
    y : array of int (n,)
        True classes.
    weight : array (n,)
        Weights of the faces.

    Raises
    ------
    InputError
        Scores that say nothing of the classes (T would be infinite), or every face right with the
        highest score (T would be 0).

    Examples
    --------
    >>> scores = np.log(np.array([[0.9, 0.1]] * 10))
    >>> round(temperature_of(scores, np.array([0] * 7 + [1] * 3), np.ones(10)), 4)  # ln 9 / ln 7/3
    2.5932
    """
    z = scores - scores.max(axis=1, keepdims=True)
    true = z[np.arange(len(y)), y]

    def slope(beta: float) -> float:
        return float(np.average((softmax(beta * z, axis=1) * z).sum(axis=1) - true, weights=weight))

    if slope(1 / _WIDEST) >= 0:
        raise InputError(_NO_EDGE.format(why="its scores do not favour the true class"))
    if slope(_WIDEST) <= 0:
        raise InputError(
            _NO_EDGE.format(why="every face is right, so surer would always be better")
        )
    return float(1 / brentq(slope, 1 / _WIDEST, _WIDEST, xtol=1e-13, rtol=1e-12))


def _scores(probabilities: Probabilities) -> FloatArray:
    if probabilities.logits is not None:
        return probabilities.logits
    return np.asarray(np.log(np.maximum(probabilities.proba, FLOOR)))


def _fit_classes(part: Part, choice: Choice) -> Fitted:
    table = part.table
    if table.probabilities is None or table.y_true is None:
        raise InputError(f"{table.place}: no probabilities or logits, so nothing to recalibrate")
    y = table.y_true[part.rows]
    check_varied([table.classes[k] for k in y], "class")
    found = temperature_of(_scores(table.probabilities)[part.rows], y, part.weight)
    return Fitted({"temperature": found})


def _apply_classes(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    assert table.probabilities is not None
    scores = _scores(table.probabilities) / parameters["temperature"]
    if table.probabilities.logits is not None:
        return replace(table, probabilities=Probabilities.of_logits(table.classes, scores))
    proba = np.exp(log_softmax(scores, axis=1))
    return replace(table, probabilities=Probabilities(table.classes, proba))


def _fit_ages(part: Part, choice: Choice) -> Fitted:
    table = part.table
    truth, found = table.truth, table.distribution
    assert truth is not None
    if found is None:
        raise InputError(
            f"{table.place}: no predicted distribution (age_std or prob_age_*) to recalibrate; "
            "use --method conformal, isotonic or bias-by-age"
        )
    low, high = truth.low[part.rows], truth.high[part.rows]
    check_varied(low.tolist(), "true age")
    if isinstance(found, NormalAges):
        if truth.is_band:
            raise InputError(
                "--method temperature: the scale of age_std needs true ages in years, and they are "
                "known as bands"
            )
        z = (low - found.mean[part.rows]) / found.std[part.rows]
        scale = float(np.sqrt(np.average(z * z, weights=part.weight)))
        if scale == 0:
            raise InputError(_NO_EDGE.format(why="every estimate is exactly right"))
        return Fitted({"temperature": scale})
    inside = _inside(found, low, high, is_band=truth.is_band)
    return Fitted({"temperature": _grid_temperature(found.take(part.rows), inside, part.weight)})


def _inside(
    found: GridAges, low: FloatArray, high: FloatArray, *, is_band: bool
) -> npt.NDArray[np.bool_]:
    """The centres that are the truth: those of the band, or the nearest one, (n, K)."""
    centres = np.asarray(found.centres)
    if is_band:
        inside = (centres >= low[:, None]) & (centres < high[:, None])
        if not inside.any(axis=1).all():
            raise InputError(
                "a true band holds none of the prob_age_* ages, so it cannot be likely"
            )
        return np.asarray(inside, dtype=np.bool_)
    nearest = np.abs(centres - low[:, None]).argmin(axis=1)
    return np.asarray(np.arange(len(centres)) == nearest[:, None], dtype=np.bool_)


def _grid_temperature(found: GridAges, inside: npt.NDArray[np.bool_], weight: FloatArray) -> float:
    scores = np.log(np.maximum(found.proba, FLOOR))

    def loss(log_beta: float) -> float:
        logs = log_softmax(np.exp(log_beta) * scores, axis=1)
        likely = np.where(inside, np.exp(logs), 0.0).sum(axis=1)
        return float(np.average(-np.log(np.maximum(likely, FLOOR)), weights=weight))

    edge = np.log(_WIDEST) / 2
    best = minimize_scalar(loss, bounds=(-edge, edge), method="bounded", options={"xatol": 1e-10})
    if abs(best.x) > edge - 1e-3:
        raise InputError(_NO_EDGE.format(why="the best one is 0 or infinite"))
    return float(np.exp(-best.x))


def _apply_ages(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    found, t = table.distribution, parameters["temperature"]
    assert found is not None
    if isinstance(found, NormalAges):
        return replace(table, distribution=NormalAges(found.mean, found.std * t))
    logs = np.log(np.maximum(found.proba, FLOOR)) / t
    new = GridAges(found.centres, np.exp(log_softmax(logs, axis=1)))
    return replace(table, distribution=new, estimate=_moved(table, found, new))


def _moved(table: Predictions, old: GridAges, new: GridAges) -> AgeColumn | None:
    """The estimate, which moves along where it is the mean of the distribution."""
    ages = table.estimate
    assert ages is not None
    on = table.processed
    if ages.is_band or not np.allclose(ages.low[on], old.mean[on], atol=1e-3):
        return ages
    mean = np.where(on, new.mean, np.nan)
    return AgeColumn(mean, mean, is_band=False)


CLASSES = Method(
    "softmax(logits / T), or p^(1/T) scaled to sum 1; T minimises the log loss of the fitting "
    "people. Keeps every predicted class",
    "Guo et al. (2017), arXiv:1706.04599",
    _fit_classes,
    _apply_classes,
)
AGES = Method(
    "age_std times T, T the root mean square of (age - mean) / std of the fitting people; of "
    "prob_age_* p^(1/T) scaled to sum 1, T of the least log loss. The estimate moves along where "
    "it is the mean",
    "Guo et al. (2017), arXiv:1706.04599; Levi et al. (2022), doi:10.3390/s22155540",
    _fit_ages,
    _apply_ages,
)

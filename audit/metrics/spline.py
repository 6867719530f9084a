"""Natural cubic splines of the true age, and the sums from which a regression on them is made.

Least squares needs only sums of products, so the regression reads sums by person like everything
else. With z = (1, b_1(age), ..., b_4(age)) every face adds w z z' and w z y for both errors y.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.metrics.age_features import CENTRE
from audit.metrics.core import Layout
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
_QUANTILES = (0.05, 0.275, 0.5, 0.725, 0.95)
_UNIT = 10.0
N_BASIS = len(_QUANTILES) - 1
PAIRS = tuple((k, j) for k in range(N_BASIS) for j in range(k, N_BASIS))
OUTCOMES = ("abs_error", "error")
"""What is regressed: |e| for mae, e for bias."""


def knots_of(ages: FloatArray) -> tuple[float, ...]:
    """Knots at the quantiles 0.05, 0.275, 0.5, 0.725, 0.95 of the ages (Harrell, 2001).

    Where ages tie, between the least and the largest at equal steps; none where all are one age.
    """
    if not len(ages) or ages.min() == ages.max():
        return ()
    found = np.quantile(ages, _QUANTILES)
    if len(np.unique(found)) < len(found):
        found = np.linspace(ages.min(), ages.max(), len(found))
    return tuple(map(float, found))


def basis(age: FloatArray, knots: tuple[float, ...]) -> FloatArray:
    """Age in decades and N_BASIS - 1 cubic terms that are linear beyond the outer knots, (n, 4).

    Harrell (2001, Regression Modeling Strategies, section 2.4.5); the terms and 1 span the natural
    cubic splines of these knots.
    """
    x, t = (age - CENTRE) / _UNIT, (np.asarray(knots) - CENTRE) / _UNIT
    last, before = t[-1], t[-2]
    scale = (last - t[0]) ** 2

    def cube(at: float) -> FloatArray:
        return np.maximum(x - at, 0.0) ** 3

    terms = [x]
    for at in t[:-2]:
        tail = cube(before) * (last - at) - cube(last) * (before - at)
        terms.append((cube(at) - tail / (last - before)) / scale)
    return np.stack(terms, axis=-1)


def spline_layout() -> Layout:
    """w, w b, w b b', and per outcome w y and w b y."""
    outcomes = {f"y_{name}": () for name in OUTCOMES}
    return Layout(
        {
            "w": (),
            "b": (N_BASIS,),
            "bb": (len(PAIRS),),
            **outcomes,
            **{f"b{name}": (N_BASIS,) for name in outcomes},
        }
    )


def spline_features(
    predictions: Predictions, knots: tuple[float, ...], weight: FloatArray
) -> FloatArray:
    """Features of every face with an exact error, shape (n, F)."""
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    used = predictions.labelled & predictions.processed
    w = used * weight
    age = np.where(used, truth.low, CENTRE)
    error = np.where(used, estimate.low, CENTRE) - age
    b = basis(age, knots)
    found = [w[:, None], b, np.stack([b[:, k] * b[:, j] for k, j in PAIRS], axis=1)]
    ys = [np.abs(error)[:, None], error[:, None]]
    found += [*ys, *(b * y for y in ys)]
    values = np.concatenate(found, axis=1)
    values[:, 1:] *= w[:, None]
    return values

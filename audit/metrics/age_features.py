"""What every face adds to the sums of the age metrics.

Errors are e = estimate - truth in years: over-estimation is positive.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.bands import Band, bands_from_edges, distinct_bands
from audit.metrics.core import Array, Layout
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
CS_YEARS = (1, 3, 5, 10)


CENTRE = 40.0


COUNTS = ("n", "w", "failed_n", "failed_w", "unlabelled_n")


EXACT = ("abs_error", "error", "error2", *(f"cs{t}" for t in CS_YEARS))


MOMENTS = ("age", "age2", "pred", "pred2", "age_pred")


BAND = ("within", "one_off", "distance", "distance_max", "open_n")


def truth_bands(predictions: Predictions, edges: tuple[float, ...]) -> tuple[Band, ...]:
    """The bands of the band metrics: those of the truth, or the age bands for exact truth."""
    truth = predictions.truth
    assert truth is not None
    if not truth.is_band:
        return bands_from_edges(edges)
    return distinct_bands(truth.low[truth.known], truth.high[truth.known])


def is_exact(predictions: Predictions) -> bool:
    """Whether both truth and estimate are single ages."""
    assert predictions.truth is not None
    assert predictions.estimate is not None
    return not predictions.truth.is_band and not predictions.estimate.is_band


def over(low: FloatArray, high: FloatArray, age: float, *, is_band: bool) -> FloatArray:
    """1 where the true age is at least ``age``, 0 where below, NaN where its band straddles it."""
    if not is_band:
        return (low >= age).astype(np.float64)
    return np.where(low >= age, 1.0, np.where(high <= age, 0.0, np.nan))


def age_layout() -> Layout:
    """One column per feature; exact features stay 0 where an exact error does not exist."""
    return Layout(dict.fromkeys((*COUNTS, *EXACT, *MOMENTS, *BAND), ()))


def age_features(
    predictions: Predictions, bands: tuple[Band, ...], weight: FloatArray
) -> FloatArray:
    """Features of every face, shape (n, F); rows that do not enter a value are 0 in it."""
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    labelled, processed = predictions.labelled, predictions.processed
    used, failed = labelled & processed, labelled & ~processed
    found: dict[str, Array] = {
        "n": used & (weight > 0),
        "w": used * weight,
        "failed_n": failed & (weight > 0),
        "failed_w": failed * weight,
        "unlabelled_n": ~labelled,
    }
    age, pred = np.where(used, truth.low, CENTRE), np.where(used, estimate.low, CENTRE)
    if is_exact(predictions):
        error = pred - age
        found |= {"abs_error": np.abs(error), "error": error, "error2": error * error}
        found |= {f"cs{t}": np.abs(error) <= t for t in CS_YEARS}
        a, p = age - CENTRE, pred - CENTRE
        found |= {"age": a, "age2": a * a, "pred": p, "pred2": p * p, "age_pred": a * p}
    found |= _band_features(predictions, bands, used)
    values = np.zeros((len(predictions), age_layout().size))
    w = used * weight
    for index, name in enumerate(age_layout().shapes):
        if name in COUNTS or name == "open_n":
            values[:, index] = found[name]
        elif name in found:
            values[:, index] = found[name] * w
    return values


def _band_features(
    predictions: Predictions, bands: tuple[Band, ...], used: npt.NDArray[np.bool_]
) -> dict[str, Array]:
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    if not bands:
        return {name: np.zeros(len(predictions)) for name in BAND}
    lows = np.array([band[0] for band in bands])
    highs = np.array([band[1] for band in bands])
    low, high = truth.low, truth.high
    if not truth.is_band:
        index = np.clip(np.searchsorted(lows, np.nan_to_num(low), side="right") - 1, 0, None)
        low, high = lows[index], highs[index]
    low, high = np.where(used, low, 0.0), np.where(used, high, 1.0)
    pred_low = np.where(used, estimate.low, 0.0)
    pred_high = np.where(used, estimate.high, 0.0)
    inside = (low <= pred_low) & ((pred_high <= high) if estimate.is_band else (pred_low < high))
    distance = np.maximum(0.0, np.maximum(low - pred_high, pred_low - high))
    farthest = np.maximum(np.abs(pred_high - low), np.abs(high - pred_low))
    is_open = np.isinf(farthest) & used
    where = np.searchsorted(lows, low, side="right") - 1
    near = _nearest_band(pred_low, lows, highs)
    return {
        "within": inside,
        "one_off": np.abs(near - where) <= 1,
        "distance": distance,
        "distance_max": np.where(np.isinf(farthest), 0.0, farthest),
        "open_n": is_open,
    }


def _nearest_band(pred: FloatArray, lows: FloatArray, highs: FloatArray) -> Array:
    """Index of the band that holds the prediction, else of the nearest (the lower at a tie)."""
    below = np.clip(np.searchsorted(lows, pred, side="right") - 1, 0, None)
    above = np.minimum(below + 1, len(lows) - 1)
    past = np.maximum(0.0, pred - highs[below])
    ahead = np.where(above > below, lows[above] - pred, np.inf)
    return np.where((pred >= highs[below]) & (ahead < past), above, below)

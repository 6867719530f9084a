"""Age metrics a second time: sklearn and numpy where they have one, else a loop."""

from __future__ import annotations

import math

import numpy as np
from sklearn import metrics as sk

from tests.audit.oracle_rows import Array, Oracle, Rows, failure_rate, with_failures


def _error(r: Rows) -> Array:
    assert r.age is not None
    assert r.pred is not None
    return r.pred[:, 0] - r.age


def mae(r: Rows) -> float:
    return float(sk.mean_absolute_error(r.age, r.pred[:, 0], sample_weight=r.weight))


def bias(r: Rows) -> float:
    return float(np.average(_error(r), weights=r.weight))


def rmse(r: Rows) -> float:
    return float(sk.root_mean_squared_error(r.age, r.pred[:, 0], sample_weight=r.weight))


def sd_error(r: Rows) -> float:
    """Population variance with weights, times n / (n - 1) with n faces of weight above 0."""
    n = int((r.weight > 0).sum())
    return math.sqrt(float(np.cov(_error(r), aweights=r.weight, ddof=0)) * n / (n - 1))


def median_ae(r: Rows) -> float:
    return float(sk.median_absolute_error(r.age, r.pred[:, 0], sample_weight=r.weight))


def p90_ae(r: Rows) -> float:
    """numpy's averaged inverted CDF of rows repeated by twice their (half-integer) weight."""
    repeated = np.repeat(np.abs(_error(r)), (2 * r.weight).astype(int))
    return float(np.quantile(repeated, 0.9, method="averaged_inverted_cdf"))


def cs(years: float) -> Oracle:
    def oracle(r: Rows) -> float:
        right = [abs(e) <= years for e in _error(r)]
        return float(sk.accuracy_score(np.ones(len(right)), right, sample_weight=r.weight))

    return oracle


def pearson(r: Rows) -> float:
    """Two faces always lie on a line: undefined below 3 of weight above 0."""
    if (r.weight > 0).sum() < 3:
        return math.nan
    c = np.cov(r.age, r.pred[:, 0], aweights=r.weight, ddof=0)
    return float(c[0, 1] / math.sqrt(c[0, 0] * c[1, 1]))


def slope(r: Rows) -> float:
    """Weighted least squares of the error on the true age; undefined as for pearson."""
    if (r.weight > 0).sum() < 3:
        return math.nan
    design = np.column_stack([np.ones(len(r.age)), r.age - 40.0])
    root = np.sqrt(r.weight)
    return float(np.linalg.lstsq(design * root[:, None], _error(r) * root)[0][1])


def calibration_slope(r: Rows) -> float:
    return slope(r) + 1.0 if math.isnan(slope(r)) else _line(r)[0]


def calibration_intercept(r: Rows) -> float:
    return math.nan if math.isnan(slope(r)) else _line(r)[1]


def _line(r: Rows) -> tuple[float, float]:
    """numpy's weighted polynomial of degree 1: its weights multiply the residuals, not squares."""
    found = np.polyfit(r.age, r.pred[:, 0], 1, w=np.sqrt(r.weight))
    return float(found[0]), float(found[1])


def _share(right: list[bool], weight: Array) -> float:
    return math.fsum(weight[i] for i, yes in enumerate(right) if yes) / math.fsum(weight)


def within_band_accuracy(r: Rows) -> float:
    right = []
    for (low, high), (first, last) in zip(r.band, r.pred, strict=True):
        inside = low <= first < high if first == last else low <= first and last <= high
        right.append(bool(inside))
    return _share(right, r.weight)


def one_off_accuracy(r: Rows) -> float:
    """The estimate's own or nearest band (the lower one at a tie), at most one away."""
    right = []
    for band, (first, _) in zip(r.band, r.pred, strict=True):
        away = [max(low - first, first - high, 0.0) for low, high in r.bands]
        inside = [i for i, (low, high) in enumerate(r.bands) if low <= first < high]
        nearest = inside[0] if inside else int(np.argmin(away))
        true = next(i for i, other in enumerate(r.bands) if tuple(other) == tuple(band))
        right.append(abs(nearest - true) <= 1)
    return _share(right, r.weight)


def band_distance(r: Rows) -> float:
    pairs = zip(r.band, r.pred, strict=True)
    away = [max(0.0, low - last, first - high) for (low, high), (first, last) in pairs]
    return float(np.average(away, weights=r.weight))


def band_distance_max(r: Rows) -> float:
    pairs = zip(r.band, r.pred, strict=True)
    far = [max(abs(last - low), abs(high - first)) for (low, high), (first, last) in pairs]
    return math.nan if any(map(math.isinf, far)) else float(np.average(far, weights=r.weight))


AGE: dict[str, tuple[str, Oracle]] = {
    "mae": ("sklearn mean_absolute_error", mae),
    "bias": ("numpy average", bias),
    "rmse": ("sklearn root_mean_squared_error", rmse),
    "sd_error": ("numpy cov", sd_error),
    "median_ae": ("sklearn median_absolute_error", median_ae),
    "p90_ae": ("numpy quantile (averaged_inverted_cdf) of repeated rows", p90_ae),
    "cs1": ("sklearn accuracy_score", cs(1)),
    "cs3": ("sklearn accuracy_score", cs(3)),
    "cs5": ("sklearn accuracy_score", cs(5)),
    "cs10": ("sklearn accuracy_score", cs(10)),
    "cs1_all": ("sklearn accuracy_score, failures wrong", with_failures(cs(1))),
    "cs3_all": ("sklearn accuracy_score, failures wrong", with_failures(cs(3))),
    "cs5_all": ("sklearn accuracy_score, failures wrong", with_failures(cs(5))),
    "cs10_all": ("sklearn accuracy_score, failures wrong", with_failures(cs(10))),
    "pearson": ("numpy cov", pearson),
    "slope": ("numpy lstsq", slope),
    "calibration_slope": ("numpy polyfit", calibration_slope),
    "calibration_intercept": ("numpy polyfit", calibration_intercept),
    "within_band_accuracy": ("loop", within_band_accuracy),
    "within_band_accuracy_all": ("loop, failures wrong", with_failures(within_band_accuracy)),
    "one_off_accuracy": ("loop", one_off_accuracy),
    "band_distance": ("loop", band_distance),
    "band_distance_max": ("loop", band_distance_max),
    "failure_rate": ("numpy average", failure_rate),
}

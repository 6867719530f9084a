"""Age metrics: each one's formula of the weighted sums of ``age_features``.

Errors are e = estimate - truth in years: over-estimation is positive.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.bands import Band, overlap
from audit.metrics.age_features import CENTRE, CS_YEARS
from audit.metrics.core import Array, Interval, Metric, Sums, divide, ratio_of, variance
from audit.rows import Better

FloatArray = npt.NDArray[np.float64]
_NIST = "NIST IR 8525 (2024)"


def _mean(
    name: str,
    feature: str,
    kind: Interval,
    unit: str,
    better: Better,
    definition: str,
    source: str,
) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        return s[feature], s["w"]

    return Metric(
        name=name,
        interval=kind,
        unit=unit,
        better=better,
        definition=definition,
        source=source,
        features=(feature, "w"),
        formula=ratio_of(parts),
        parts=parts,
        has_ratio=kind != "t",
    )


def _with_failures(metric: Metric, feature: str) -> Metric:
    def parts(s: Sums) -> tuple[Array, Array]:
        return s[feature], s["w"] + s["failed_w"]

    return Metric(
        name=f"{metric.name}_all",
        interval="wilson",
        unit=metric.unit,
        better=metric.better,
        definition=f"{metric.definition}; failures to process count as wrong",
        source=metric.source,
        features=(feature, "w", "failed_w"),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s["n"] + s["failed_n"],
        has_ratio=True,
    )


def _rmse(s: Sums) -> Array:
    return np.asarray(np.sqrt(divide(s["error2"], s["w"])))


def _sd(s: Sums) -> Array:
    mean_square = variance(s["error"], s["error2"], s["w"])
    return np.asarray(np.sqrt(mean_square * divide(s["n"], s["n"] - 1)))


def _covariance(s: Sums) -> Array:
    product = divide(s["age"], s["w"]) * divide(s["pred"], s["w"])
    return np.asarray(divide(s["age_pred"], s["w"]) - product)


def _pearson(s: Sums) -> Array:
    product = variance(s["age"], s["age2"], s["w"]) * variance(s["pred"], s["pred2"], s["w"])
    return np.where(s["n"].real >= 3, divide(_covariance(s), np.sqrt(product)), np.nan)


def _slope(s: Sums) -> Array:
    spread = variance(s["age"], s["age2"], s["w"])
    return np.where(s["n"].real >= 3, divide(_covariance(s), spread) - 1.0, np.nan)


def _line_slope(s: Sums) -> Array:
    return np.asarray(_slope(s) + 1.0)


def _line_intercept(s: Sums) -> Array:
    at_centre = divide(s["pred"] - _line_slope(s) * s["age"], s["w"])
    return np.asarray(at_centre + CENTRE * (1.0 - _line_slope(s)))


def _distance_max(s: Sums) -> Array:
    return np.where(s["open_n"].real > 0, np.nan, divide(s["distance_max"], s["w"]))


def failure_rate() -> Metric:
    """Share of labelled faces for which the model gave no estimate; both tasks have it."""

    def parts(s: Sums) -> tuple[Array, Array]:
        return s["failed_w"], s["w"] + s["failed_w"]

    return Metric(
        name="failure_rate",
        interval="wilson",
        unit="share",
        better="lower",
        definition="failed / (processed + failed), of faces with known truth",
        source="NIST FTE; ISO/IEC 19795-10",
        features=("w", "failed_w"),
        formula=ratio_of(parts),
        parts=parts,
        counts=lambda s: s["n"] + s["failed_n"],
        has_ratio=True,
    )


def _quantile(name: str, q: float, definition: str) -> Metric:
    return Metric(
        name=name,
        interval="percentile",
        unit="years",
        better="lower",
        definition=f"{definition}; weighted averaged inverted CDF; the value is exact, "
        "replicates are interpolated on a grid of 0.05 years below 6.4, 0.1 below 16 and 1 above",
        source="Hyndman and Fan (1996), type 2",
        features=(),
        formula=lambda s: s["n"],
        has_ratio=True,
        quantile=q,
    )


def exact_metrics() -> tuple[Metric, ...]:
    """Metrics of single ages; none of them exists where ages are known as bands only."""
    cs = [
        _mean(
            f"cs{t}",
            f"cs{t}",
            "wilson",
            "share",
            "higher",
            f"share of |e| <= {t} years (cumulative score)",
            "NISTIR 7995 (2014)",
        )
        for t in CS_YEARS
    ]
    return (
        _mean("mae", "abs_error", "log_t", "years", "lower", "mean |e|", _NIST),
        _mean("bias", "error", "t", "years", "zero", "mean e; positive: over-estimated", _NIST),
        Metric(
            "rmse",
            "log_t",
            "years",
            "lower",
            "sqrt(mean e^2)",
            "standard",
            ("error2", "w"),
            _rmse,
            has_ratio=True,
        ),
        Metric(
            "sd_error",
            "log_t",
            "years",
            "lower",
            "sqrt(n / (n - 1) times the weighted mean of (e - mean e)^2)",
            "standard",
            ("error", "error2", "w", "n"),
            _sd,
            has_ratio=True,
            undefined="one_value",
        ),
        _quantile("median_ae", 0.5, "median of |e|"),
        _quantile("p90_ae", 0.9, "90th percentile of |e|"),
        *cs,
        *(_with_failures(metric, metric.name) for metric in cs),
        Metric(
            "pearson",
            "fisher_t",
            "correlation",
            "higher",
            "Pearson correlation of truth and estimate",
            "Pearson (1895)",
            ("age", "age2", "pred", "pred2", "age_pred", "w", "n"),
            _pearson,
            undefined="one_value",
        ),
        Metric(
            "slope",
            "t",
            "years per year",
            "zero",
            "slope of e on true age; negative by regression to the mean for any imperfect model",
            "OLS",
            ("age", "age2", "pred", "age_pred", "w", "n"),
            _slope,
            undefined="one_value",
        ),
        Metric(
            "calibration_slope",
            "t",
            "years per year",
            "none",
            "slope of the calibration line: estimate = intercept + slope x true age, by least "
            "squares; below 1: regression to the mean, the young over- and the old under-estimated",
            "OLS",
            ("age", "age2", "pred", "age_pred", "w", "n"),
            _line_slope,
            has_gaps=False,
            undefined="one_value",
        ),
        Metric(
            "calibration_intercept",
            "t",
            "years",
            "none",
            "intercept of the calibration line: what it estimates at age 0",
            "OLS",
            ("age", "age2", "pred", "age_pred", "w", "n"),
            _line_intercept,
            has_gaps=False,
            undefined="one_value",
        ),
    )


def band_metrics() -> tuple[Metric, ...]:
    """Metrics of bands [low, high); ages known exactly are put into their age band."""
    within = _mean(
        "within_band_accuracy",
        "within",
        "wilson",
        "share",
        "higher",
        "share of estimates inside the true band (a predicted band: inside or equal)",
        "Karkkainen and Joo, WACV 2021",
    )
    return (
        within,
        _with_failures(within, "within"),
        _mean(
            "one_off_accuracy",
            "one_off",
            "wilson",
            "share",
            "higher",
            "share of estimates in the true band or a neighbour; an estimate between bands counts "
            "as in the nearest, a predicted band by its lower edge",
            "Eidinger et al., TIFS 2014",
        ),
        _mean(
            "band_distance",
            "distance",
            "log_t",
            "years",
            "lower",
            "mean distance of the estimate to the true band, 0 inside: a lower bound of MAE; it "
            "depends on how wide the bands are",
            "censored absolute error",
        ),
        Metric(
            "band_distance_max",
            "log_t",
            "years",
            "lower",
            "mean distance to the far edge of the true band: an upper bound of MAE",
            "censored absolute error",
            ("distance_max", "w", "open_n"),
            _distance_max,
            has_ratio=True,
            undefined="empty_group",
            undefined_note=lambda s: "open_band" if s["open_n"] > 0 else "empty_group",
        ),
    )


def age_metrics() -> tuple[Metric, ...]:
    """All age metrics; which of them cannot exist for a table says ``impossible``."""
    return (*exact_metrics(), *band_metrics(), failure_rate())


def impossible(
    bands: tuple[Band, ...], *, truth_is_band: bool, estimate_is_band: bool
) -> dict[str, str]:
    """Metric name -> note, for the metrics that cannot exist for a table at all."""
    found: dict[str, str] = {}
    if truth_is_band or estimate_is_band:
        note = "interval_truth" if truth_is_band else "predicted_bands"
        found |= {metric.name: note for metric in exact_metrics()}
    if overlap(bands):
        found["one_off_accuracy"] = "overlapping_bands"
    return found

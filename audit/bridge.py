"""A bridge to Fairlearn, both ways: its MetricFrame of our metrics, and our table of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from fairlearn.metrics import MetricFrame

from audit.bands import DECADES
from audit.collect import table_bands
from audit.errors import InputError
from audit.facts import facts_of
from audit.groups import attribute
from audit.metrics.age import age_metrics, impossible
from audit.metrics.age_features import age_features, age_layout
from audit.metrics.core import Layout, Metric
from audit.metrics.expression import (
    class_mix,
    expression_features,
    expression_layout,
    expression_metrics,
)
from audit.metrics.quantile import weighted_quantile
from audit.metrics.scores import score_metrics
from audit.predictions import Predictions, predictions_from_frame

FloatArray = npt.NDArray[np.float64]


def to_metric_frame(
    predictions: Predictions, by: Sequence[str], metrics: Sequence[str] | None = None
) -> MetricFrame:
    """Fairlearn's ``MetricFrame`` of our groups, computed by our definitions of the metrics.

    Per-class metrics are named ``recall[happy]``. Undefined values are NaN. Faces whose attribute
    is unknown are left out, since Fairlearn knows no missing group. Its bootstrap resamples faces,
    not persons: take intervals from :func:`audit.audit`.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": [20, 30, 40], "age_pred": [22, 29, 44],
    ...                       "gender": ["f", "m", "f"]})
    >>> table = predictions_from_frame(frame, task="age")
    >>> to_metric_frame(table, ["gender"], ["mae"]).by_group["mae"].to_dict()
    {'f': 3.0, 'm': 1.0}
    """
    layout, values, known = _features(predictions)
    chosen = {m.key: m for m in known if metrics is None or m.key in metrics or m.name in metrics}
    missing = [
        name for name in metrics or () if name not in {x for m in known for x in (m.key, m.name)}
    ]
    if missing:
        names = ", ".join(dict.fromkeys(m.name for m in known))
        raise InputError(f"metrics: {missing[0]!r} cannot be computed here; choose of {names}")
    columns = {name: _labels(predictions, name) for name in by}
    groups = pd.DataFrame(columns)
    kept = np.flatnonzero(groups.notna().all(axis=1).to_numpy())
    if not len(kept):
        raise InputError(f"by {', '.join(by)}: no face has a known group")
    return MetricFrame(
        metrics={key: _callable(m, layout, values, predictions) for key, m in chosen.items()},
        y_true=kept,
        y_pred=kept,
        sensitive_features=groups.iloc[kept].reset_index(drop=True),
    )


def _labels(predictions: Predictions, name: str) -> npt.NDArray[np.object_]:
    found = attribute(predictions, name, None)
    return np.array([*found.values, None], dtype=object)[found.codes]


def _features(predictions: Predictions) -> tuple[Layout, Any, list[Metric]]:
    weight = np.ones(len(predictions)) if predictions.weight is None else predictions.weight
    if predictions.task == "expression":
        layout = expression_layout(len(predictions.classes), predictions.extras)
        cannot = {metric.name for metric in score_metrics(len(predictions.classes))}
        absent = cannot if predictions.probabilities is None else set()
        values = expression_features(predictions, weight)
        mix = class_mix(layout, values.sum(axis=0))
        metrics = expression_metrics(predictions.classes, predictions.extras, mix)
        return layout, values, [m for m in metrics if m.name not in absent and not m.rowwise]
    bands = table_bands([predictions], DECADES)
    truth, estimate = facts_of(predictions).bands
    absent = set(impossible(bands, truth_is_band=truth, estimate_is_band=estimate))
    values = age_features(predictions, bands, weight)
    return age_layout(), values, [m for m in age_metrics() if m.name not in absent]


def _callable(
    metric: Metric, layout: Layout, values: Any, predictions: Predictions
) -> Callable[[Any, Any], float]:
    def by_rows(rows: Any, _: Any) -> float:
        at = np.asarray(rows)
        if metric.quantile is not None:
            return _quantile(predictions, at, metric.quantile)
        total = np.asarray(values[at].sum(axis=0), dtype=np.float64).reshape(1, -1)
        return float(metric.formula(layout.unpack(total))[0])

    return by_rows


def _quantile(predictions: Predictions, rows: npt.NDArray[np.int64], q: float) -> float:
    assert predictions.truth is not None
    assert predictions.estimate is not None
    error = np.abs(predictions.estimate.low - predictions.truth.low)[rows]
    weight = np.ones(len(error)) if predictions.weight is None else predictions.weight[rows]
    good = ~np.isnan(error)
    return weighted_quantile(error[good], weight[good], q)


def from_fairlearn(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: pd.DataFrame | pd.Series | Mapping[str, Any],
    task: str,
    sample_weight: Any = None,
) -> Predictions:
    """Our table from the arguments of a ``MetricFrame``.

    ``y_true`` and ``y_pred`` are ages in years for the task ``age`` and class names or codes for
    ``expression``; ``sensitive_features`` becomes the attributes.
    """
    if isinstance(sensitive_features, pd.Series):
        sensitive_features = sensitive_features.to_frame(sensitive_features.name or "group")
    features = pd.DataFrame(sensitive_features).reset_index(drop=True)
    name = "age" if task == "age" else "expression"
    lengths = {len(np.asarray(y_true)), len(np.asarray(y_pred)), len(features)}
    if len(lengths) > 1:
        raise InputError(
            f"from_fairlearn: y_true, y_pred and sensitive_features have {sorted(lengths)} rows; "
            "they must be equally long"
        )
    frame = pd.DataFrame({name: np.asarray(y_true), f"{name}_pred": np.asarray(y_pred)})
    clash = [column for column in features.columns if column in frame.columns]
    if clash:
        raise InputError(f"from_fairlearn: sensitive feature {clash[0]!r} has a reserved name")
    if sample_weight is not None:
        frame["weight"] = np.asarray(sample_weight)
    return predictions_from_frame(pd.concat([frame, features], axis=1), task=task)

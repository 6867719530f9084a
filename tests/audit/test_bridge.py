"""Fairlearn and back: our definitions in its MetricFrame, its inputs as our table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame
from sklearn.metrics import accuracy_score, mean_absolute_error

from audit import InputError, audit, predictions_from_frame
from audit.bridge import from_fairlearn, to_metric_frame
from audit.simulate import example_cohort


def test_metric_frame_has_our_values():
    table = predictions_from_frame(example_cohort(n_persons=200), task="age")
    names = ["mae", "bias", "cs5_all", "median_ae", "failure_rate"]
    frame = to_metric_frame(table, ["gender", "skin_tone"], names)
    record = audit(table, by=["gender,skin_tone"], n_boot=0)
    for row in record.metrics:
        if row.metric in names and row.group:
            theirs = frame.by_group[row.metric][row.group["gender"], row.group["skin_tone"]]
            assert theirs == pytest.approx(row.value, abs=1e-12)
    assert frame.difference()["mae"] > 0


def test_per_class_metrics_are_named_with_their_class():
    frame = pd.DataFrame(
        {
            "expression": ["happy", "sad", "sad", "happy"],
            "expression_pred": ["happy", "sad", "happy", "happy"],
            "gender": ["f", "f", "m", "m"],
        }
    )
    found = to_metric_frame(predictions_from_frame(frame, task="expression"), ["gender"])
    # f: both right; m: sad is called happy.
    assert found.by_group["recall[sad]"].to_dict() == {"f": 1.0, "m": 0.0}
    assert found.by_group["accuracy"].to_dict() == {"f": 1.0, "m": 0.5}
    assert "ece" not in found.by_group.columns


def test_unknown_groups_are_left_out_and_unknown_metrics_refused():
    frame = pd.DataFrame({"age": [20, 30], "age_pred": [21, 34], "gender": ["f", None]})
    table = predictions_from_frame(frame, task="age")
    assert to_metric_frame(table, ["gender"], ["mae"]).by_group["mae"].to_dict() == {"f": 1.0}
    with pytest.raises(InputError, match="'speed' cannot be computed here; choose of mae, bias"):
        to_metric_frame(table, ["gender"], ["speed"])


def test_fairlearn_inputs_become_a_table():
    rng = np.random.default_rng(0)
    y = rng.uniform(10, 60, 90)
    pred = y + rng.normal(0, 5, 90)
    group = pd.Series(rng.choice(["a", "b", "c"], 90), name="site")
    table = from_fairlearn(y, pred, sensitive_features=group, task="age")
    record = audit(table, by=["site"], n_boot=0)
    theirs = MetricFrame(
        metrics=mean_absolute_error, y_true=y, y_pred=pred, sensitive_features=group
    ).by_group
    ours = {r.group["site"]: r.value for r in record.metrics if r.metric == "mae" and r.group}
    assert ours == pytest.approx(theirs.to_dict(), abs=1e-12)


def test_fairlearn_classes_and_bad_lengths():
    y, pred = ["a", "b", "a"], ["a", "a", "a"]
    table = from_fairlearn(y, pred, sensitive_features={"g": ["x", "x", "y"]}, task="expression")
    record = audit(table, by=["g"], n_boot=0)
    overall = next(r.value for r in record.metrics if r.metric == "accuracy" and not r.group)
    assert overall == accuracy_score(y, pred)
    with pytest.raises(InputError, match="must be equally long"):
        from_fairlearn(y, pred[:2], sensitive_features={"g": ["x", "x", "y"]}, task="expression")

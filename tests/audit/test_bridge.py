"""The bridge to Fairlearn, both ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame

from audit import InputError, audit, predictions_from_frame
from audit.bridge import from_fairlearn, to_metric_frame
from tests.audit.compare import close
from tests.audit.frames import age_table, expression_table, metric


@pytest.mark.parametrize("task", ["age", "expression"])
def test_metric_frame_holds_our_values(task: str) -> None:
    """NaN where we have null, the same number elsewhere; unknown races are left out."""
    table = age_table(1, 60) if task == "age" else expression_table(1, 60)
    checked = predictions_from_frame(table, task=task)
    frame = to_metric_frame(checked, ["gender", "race"])
    assert isinstance(frame, MetricFrame)
    result = audit(checked, by=["gender,race"], n_boot=0)
    compared = 0
    for row in result.metrics:
        key = row.metric if row.class_ is None else f"{row.metric}[{row.class_}]"
        if not row.group or row.group["race"] is None or row.metric == "null":
            continue
        theirs = frame.by_group[key][row.group["gender"], row.group["race"]]
        if row.value is None:
            assert np.isnan(theirs), (key, row.group)
        else:
            assert theirs == pytest.approx(row.value, rel=1e-12, abs=1e-12)
            compared += 1
    assert compared > 50


def test_table_from_the_arguments_of_a_metric_frame() -> None:
    table = age_table(2, 40, failures=False, unknown=False)
    features = table[["gender", "race"]]
    ours = from_fairlearn(
        table["age"],
        table["age_pred"],
        sensitive_features=features,
        task="age",
        sample_weight=table["weight"],
    )
    one = audit(ours, by=["gender", "race"], n_boot=0)
    two = audit(table.drop(columns=["subject_id"]), task="age", by=["gender", "race"], n_boot=0)
    for a, b in zip(one.metrics, two.metrics, strict=True):
        assert (a.metric, a.group) == (b.metric, b.group)
        assert close([a.value], [b.value], 1e-12)


def test_expression_codes_and_a_single_feature() -> None:
    ours = from_fairlearn(
        [0, 1, 1, 0],
        [0, 1, 0, 0],
        sensitive_features=pd.Series(list("xxyy"), name="g"),
        task="expression",
    )
    result = audit(ours, by=["g"], n_boot=0)
    assert metric(result, "accuracy", {"g": "x"}).value == 1.0
    assert metric(result, "accuracy", {"g": "y"}).value == 0.5


def test_bad_arguments() -> None:
    table = predictions_from_frame(age_table(0, 10), task="age")
    with pytest.raises(InputError, match="'nll' cannot be computed here; choose of mae"):
        to_metric_frame(table, ["gender"], ["nll"])
    with pytest.raises(InputError, match="--by gendr: no such column"):
        to_metric_frame(table, ["gendr"])
    with pytest.raises(InputError, match=r"have \[1, 2\] rows"):
        from_fairlearn([20], [21], sensitive_features={"g": ["x", "y"]}, task="age")
    with pytest.raises(InputError, match="'age' has a reserved name"):
        from_fairlearn([20], [21], sensitive_features={"age": ["x"]}, task="age")

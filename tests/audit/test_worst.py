"""The faces with the largest errors, whatever the order of rows."""

from __future__ import annotations

import pandas as pd

from audit.predictions import predictions_from_frame
from audit.worst import worst_rows


def _ids(frame: pd.DataFrame, task: str, n: int) -> list[str]:
    table = predictions_from_frame(frame, task=task, place="t")
    assert table.sample_id is not None
    return [str(table.sample_id.iloc[row]) for row in worst_rows(table, n)]


def test_ages_by_absolute_error_failures_and_right_ones_left_out() -> None:
    frame = pd.DataFrame({
        "sample_id": ["a", "b", "c", "d", "e"], "age": [20.0, 30.0, 40.0, 50.0, None],
        "age_pred": [25.0, 18.0, 40.0, None, 90.0],
    })  # fmt: skip
    assert _ids(frame, "age", 5) == ["b", "a"]
    assert _ids(frame.iloc[::-1], "age", 1) == ["b"]


def test_ages_known_as_bands_by_the_distance_from_the_band() -> None:
    frame = pd.DataFrame({
        "sample_id": ["in", "below", "above"], "age_low": [20.0, 20.0, 20.0],
        "age_high": [30.0, 30.0, 30.0], "age_pred": [29.0, 12.0, 33.0],
    })  # fmt: skip
    assert _ids(frame, "age", 3) == ["below", "above"]


def test_expressions_by_the_confidence_of_the_wrong_answer() -> None:
    frame = pd.DataFrame({
        "sample_id": ["right", "sure", "unsure"], "expression": ["x", "x", "y"],
        "expression_pred": ["x", "y", "x"], "prob_x": [1.0, 0.1, 0.6], "prob_y": [0.0, 0.9, 0.4],
    })  # fmt: skip
    assert _ids(frame, "expression", 3) == ["sure", "unsure"]


def test_equal_errors_are_chosen_by_name_not_by_place() -> None:
    frame = pd.DataFrame({"sample_id": list("abcdefgh"), "age": [20.0] * 8, "age_pred": [30.0] * 8})
    assert _ids(frame, "age", 3) == _ids(frame.iloc[::-1], "age", 3)

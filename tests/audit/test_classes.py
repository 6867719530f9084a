"""Class names, probabilities and logits in every form."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import InputError, Predictions, audit, predictions_from_frame, read_predictions
from audit.predictions import write_predictions
from tests.audit.frames import metric


def codes(result: Any) -> list[str]:
    return [w.code for w in result.warnings]


LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0], [-1.0, 1.5, 0.0]])


NAMES = ["angry", "happy", "sad"]


FACES = pd.DataFrame({"expression": ["angry", "sad", "angry"]})


def _logit_tables() -> dict[str, Predictions]:
    cells = FACES.assign(scores=[json.dumps(row.tolist()) for row in LOGITS])
    lists = FACES.assign(scores=LOGITS.tolist())
    columns = pd.concat([FACES, pd.DataFrame(LOGITS, columns=[f"z_{n}" for n in NAMES])], axis=1)
    own = columns.rename(columns=lambda name: name.replace("z_", "logit_"))
    given: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
        "JSON cells": (cells, {"logits": "scores", "classes": NAMES}),
        "lists": (lists, {"logits": "scores", "classes": NAMES}),
        "prefix": (columns, {"logits": "z_"}),
        "commas": (columns, {"logits": "z_angry,z_happy,z_sad", "classes": NAMES}),
        "logit_ columns": (own, {}),
    }
    return {
        name: predictions_from_frame(frame, task="expression", **options)
        for name, (frame, options) in given.items()
    }


@pytest.mark.parametrize("how", ["JSON cells", "lists", "prefix", "commas", "logit_ columns"])
def test_logits_in_every_form(how: str) -> None:
    table = _logit_tables()[how]
    assert table.classes == tuple(NAMES)
    assert table.probabilities is not None
    expected = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    assert table.probabilities.proba == pytest.approx(expected, rel=1e-12)
    result = audit(table, by=[], n_boot=0)
    # the largest logits are angry, sad, happy; truth angry, sad, angry
    assert metric(result, "accuracy").value == pytest.approx(2 / 3)
    nll = -np.log(expected[[0, 1, 2], [0, 2, 0]]).mean()
    assert metric(result, "nll").value == pytest.approx(nll, rel=1e-12)


def test_far_logits_keep_their_log_probability() -> None:
    """exp(-2000) is 0: through probabilities the loss would be the floor, through logits 2000."""
    frame = pd.DataFrame({"expression": ["a"], "logit_a": [-2000.0], "logit_b": [0.0]})
    row = metric(audit(frame, task="expression", by=[], n_boot=0), "nll")
    assert row.value == pytest.approx(2000.0)
    frame = pd.DataFrame({"expression": ["a"], "prob_a": [0.0], "prob_b": [1.0]})
    result = audit(frame, task="expression", by=[], n_boot=0)
    assert metric(result, "nll").value == pytest.approx(52 * math.log(2))
    assert "nll_floored" in codes(result)


@pytest.mark.parametrize(
    ("cells", "part"),
    [
        (["[1, 2]", "[1, 2, 3]"], "holds"),
        (["[1, 2]", "[1, 2"], "JSON list"),
        (["[1, 2]", '[1, "x"]'], "JSON list"),
        (["[1, 2]", "5"], "JSON list"),
        (["[1, 2]", '{"a": 1}'], "JSON list"),
        ([[1.0, 2.0], [1.0, "x"]], "must be a JSON list|number"),
    ],
)
def test_ragged_and_broken_logits(cells: list[Any], part: str) -> None:
    frame = pd.DataFrame({"expression": ["0", "1"], "scores": pd.Series(cells, dtype=object)})
    with pytest.raises(InputError, match=part):
        predictions_from_frame(frame, task="expression", logits="scores")


def test_number_of_names_and_scores() -> None:
    frame = pd.DataFrame({"expression": ["0", "1"], "scores": ["[1, 2]", "[2, 1]"]})
    with pytest.raises(InputError, match="2 class scores per row but 3 names in --classes"):
        predictions_from_frame(frame, task="expression", logits="scores", classes=NAMES)
    with pytest.raises(InputError, match="no column or prefix 'z_'"):
        predictions_from_frame(frame, task="expression", logits="z_")


def test_row_without_scores_is_a_failure() -> None:
    frame = pd.DataFrame({"expression": ["0", "1", "0"], "scores": ["[1, 2]", None, "[NaN, 2]"]})
    table = predictions_from_frame(frame, task="expression", logits="scores")
    row = metric(audit(table, by=[], n_boot=0), "accuracy")
    assert (row.n, row.n_failed) == (1, 2)


def test_prediction_that_is_not_the_most_probable_class() -> None:
    frame = pd.DataFrame(
        {"expression": list("ab"), "expression_pred": list("ab"), "prob_a": [0.4, 0.4]}
    )
    frame["prob_b"] = 1 - frame["prob_a"]
    result = audit(frame, task="expression", by=[], n_boot=0)
    assert "pred_not_argmax" in codes(result)
    assert metric(result, "accuracy").value == 1.0  # of the stated prediction


def test_names_or_indices() -> None:
    names = pd.DataFrame({"expression": ["happy", "sad"], "expression_pred": ["sad", "sad"]})
    index = pd.DataFrame({"expression": [0, 1], "expression_pred": [1, 1]})
    two = [
        predictions_from_frame(t, task="expression", classes=["happy", "sad"])
        for t in (names, index)
    ]
    assert audit(two[0], by=[], n_boot=0).to_json() == audit(two[1], by=[], n_boot=0).to_json()
    many = pd.DataFrame({"expression": ["10", "9", "2"], "expression_pred": ["10", "9", "2"]})
    assert predictions_from_frame(many, task="expression").classes == ("2", "9", "10")


def test_numbers_beside_named_scores_are_places_and_said() -> None:
    """Every data set numbers its own, so that the order of the columns may not be theirs."""
    frame = pd.DataFrame({"expression": [0, 1], "prob_sad": [0.9, 0.2], "prob_happy": [0.1, 0.8]})
    result = audit(frame, task="expression", by=[], n_boot=0)
    assert metric(result, "accuracy").value == 1.0  # 0 is sad
    (found,) = [w for w in result.warnings if w.code == "classes_by_place"]
    assert found.message == "expressions are numbers, read as places in sad, happy, from 0"
    given = predictions_from_frame(frame, task="expression", classes=["sad", "happy"])
    named = frame.assign(expression=["sad", "happy"])
    for table in (given, predictions_from_frame(named, task="expression")):
        assert "classes_by_place" not in [w.code for w in table.warnings]


def test_blanks_around_a_class_are_none_of_it() -> None:
    frame = pd.DataFrame(
        {"expression": ["sad ", " happy", "  "], "expression_pred": ["sad", "sad", "sad"]}
    )
    table = predictions_from_frame(frame, task="expression")
    assert table.classes == ("happy", "sad")
    row = metric(audit(table, by=[], n_boot=0), "accuracy")
    assert (row.value, row.n, row.n_unlabelled) == (0.5, 2, 1)


def test_round_trip_of_logits_and_open_bands(tmp_path: Path) -> None:
    table = _logit_tables()["JSON cells"]
    write_predictions(table, tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet", task="expression")
    assert audit(again, by=[], n_boot=0).metrics == audit(table, by=[], n_boot=0).metrics
    frame = pd.DataFrame({"age": ["60-69", "70+"], "age_pred": ["70+", None]})
    bands = predictions_from_frame(frame, task="age")
    write_predictions(bands, tmp_path / "b.parquet")
    again = read_predictions(tmp_path / "b.parquet", task="age")
    assert audit(again, by=[], n_boot=0).metrics == audit(bands, by=[], n_boot=0).metrics

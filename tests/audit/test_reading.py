"""Reading somebody's table: ids and groups as written, bands, scores, failures, writing back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import InputError, Predictions, audit, predictions_from_frame, read_predictions
from audit.bands import band_label, bands_from_edges, parse_band
from audit.predictions import write_predictions
from tests.audit.frames import age_table, expression_table, metric

INF = math.inf


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def codes(result: Any) -> list[str]:
    return [w.code for w in result.warnings]


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("20-29", (20, 30)),
        ("20 - 29", (20, 30)),
        ("20\u201329", (20, 30)),
        ("20 to 29", (20, 30)),
        ("00-02", (0, 3)),
        ("3-9", (3, 10)),
        ("03-Sep", (3, 10)),
        ("3-Sep", (3, 10)),
        ("Oct-19", (10, 20)),
        ("19-Oct", (10, 20)),
        ("(25, 32)", (25, 33)),
        ("(0, 2)", (0, 3)),
        ("[20, 30)", (20, 30)),
        ("[0.5, 3)", (0.5, 3)),
        ("[70, inf)", (70, INF)),
        ("more than 70", (70, INF)),
        ("70+", (70, INF)),
        ("over 60", (60, INF)),
        ("under 18", (0, 18)),
        ("less than 3", (0, 3)),
        ("  20-29  ", (20, 30)),
        ("MORE THAN 70", (70, INF)),
        ("5-5", (5, 6)),
    ],
)
def test_band_texts(text: str, band: tuple[float, float]) -> None:
    assert parse_band(text) == band


@pytest.mark.parametrize(
    "text", ["", "adult", "29-20", "20-", "-5", "20-29-39", "70++", "[30, 20)", "a-b", "1e3+"]
)
def test_no_band(text: str) -> None:
    assert parse_band(text) is None


@pytest.mark.parametrize("band", [*bands_from_edges([0, 3, 10, 18, 70]), (0.5, 3.0), (5.0, 6.0)])
def test_band_labels_are_read_back(band: tuple[float, float]) -> None:
    label = band_label(band)
    assert (parse_band(label) or (float(label), float(label) + 1)) == band


def test_ids_are_text_as_written(tmp_path: Path) -> None:
    path = write(tmp_path, "sample_id,subject_id,age,age_pred\n007,08,20,21\n7,8,30,31\n1e5,,40,\n")
    table = read_predictions(path, task="age")
    assert table.sample_id is not None
    assert table.subject_id is not None
    assert table.sample_id.tolist() == ["007", "7", "1e5"]
    assert table.subject_id.tolist()[:2] == ["08", "8"]
    assert table.subject_id.isna().tolist() == [False, False, True]


def test_integer_ids_of_parquet_equal_their_decimal_text(tmp_path: Path) -> None:
    frame = age_table(0, 30, unknown=False)
    frame["subject_id"] = frame["subject_id"].str[1:].astype(int)
    frame["sample_id"] = range(len(frame))
    frame.to_parquet(tmp_path / "p.parquet")
    frame.to_csv(tmp_path / "p.csv", index=False)
    tables = [read_predictions(tmp_path / f"p.{end}", task="age") for end in ("parquet", "csv")]
    first, second = (audit(t, by=["gender"], n_boot=60).model_dump() for t in tables)
    assert first["metrics"] == second["metrics"]
    assert first["gaps"] == second["gaps"]


def test_nullable_integers_are_decimal_text() -> None:
    frame = pd.DataFrame({"age": [20, 30], "age_pred": [21, 31]})
    frame["subject_id"] = pd.array([7, None], dtype="Int64")
    table = predictions_from_frame(frame, task="age")
    assert table.subject_id is not None
    assert table.subject_id.tolist()[0] == "7"
    assert table.subject_id.isna().tolist() == [False, True]


@pytest.mark.parametrize("values", [[7.0, 8.0], [7.0, None]])
def test_float_ids_are_refused(values: list[float | None]) -> None:
    frame = pd.DataFrame({"age": [20, 30], "age_pred": [21, 31], "subject_id": values})
    with pytest.raises(InputError, match="'subject_id' holds floating-point numbers"):
        predictions_from_frame(frame, task="age")
    mixed = frame.assign(subject_id=pd.Series([7.0, "8"], dtype=object))
    with pytest.raises(InputError, match="floating-point"):
        predictions_from_frame(mixed, task="age")


def test_na_none_and_null_are_groups_and_an_empty_cell_is_none(tmp_path: Path) -> None:
    races = ["NA", "None", "null", "nan", "N/A", "", "<script>alert(1)</script>"]
    rows = "".join(f"{race},{20 + 10 * i},{21 + 11 * i}\n" for i in range(7) for race in races)
    result = audit(
        read_predictions(write(tmp_path, "race,age,age_pred\n" + rows), task="age"),
        by=["race"],
        n_boot=40,
        min_n=2,
    )
    found = [row.group["race"] for row in result.metrics if row.metric == "mae" and row.group]
    assert set(found) == {*races, None} - {""}
    assert len(found) == 7
    assert metric(result, "mae", {"race": None}).n == 7
    in_gaps = {side["race"] for row in result.gaps for side in (row.a, row.b) if side}
    assert None not in in_gaps
    assert {"NA", "None", "null", "nan"} <= in_gaps
    assert "unknown_group" in codes(result)
    assert result.spec.attributes["race"].n_unknown == 7
    content = json.loads(result.to_json())
    names = {row["group"].get("race", "-") for row in content["metrics"]}
    assert {"<script>alert(1)</script>", None} <= names


def test_failures_are_counted_by_group() -> None:
    pred = [21, None, math.nan, math.inf, -math.inf, 31, 42, 52]
    frame = pd.DataFrame(
        {"age": [20] * 5 + [30, 40, None], "age_pred": pred, "gender": list("fffffmmm")}
    )
    result = audit(frame, task="age", by=["gender"], n_boot=0)
    women, men = (metric(result, "mae", {"gender": g}) for g in "fm")
    assert (women.n, women.n_failed, women.n_unlabelled) == (1, 4, 0)
    assert (men.n, men.n_failed, men.n_unlabelled) == (2, 0, 1)
    assert metric(result, "failure_rate", {"gender": "f"}).value == pytest.approx(4 / 5)
    assert {"failures", "unlabelled"} <= set(codes(result))
    assert "failure_gap" not in codes(result)  # too few persons to tell


def test_failure_rates_that_differ_are_a_warning() -> None:
    """20 of 60 women and none of 60 men fail: 33 points, far beyond chance."""
    frame = pd.DataFrame({"age": [30.0] * 120, "gender": ["f", "m"] * 60})
    frame["sample_id"] = [f"s{i}" for i in range(120)]
    frame["age_pred"] = np.where((frame.index < 40) & (frame["gender"] == "f"), np.nan, 31.5)
    result = audit(frame, task="age", by=["gender"], n_boot=0)
    found = [w for w in result.warnings if w.code == "failure_gap"]
    assert [w.where for w in found] == ["gender"]
    assert "33.3 points" in found[0].message


@pytest.mark.parametrize("text", ["", "nan", "NaN", "inf", "-inf", "None", "null"])
def test_texts_of_a_failure(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"age,age_pred\n20,21\n30,{text}\n")
    row = metric(audit(read_predictions(path, task="age"), by=[], n_boot=0), "mae")
    assert (row.n, row.n_failed, row.value) == (1, 1, 1.0)


def test_negative_predictions_are_kept_with_a_warning() -> None:
    frame = pd.DataFrame({"age": [0.0, 2.0], "age_pred": [-0.4, 2.4]})
    result = audit(frame, task="age", by=[], n_boot=0)
    assert metric(result, "bias").value == pytest.approx(0.0, abs=1e-12)
    assert metric(result, "mae").value == pytest.approx(0.4)
    assert "negative_age_pred" in codes(result)
    # below every band: in none of them, but nearest to the first
    assert metric(result, "within_band_accuracy").value == 0.5
    assert metric(result, "one_off_accuracy").value == 1.0


@pytest.mark.parametrize("end", [pytest.param("70+", id="open"), pytest.param("70-79", id="shut")])
def test_bands_as_text_or_as_two_columns(end: str) -> None:
    texts = pd.DataFrame({"age": ["60-69", end], "age_pred": [61, 50]})
    high = [70, None if end == "70+" else 80]
    pair = pd.DataFrame({"age_low": [60, 70], "age_high": high, "age_pred": [61, 50]})
    one, two = (audit(t, task="age", by=["age"], n_boot=0) for t in (texts, pair))
    assert one.to_json() == two.to_json()
    assert metric(one, "band_distance").value == 10.0  # 0 and 70 - 50, halved


def test_bands_and_single_years_mixed() -> None:
    frame = pd.DataFrame({"age": ["20-29", "35"], "age_pred": ["25", "35.5"]})
    result = audit(frame, task="age", by=[], n_boot=0)
    assert "mixed_truth" in codes(result)
    assert metric(result, "within_band_accuracy").value == 1.0


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


@pytest.mark.parametrize("task", ["age", "expression"])
def test_round_trip_through_parquet(tmp_path: Path, task: str) -> None:
    make = age_table if task == "age" else expression_table
    table = predictions_from_frame(make(1, 40), task=task)
    path = tmp_path / "new" / "predictions.parquet"
    write_predictions(table, path)
    again = read_predictions(path, task=task)
    first, second = (audit(t, by=["gender", "race"], n_boot=40) for t in (table, again))
    assert first.metrics == second.metrics
    assert first.gaps == second.gaps
    assert list(path.parent.iterdir()) == [path]


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


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.parquet"
    path.write_text("the old file")

    def broken(self: pd.DataFrame, target: Path, **options: Any) -> None:
        Path(target).write_text("half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", broken)
    table = predictions_from_frame(age_table(0, 5), task="age")
    with pytest.raises(OSError, match="no space"):
        write_predictions(table, path)
    assert path.read_text() == "the old file"
    assert list(tmp_path.iterdir()) == [path]

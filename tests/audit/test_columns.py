"""Ids and groups as written, failures by group, ages as numbers and bands."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import InputError, audit, predictions_from_frame, read_predictions
from tests.audit.frames import age_table, metric


def write(folder: Path, text: str, name: str = "p.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def codes(result: Any) -> list[str]:
    return [w.code for w in result.warnings]


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

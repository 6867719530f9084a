"""Real runs side by side: a planted stereotype, two seeds of it, and two systems that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit import Comparison, Predictions, compare, read_predictions
from tests.audit.conftest import HERITAGE

SIDES = ({"gender": "Female"}, {"gender": "Male"})
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SPELLINGS = {"70+": "more than 70"}


def _heritage(folder: Path, run: str) -> Predictions:
    path = folder / "biased-heritage" / f"multistereo-sa-female-{run}.csv"
    return read_predictions(path, task="expression", mapping=HERITAGE, logits="logits")


def _of(result: Comparison, metric: str, class_: str | None = None) -> Any:
    """The change of the gap between women and men; the table numbers its classes."""
    number = None if class_ is None else str(CLASSES.index(class_))
    wanted = (metric, number, "difference", *SIDES)
    rows = [r for r in result.gaps if (r.metric, r.class_, r.kind, r.a, r.b) == wanted]
    assert len(rows) == 1
    return rows[0]


def _recall_gap(folder: Path, run: str, class_: str) -> float:
    frame = pd.read_csv(folder / "biased-heritage" / f"multistereo-sa-female-{run}.csv")
    frame = frame[frame["label"] == class_]
    hits = (frame["y_true"] == frame["y_pred"]).groupby(frame["gender"]).mean()
    return float(hits["Female"] - hits["Male"])


@pytest.fixture(scope="module")
def planted(shared_data: Path) -> Comparison:
    """Without a stereotype against one: women sad, men angry."""
    runs = {run: _heritage(shared_data, run) for run in ("f0.0-r0", "f1.0-r0")}
    return compare(runs, by=["gender"], n_boot=400)


def test_a_planted_stereotype_is_found_by_class(planted: Comparison, shared_data: Path) -> None:
    for class_, z in (("angry", -20), ("sad", 19)):
        row = _of(planted, "recall", class_)
        before, after = (_recall_gap(shared_data, run, class_) for run in ("f0.0-r0", "f1.0-r0"))
        assert (row.value_a, row.value_b) == pytest.approx((before, after), abs=1e-12)
        assert row.value == pytest.approx(after - before, abs=1e-12)
        assert row.value * z > 0
        assert abs(row.value) / ((row.high - row.low) / 2 / 1.96) == pytest.approx(abs(z), abs=2.5)
        assert row.p_adjusted < 0.01
        assert (row.low_adjusted > 0) if z > 0 else (row.high_adjusted < 0)


def test_it_is_invisible_in_the_gap_of_accuracy(planted: Comparison) -> None:
    row = _of(planted, "accuracy")
    assert (row.value_a, row.value_b) == pytest.approx((0.0846, 0.0827), abs=5e-4)
    assert row.low < 0 < row.high
    assert row.high - row.low < 0.08
    assert row.p > 0.5


def test_two_seeds_of_one_setting_raise_no_alarm_in_those_gaps(shared_data: Path) -> None:
    runs = {run: _heritage(shared_data, run) for run in ("f1.0-r0", "f1.0-r1")}
    result = compare(runs, by=["gender"], n_boot=400)
    for class_ in CLASSES:
        row = _of(result, "recall", class_)
        assert row.p_adjusted is None or row.p_adjusted > 0.05, row
    assert _of(result, "accuracy").p > 0.05


@pytest.fixture(scope="module")
def systems(shared_data: Path) -> dict[str, Predictions]:
    """Bands of age predicted by two systems, joined to their truth."""
    folder = shared_data / "facellm-deepface"
    given: dict[str, Any] = {
        "task": "age",
        "join": folder / "train_labels_inferred_only.csv",
        "on": "image_id",
    }
    return {
        "DeepFace": read_predictions(
            folder / "deepface_3k.csv", failed_when="face_confidence == 0", **given
        ),
        "FaceLLM": read_predictions(folder / "facellm_3k.csv", **given),
    }


def test_systems_that_fail_are_compared_on_what_both_processed(
    systems: dict[str, Predictions], shared_data: Path
) -> None:
    result = compare(systems, by=["gender"], n_boot=200)
    failed = {run.name: run.n_failed for run in result.runs}
    deepface, facellm, truth = (
        pd.read_csv(shared_data / "facellm-deepface" / f"{name}.csv").set_index("image_id")
        for name in ("deepface_3k", "facellm_3k", "train_labels_inferred_only")
    )
    both = truth.index.intersection(deepface.index[deepface["face_confidence"] > 0])
    both = both[facellm.reindex(both)["age"].notna()]
    assert failed["DeepFace"] == 1035
    row = next(r for r in result.paired if r.metric == "within_band_accuracy" and not r.group)
    assert row.n == len(both)
    given = truth.loc[both, "age"]
    said = [table.loc[both, "age"].replace(SPELLINGS) for table in (deepface, facellm)]
    right = [(ages == given).mean() for ages in said]
    assert (row.value_a, row.value_b) == pytest.approx(right, abs=1e-12)
    assert (row.low, row.high) == pytest.approx((0.008, 0.061), abs=2e-3)


def test_failures_count_as_wrong_where_that_is_asked(systems: dict[str, Predictions]) -> None:
    result = compare(systems, by=["gender"], n_boot=0, missing="worst")
    row = next(r for r in result.paired if r.metric == "within_band_accuracy_all" and not r.group)
    assert row.n == 2998
    assert row.value_b - row.value_a > 0.1
    assert row.low > 0

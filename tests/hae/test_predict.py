from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import hae.predict
from audit.errors import InputError
from hae.adapters.predictor import Outputs, Predictor
from hae.adapters.zoo import load_model
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.predict import NOT_FINITE, REASON, predict
from tests.hae.toys import SPEC, draw, toy_faces, toy_model

pytest.importorskip("onnxruntime")


@pytest.fixture
def faces(tmp_path: Path) -> Manifest:
    return read_data(f"manifest:{toy_faces(tmp_path / 'faces', 23)}")


@pytest.fixture
def model(tmp_path: Path) -> Predictor:
    return load_model(str(toy_model(tmp_path / "model")))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hae.predict, "PART", 5)


@dataclass
class Stop:
    """A progress that interrupts after some faces, as Ctrl-C would."""

    after: int
    seen: int = 0

    def __call__(self, done: int) -> None:
        self.seen += done
        if self.seen > self.after:
            raise KeyboardInterrupt


def test_rows_keep_order_and_columns(faces: Manifest, model: Predictor) -> None:
    frame = predict(faces, model)
    assert frame["sample_id"].tolist() == faces.frame["sample_id"].tolist()
    assert list(frame.columns) == [
        "sample_id", "age", "gender", "age_pred", "age_std", "failure_reason",
    ]  # fmt: skip
    assert frame["age_pred"].between(10, 40).all()
    assert frame[REASON].isna().all()


def test_probabilities_on_request(faces: Manifest, model: Predictor) -> None:
    frame = predict(faces, model, keep_probabilities=True)
    proba = frame[["prob_age_10", "prob_age_20", "prob_age_40"]].to_numpy()
    np.testing.assert_allclose(proba @ [10, 20, 40], frame["age_pred"])


def test_expression_columns(faces: Manifest, tmp_path: Path) -> None:
    spec = SPEC.replace("[outputs.age]", "[outputs.expression]")
    spec = spec.replace("centres = [10, 20, 40]", 'classes = ["sad", "happy", "calm"]')
    (faces.root / "images/3.png").unlink()
    frame = predict(faces, load_model(str(toy_model(tmp_path / "m", spec))))
    scores = frame[["prob_sad", "prob_happy", "prob_calm"]]
    best = scores.dropna().idxmax(axis=1).str.removeprefix("prob_")
    assert frame["expression_pred"].dropna().tolist() == best.tolist()
    assert frame["expression_pred"].isna().tolist() == frame[REASON].notna().tolist()


def test_result_does_not_depend_on_batches_or_threads(
    faces: Manifest, model: Predictor, small_parts: None
) -> None:
    first = predict(faces, model, batch_size=64, workers=1)
    for batch_size, workers in ((1, 1), (3, 4), (7, 2)):
        other = predict(faces, model, batch_size=batch_size, workers=workers)
        pd.testing.assert_frame_equal(first, other, check_exact=True)


def test_bad_images_become_failed_rows(faces: Manifest, model: Predictor) -> None:
    images = faces.root / "images"
    (images / "1.png").unlink()
    (images / "4.png").write_bytes((images / "5.png").read_bytes()[:60])
    (images / "6.png").write_text("no picture")
    Image.new("L", (9, 9), 200).save(images / "7.png")
    frame = predict(faces, model)
    assert len(frame) == 23
    failed = frame[frame["age_pred"].isna()]
    assert failed["sample_id"].tolist() == ["f1", "f4", "f6"]
    assert failed["age_std"].isna().all()
    assert failed[REASON].iloc[0] == "no such file"
    assert failed[REASON].notna().all()
    assert frame[REASON].notna().sum() == 3


def test_all_images_of_a_batch_may_be_bad(
    faces: Manifest, model: Predictor, small_parts: None
) -> None:
    for i in range(10):
        (faces.root / f"images/{i}.png").write_text("x")
    frame = predict(faces, model, batch_size=5)
    assert frame["age_pred"].isna().sum() == 10


@dataclass(frozen=True)
class Infinite:
    """A model whose every third face comes out infinite."""

    inner: Predictor

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def predict(self, batch: np.ndarray) -> Outputs:
        out = self.inner.predict(batch)
        out["age"][::3] = np.inf
        return out


def test_output_that_is_not_finite_is_a_failure(faces: Manifest, model: Predictor) -> None:
    frame = predict(faces, Infinite(model))  # type: ignore[arg-type]
    assert frame[REASON].eq(NOT_FINITE).sum() == 8
    assert frame["age_pred"].isna().sum() == 8


def test_no_image_at_all_is_an_error(faces: Manifest, model: Predictor) -> None:
    for path in faces.paths():
        path.unlink()
    with pytest.raises(InputError, match=r"none of its 23 images exists, beginning with"):
        predict(faces, model)


def test_columns_of_the_model_must_be_free(tmp_path: Path, model: Predictor) -> None:
    draw(tmp_path / "a.png", (1, 2, 3))
    (tmp_path / "t.csv").write_text("path,age_pred\na.png,3\n", encoding="utf-8")
    with pytest.raises(InputError, match="'age_pred' is the name of a prediction"):
        predict(read_data(f"manifest:{tmp_path / 't.csv'}"), model)


def test_interrupted_run_goes_on(
    faces: Manifest, model: Predictor, tmp_path: Path, small_parts: None
) -> None:
    parts, told = tmp_path / "p.parts", []
    with pytest.raises(KeyboardInterrupt):
        predict(faces, model, parts=parts, progress=Stop(after=12))
    assert sorted(path.name for path in parts.glob("part-*")) == [
        "part-000000.parquet",
        "part-000001.parquet",
    ]
    counted = Counted(model)
    frame = predict(faces, counted, parts=parts, notice=told.append)  # type: ignore[arg-type]
    assert counted.faces == [5, 5, 3]
    assert not told
    pd.testing.assert_frame_equal(frame, predict(faces, model), check_exact=True)


@dataclass
class Counted:
    """Counts the faces that reach the model."""

    inner: Predictor

    def __post_init__(self) -> None:
        self.faces: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def predict(self, batch: np.ndarray) -> Outputs:
        self.faces.append(len(batch))
        return self.inner.predict(batch)


@pytest.mark.parametrize("change", ["model", "image", "labels", "options"])
def test_parts_of_another_run_are_dropped(
    faces: Manifest, model: Predictor, tmp_path: Path, small_parts: None, change: str
) -> None:
    parts, told = tmp_path / "p.parts", []
    predict(faces, model, parts=parts)
    text = f"manifest:{faces.root / 'faces.csv'}"
    if change == "model":
        model = load_model(str(toy_model(tmp_path / "other", weight=2.0)))
    elif change == "image":
        draw(faces.root / "images/0.png", (1, 1, 1), (20, 20))
    elif change == "labels":
        table = faces.root / "faces.csv"
        table.write_text(table.read_text().replace(",a\n", ",c\n", 1))
    keep = change == "options"
    now = read_data(text)
    frame = predict(now, model, parts=parts, notice=told.append, keep_probabilities=keep)
    reason = {"image": "data", "labels": "data"}.get(change, change)
    assert told == [f"p.parts holds parts of another run ({reason}): starting anew"]
    expected = predict(now, model, keep_probabilities=keep)
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)


def test_damaged_part_is_done_again(
    faces: Manifest, model: Predictor, tmp_path: Path, small_parts: None
) -> None:
    parts = tmp_path / "p.parts"
    whole = predict(faces, model, parts=parts)
    (parts / "part-000001.parquet").write_bytes(b"PAR1")
    again = predict(faces, model, parts=parts)
    pd.testing.assert_frame_equal(whole, again, check_exact=True)


KILLED = """\
import sys, time
import hae.predict
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from pathlib import Path
hae.predict.PART = 5
manifest = read_data("manifest:" + sys.argv[1])
hae.predict.predict(manifest, load_model(sys.argv[2]), parts=Path(sys.argv[3]), batch_size=5,
                    progress=lambda done: time.sleep(0.3))
"""


def test_killed_process_leaves_whole_parts(
    faces: Manifest, model: Predictor, tmp_path: Path, small_parts: None
) -> None:
    parts = tmp_path / "p.parts"
    command = [sys.executable, "-c", KILLED, str(faces.root / "faces.csv")]
    command += [str(tmp_path / "model/toy.toml"), str(parts)]
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 60
        while not (parts / "part-000000.parquet").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    left = len(list(parts.glob("part-*.parquet")))
    assert 1 <= left < 5
    counted = Counted(model)
    frame = predict(faces, counted, parts=parts)  # type: ignore[arg-type]
    assert len(counted.faces) == 5 - left
    pd.testing.assert_frame_equal(frame, predict(faces, model), check_exact=True)

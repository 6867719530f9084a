"""Checkpoints of our own as models that predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.errors import InputError
from audit.result import FileHash
from audit.tables import file_hash
from hae.adapters.checkpoint import AgePredictor, load_checkpoint
from hae.checkpoint import Header, Provenance, read_checkpoint, write_checkpoint
from hae.config import RunConfig
from hae.data.core import content_hash
from hae.data.readers import read_data
from hae.models.age import AgeModel
from hae.predict import predict
from hae.training.train_age import view_tensors
from hae.views import fixed_views
from tests.hae.training.toys import write_faces

MODEL = {
    "size": 16,
    "embedding": 8,
    "backbone": {"name": "small_resnet"},
    "aggregator": {"layers": 1, "heads": 2, "feedforward": 8},
    "views": {"k": 3},
}


def written(path: Path, temperature: float = 2.0, task: str = "age", **model: object) -> Path:
    """A checkpoint of random weights."""
    config = RunConfig.model_validate({"name": "toy", "model": {**MODEL, **model}})
    torch.manual_seed(0)
    made = Provenance(
        data="toys",
        content=[],
        files=[FileHash(name="f", sha256="0", bytes=1)],
        faces=1,
        people=1,
        validation_faces=1,
        validation_people=1,
        unreadable=0,
        crop="all",
        terms="for research",
        steps=1,
        best_step=1,
        init={},
        versions={},
    )
    header = Header.model_validate(
        {
            "task": task,
            "config": config,
            "temperature": temperature,
            "metrics": {},
            "provenance": made,
        }
    )
    tensors = {f"model.{k}": v for k, v in AgeModel(config.model).state_dict().items()}
    views = fixed_views(config.model.views, seed=0)
    write_checkpoint(path, header, {**tensors, **view_tensors(views)})
    return path


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> AgePredictor:
    return load_checkpoint(written(tmp_path_factory.mktemp("m") / "m.safetensors"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), people=9, photos=3, size=16)


def test_what_a_predictor_tells(predictor: AgePredictor) -> None:
    assert predictor.name == "toy"
    assert predictor.tasks == ("age",)
    assert predictor.input_spec.size == (16, 16)
    assert predictor.classes == ()
    assert len(predictor.centres) == 101
    assert predictor.extras == ("age_std_raw", "age_view_std")
    assert predictor.terms == "trained on toys: for research"


def test_columns_are_there_and_finite(predictor: AgePredictor, table: Path) -> None:
    frame = predict(read_data(f"manifest:{table}"), predictor)
    columns = ["age_pred", "age_std", "age_std_raw", "age_view_std"]
    assert [name for name in frame.columns if name in columns] == columns
    assert np.isfinite(frame[columns].to_numpy(float)).all()
    assert (frame[["age_std", "age_std_raw"]] > 0).all(axis=None)
    assert frame["failure_reason"].isna().all()


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batches_do_not_change_a_number(
    predictor: AgePredictor, table: Path, batch_size: int
) -> None:
    manifest = read_data(f"manifest:{table}")
    first = predict(manifest, predictor, keep_probabilities=True)
    again = predict(manifest, predictor, keep_probabilities=True, batch_size=batch_size)
    pd.testing.assert_frame_equal(first, again, check_exact=True)


def test_the_distribution_is_one_whose_mean_is_the_estimate(predictor: AgePredictor) -> None:
    faces = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    found = predictor.predict(faces)
    proba, centres = found["age_proba"], np.array(predictor.centres)
    assert proba.shape == (20, 101)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-9)
    assert (proba >= 0).all()
    # Random weights leave the scores almost even: an estimate off the middle by d years pushes
    # the share d / 101 of the mass into an end bin, which draws the mean back by about d^2 / 202.
    off = found["age"] - 50.5
    mean = proba @ centres
    np.testing.assert_allclose(mean, found["age"], atol=float((off**2).max()) / 202 + 0.5)


def test_the_mean_is_the_estimate_away_from_the_ends(
    predictor: AgePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Scores that fall by 1 a bin from bin 40 leave nothing at the ends: exp(-40).
    head = predictor.model.head
    forward = head.forward

    def peaked(z: torch.Tensor) -> dict[str, torch.Tensor]:
        raw = forward(z)
        index = torch.arange(101.0)
        return {**raw, "logits": raw["logits"] - (index - 40).abs()}

    monkeypatch.setattr(head, "forward", peaked)
    found = predictor.predict(np.full((2, 16, 16, 3), 90, dtype=np.uint8))
    mean = found["age_proba"] @ np.array(predictor.centres)
    assert (np.abs(found["age"] - 40) < 5).all()
    np.testing.assert_allclose(mean, found["age"], atol=1e-3)


def test_temperature_changes_only_the_scaled_spread(
    predictor: AgePredictor, tmp_path: Path
) -> None:
    cold = load_checkpoint(written(tmp_path / "m.safetensors", temperature=0.05))
    faces = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    one, two = predictor.predict(faces), cold.predict(faces)
    np.testing.assert_array_equal(one["age_std_raw"], two["age_std_raw"])
    np.testing.assert_array_equal(one["age"], two["age"])
    assert (two["age_std"] < one["age_std_raw"]).all()
    # Heat evens the scores out: towards 101 bins of a year, all alike, of SD 101 / sqrt(12).
    even = 101 / np.sqrt(12)
    assert (np.abs(one["age_std"] - even) < np.abs(one["age_std_raw"] - even)).all()


def test_one_view_has_no_spread(tmp_path: Path, table: Path) -> None:
    model = load_checkpoint(written(tmp_path / "m.safetensors", views={"k": 1}))
    frame = predict(read_data(f"manifest:{table}"), model)
    assert (frame["age_view_std"] == 0).all()


def test_a_regression_has_no_distribution(tmp_path: Path, table: Path) -> None:
    model = load_checkpoint(written(tmp_path / "m.safetensors", head={"name": "regression"}))
    frame = predict(read_data(f"manifest:{table}"), model, keep_probabilities=True)
    assert model.extras == ("age_view_std",)
    assert not {"age_std", "age_std_raw"} & set(frame.columns)
    assert not [name for name in frame.columns if name.startswith("prob_")]


def test_loading_leaves_the_random_state_and_can_be_repeated(
    tmp_path: Path, predictor: AgePredictor
) -> None:
    path = written(tmp_path / "m.safetensors")
    torch.manual_seed(7)
    model = load_checkpoint(path)
    after = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(1))
    assert not model.model.training
    faces = np.full((2, 16, 16, 3), 90, dtype=np.uint8)
    np.testing.assert_array_equal(model.predict(faces)["age"], predictor.predict(faces)["age"])


def test_half_weights_predict_in_full(tmp_path: Path) -> None:
    found = read_checkpoint(written(tmp_path / "m.safetensors"))
    half = {k: v.half() if v.is_floating_point() else v for k, v in found.part("model").items()}
    views = {k: v for k, v in found.tensors.items() if k.startswith("views.")}
    named = {f"model.{k}": v for k, v in half.items()}
    write_checkpoint(tmp_path / "h.safetensors", found.header, {**named, **views})
    model = load_checkpoint(tmp_path / "h.safetensors")
    assert {p.dtype for p in model.model.parameters()} == {torch.float32}


def test_other_weights_than_the_configs_are_refused(tmp_path: Path) -> None:
    found = read_checkpoint(written(tmp_path / "m.safetensors"))
    fewer = {k: v for k, v in found.tensors.items() if k != "model.projection.bias"}
    write_checkpoint(tmp_path / "f.safetensors", found.header, fewer)
    with pytest.raises(InputError, match=r"weights are not those of its config: .*projection\.bia"):
        load_checkpoint(tmp_path / "f.safetensors")


def test_an_identity_model_predicts_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", task="identity")
    with pytest.raises(InputError, match=r"task 'identity', which predicts nothing; .*--init"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("trained", "audited", "seen"),
    [
        ("train", "train", True),
        ("train", "test", False),
        ("train", None, True),  # the whole holds the part
        (None, "test", True),  # the part of a whole
        (None, None, True),
    ],
)
def test_whether_a_model_has_seen_faces(
    tmp_path: Path, trained: str | None, audited: str | None, seen: bool
) -> None:
    table = write_faces(tmp_path, 4)
    frame = pd.read_csv(table)
    frame.assign(split=["train", "test"] * (len(frame) // 2)).to_csv(table, index=False)
    for name in (f"manifest:{table}", "rendered:people=40"):
        found = read_data(name, trained)
        model = load_checkpoint(written(tmp_path / "m.safetensors"))
        made = model.header.provenance.model_copy(
            update={
                "data": found.label,
                "files": [file_hash(path) for path in found.files],
                "content": [content_hash(found)],
            }
        )
        model = replace(model, header=model.header.model_copy(update={"provenance": made}))
        assert model.has_seen(read_data(name, audited)) is seen
        assert not model.has_seen(read_data("rendered:people=40,seed=3", audited))

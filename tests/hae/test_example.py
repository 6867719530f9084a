"""The checkpoint that the package ships: small, good on drawn faces, and its errors are found."""

from __future__ import annotations

import numpy as np
import pytest

from audit import audit
from benchmarks.planted import called, gaps
from hae.adapters.checkpoint import VIEW_STD, AgePredictor, ExpressionPredictor
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from hae.data.rendered.spec import RenderSpec, noise_floor
from hae.predict import predict
from hae.zoo import ZOO


@pytest.fixture(scope="module")
def example() -> AgePredictor:
    model = load_model("zoo:example")
    assert isinstance(model, AgePredictor)
    return model


def test_it_is_small_and_says_what_it_is(example: AgePredictor) -> None:
    assert ZOO["example"].stat().st_size <= 2_000_000
    assert example.header.config.model.aggregator.name == "sae"
    assert example.terms is not None
    assert "no real person" in example.terms
    assert not example.header.provenance.validation_seen


def test_it_is_near_the_noise_floor_on_people_it_has_not_seen(example: AgePredictor) -> None:
    # the recipe trains on seed 1; the bound is 1.3 times the floor, here with 600 faces
    frame = predict(read_data("rendered:people=300,photos=2,seed=31"), example, workers=1)
    error = (frame["age_pred"] - frame["age"]).abs()
    assert error.mean() < 1.3 * noise_floor(RenderSpec())
    # calibrated: about 95 % of the ages lie within two predicted standard deviations
    assert 0.9 < (error < 2 * frame["age_std"]).mean() < 0.99
    assert (frame[VIEW_STD] > 0).all()


def test_a_planted_bias_is_found_and_its_absence_too(example: AgePredictor) -> None:
    blurred = gaps(example, 100, "blur")["mae"]
    assert blurred["high"] < 0  # A's error is the smaller one
    plain = gaps(example, 100, "none")["mae"]
    assert plain["low"] < 0 < plain["high"]


@pytest.mark.slow
def test_without_a_planted_bias_at_most_one_of_ten_cohorts_shows_one(
    example: AgePredictor,
) -> None:
    rows = [gaps(example, 100 + seed, "none") for seed in range(10)]
    assert called(rows, "mae") <= 1
    assert np.abs([row["mae"]["value"] for row in rows]).mean() < 0.5


def test_the_example_of_expressions_is_small_and_good_on_people_it_has_not_seen() -> None:
    model = load_model("zoo:example-expression")
    assert isinstance(model, ExpressionPredictor)
    assert ZOO["example-expression"].stat().st_size <= 2_000_000
    assert model.header.config.expression.relabel == "low_group"
    assert model.terms is not None
    assert "no real person" in model.terms
    assert not model.header.provenance.validation_seen
    plain, blurred = (
        predict(read_data(f"rendered:people=150,photos=2,seed=31{more}"), model, workers=1)
        for more in ("", ",blur=1.5,group_share=1")
    )
    right = [(frame["expression"] == frame["expression_pred"]).mean() for frame in (plain, blurred)]
    assert right[0] > 0.85  # 7 classes; 300 faces: SD 0.02
    assert right[1] < right[0] - 0.1
    assert plain["importance"].between(0, 1).all()


def test_a_planted_blur_is_found_in_expressions_too() -> None:
    model = load_model("zoo:example-expression")
    data = read_data("rendered:people=300,photos=1,seed=32,blur=1.5")
    result = audit(predict(data, model, workers=1), task="expression", by=["group"], n_boot=0)
    gap = next(gap for gap in result.gaps if gap.metric == "accuracy" and gap.kind == "difference")
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low > 0 or gap.high < 0

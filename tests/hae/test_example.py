"""The checkpoint that the package ships: small, good on drawn faces, and its errors are found."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planted import called, gaps
from hae.adapters.checkpoint import VIEW_STD, AgePredictor
from hae.adapters.zoo import ZOO, load_model
from hae.data.readers import read_data
from hae.data.rendered.spec import RenderSpec, noise_floor
from hae.predict import predict


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

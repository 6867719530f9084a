from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from audit.run import audit
from hae.adapters.zoo import load_model
from hae.data.readers import read_data
from hae.data.rendered.anatomy import columns
from hae.data.rendered.paint import VERSION, paint
from hae.data.rendered.people import EXPRESSIONS, cohort
from hae.data.rendered.reader import RenderedImages, read_rendered
from hae.data.rendered.spec import RenderSpec, described, read_spec

EXTRA = ["ambiguity", "second_expression", "second_code"]
SHARE = 0.4


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """20,000 photos of as many people, two fifths of them blended."""
    return cohort(RenderSpec(people=20_000, photos=1, ambiguous=SHARE))


def test_without_the_knob_bytes_and_texts_are_those_of_version_1() -> None:
    # taken before the knob was there
    spec = RenderSpec(people=60, photos=2, blur=1)
    faces = paint(cohort(spec), 64)
    assert VERSION == 1
    assert hashlib.sha256(faces.tobytes()).hexdigest().startswith("421e1642f5c60036b0dc8ec5d35b")
    images = RenderedImages(RenderSpec(), cohort(RenderSpec(people=1)))
    assert images.fingerprint == (
        'rendered/1 all {"people":2000,"photos":3,"size":64,"seed":0,"age_min":1.0,"age_max":90.0,'
        '"offset_sd":4.0,"group_share":0.5,"blur":0.0,"noise":0.0,"label_noise":0.0,"ageing":0.0}'
    )
    assert described(RenderSpec(ambiguous=0)) == "default"
    assert not set(EXTRA) & set(cohort(spec).columns)


def test_the_shipped_example_knows_what_it_was_trained_on() -> None:
    model = load_model("zoo:example")
    data = "rendered:people=8000,photos=2,seed=1"
    found = {part: model.has_seen(read_data(data, part)) for part in ("train", "val", "test")}
    assert found == {"train": True, "val": True, "test": False}


def test_the_knob_adds_columns_and_changes_no_other() -> None:
    plain = cohort(RenderSpec(people=50))
    blended = cohort(RenderSpec(people=50, ambiguous=SHARE))
    pd.testing.assert_frame_equal(blended.drop(columns=EXTRA), plain)
    few = cohort(RenderSpec(people=5, ambiguous=SHARE))
    pd.testing.assert_frame_equal(few, blended.iloc[:15])


def test_only_blended_photos_are_painted_anew() -> None:
    plain = paint(cohort(RenderSpec(people=60)), 64)
    params = cohort(RenderSpec(people=60, ambiguous=SHARE))
    same = (paint(params, 64) == plain).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same, params["ambiguity"] == 0)
    order = np.random.default_rng(0).permutation(len(params))
    np.testing.assert_array_equal(paint(params.iloc[order], 64), paint(params, 64)[order])


def test_share_weight_and_second_expression(crowd: pd.DataFrame) -> None:
    blended = crowd["ambiguity"] > 0
    # sqrt(.4 .6 / 20000) = .0035: four standard errors
    assert blended.mean() == pytest.approx(SHARE, abs=0.014)
    some = crowd[blended]
    assert some["ambiguity"].between(0.5, 1, inclusive="right").all()
    # uniform on (0.5, 1]: mean 0.75, SD 0.5 / sqrt(12)
    error = 0.5 / math.sqrt(12 * len(some))
    assert some["ambiguity"].mean() == pytest.approx(0.75, abs=4 * error)
    assert (some["second_expression"] != some["expression"]).all()
    names = np.array(EXPRESSIONS, dtype=object)
    np.testing.assert_array_equal(some["second_expression"], names[some["second_code"]])
    pairs = pd.crosstab(some["expression"], some["second_expression"])
    expected = len(some) / 42  # of seven labels with six others each
    assert set(np.diag(pairs)) == {0}
    away = pairs.to_numpy()[~np.eye(7, dtype=bool)]
    assert np.abs(away - expected).max() < 4.5 * math.sqrt(expected)
    assert crowd.loc[~blended, "second_expression"].isna().all()
    groups = some["group"].value_counts(normalize=True)
    assert groups["A"] == pytest.approx(0.5, abs=2.5 / math.sqrt(len(some)))


def test_a_photo_is_blended_in_the_same_way_at_every_larger_share(crowd: pd.DataFrame) -> None:
    every = cohort(RenderSpec(people=20_000, photos=1, ambiguous=1))
    assert (every["ambiguity"] > 0).all()
    some = crowd["ambiguity"] > 0
    pd.testing.assert_frame_equal(every.loc[some, EXTRA], crowd.loc[some, EXTRA])


def test_movements_are_the_weighted_mean() -> None:
    row = cohort(RenderSpec(people=1, photos=1, ambiguous=1)).assign(
        expression_code=EXPRESSIONS.index("happiness"),
        second_code=EXPRESSIONS.index("surprise"),
        expression_strength=1.0,
        ambiguity=0.8,
    )
    found = columns(row)
    # 0.6 x happiness + 0.4 x surprise: smile 1 and 0, mouth open 0.3 and 1, brow raise 0.1 and 1
    movements = [float(found[name].item()) for name in ("smile", "open", "raise", "frown")]
    assert movements == pytest.approx([0.6, 0.58, 0.46, 0.0], abs=1e-6)
    flat = columns(row.assign(ambiguity=0.0))
    assert float(flat["smile"].item()) == 1.0


def test_a_blend_lies_between_its_two_expressions() -> None:
    params = cohort(RenderSpec(people=150, photos=1, ambiguous=1)).assign(
        sensor=0.0, expression_strength=1.0
    )
    first, blend = (
        paint(params.assign(ambiguity=share), 64).astype(float)
        for share in (0.0, params["ambiguity"])
    )
    second = paint(params.assign(ambiguity=0.0, expression_code=params["second_code"]), 64)
    to_first = np.abs(blend - first).mean(axis=(1, 2, 3))
    to_second = np.abs(blend - second).mean(axis=(1, 2, 3))
    assert (to_first > 0).all()
    # the label's weight is 0.5 to 0.75, so the picture is nearer to it in most
    assert (to_first < to_second).mean() > 0.8


def test_reader_offers_the_truth_and_how_hard_it_is() -> None:
    plain = read_rendered(Path("people=30,photos=2"), None, {})
    assert set(plain.frame["expression"]) <= set(EXPRESSIONS)
    hard = read_rendered(Path("people=30,photos=2,ambiguous=0.5"), None, {})
    assert list(hard.frame.columns) == [
        *plain.frame.columns,
        "ambiguity",
        "second_expression",
    ]
    assert hard.label == "drawn faces (people=30,photos=2,ambiguous=0.5)"
    known = hard.frame["second_expression"].notna()
    np.testing.assert_array_equal(known, hard.frame["ambiguity"] > 0)
    assert isinstance(hard.images, RenderedImages)
    assert '"ambiguous":0.5' in hard.images.fingerprint


def test_expression_is_the_truth_of_one_task_and_an_attribute_of_the_other() -> None:
    frame = read_rendered(Path("people=60,photos=2"), None, {}).frame
    ages = frame.assign(age_pred=frame["age"] + 1)
    rows = audit(ages, task="age", by=["expression"], n_boot=0, min_n=2).metrics
    assert {row.group["expression"] for row in rows if row.group} == set(EXPRESSIONS)
    faces = frame.assign(expression_pred=frame["expression"])
    rows = audit(faces, task="expression", by=[], n_boot=0).metrics
    assert {row.value for row in rows if row.metric == "accuracy"} == {1.0}


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan"])
def test_share_must_be_a_share(value: str) -> None:
    with pytest.raises(InputError, match="ambiguous: "):
        read_spec(f"ambiguous={value}")

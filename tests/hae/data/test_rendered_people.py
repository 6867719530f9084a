from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from hae.data.rendered.people import EXPRESSIONS, PRESENTATIONS, cohort
from hae.data.rendered.spec import RenderSpec, described, noise_floor, read_spec


@pytest.fixture(scope="module")
def crowd() -> pd.DataFrame:
    """20,000 people, one photo each."""
    return cohort(RenderSpec(people=20_000, photos=1))


def test_a_person_does_not_depend_on_the_others() -> None:
    few = cohort(RenderSpec(people=5, photos=3))
    many = cohort(RenderSpec(people=50, photos=3))
    pd.testing.assert_frame_equal(few, many.iloc[:15])


def test_another_seed_gives_other_people() -> None:
    first, second = (cohort(RenderSpec(people=50, seed=seed)) for seed in (0, 1))
    assert not (first["drawn_age"] == second["drawn_age"]).any()
    assert first["noise_key"].nunique() == second["noise_key"].nunique() == 150


def test_photos_of_a_person_share_the_person_and_differ_in_the_rest() -> None:
    frame = cohort(RenderSpec(people=40, photos=3))
    assert frame["sample_id"].is_unique
    groups = frame.groupby("subject_id")
    for name in ("age", "drawn_age", "age_offset", "group", "skin_tone", "split", "hair_r", "jaw"):
        assert (groups[name].nunique() == 1).all(), name
    for name in ("tilt", "light_x", "noise_key"):
        assert (groups[name].nunique() == 3).all(), name


def test_splits_are_by_person_and_about_70_15_15(crowd: pd.DataFrame) -> None:
    frame = cohort(RenderSpec(people=300, photos=4))
    people = {name: set(part["subject_id"]) for name, part in frame.groupby("split")}
    assert not people["train"] & people["val"]
    assert not people["train"] & people["test"]
    assert not people["val"] & people["test"]
    shares = crowd["split"].value_counts(normalize=True)
    # sqrt(.7 .3 / 20000) = .0032: four standard errors
    expected = {"train": 0.70, "val": 0.15, "test": 0.15}
    assert shares.to_dict() == pytest.approx(expected, abs=0.013)


def test_ages_and_offsets(crowd: pd.DataFrame) -> None:
    offset = crowd["age_offset"]
    np.testing.assert_allclose(crowd["age"], crowd["drawn_age"] + offset, atol=1e-12)
    assert crowd["age"].min() >= 0
    assert crowd["drawn_age"].between(1, 90).all()
    assert offset.mean() == pytest.approx(0, abs=4 * 4 / math.sqrt(20_000))
    assert offset.std() == pytest.approx(4, rel=4 / math.sqrt(2 * 20_000))
    counts = np.histogram(crowd["drawn_age"], bins=np.linspace(10, 90, 9))[0]
    # uniform on [max(1, -o), 90]: each decade from 10 on has 10 / E[90 - max(1, -o)] of 20,000
    low = np.maximum(1, -offset)
    expected = 20_000 * (10 / (90 - low)).mean()
    assert counts == pytest.approx(np.full(8, expected), abs=4.5 * math.sqrt(expected))


@pytest.mark.parametrize(
    ("group", "expected"),
    [("A", 4 * math.sqrt(2 / math.pi)), ("B", 5 * math.sqrt(2 / math.pi))],  # 3² + 4² = 5²
)
def test_noise_floor_is_what_the_drawn_age_reaches(group: str, expected: float) -> None:
    spec = RenderSpec(people=20_000, photos=1, label_noise=3)
    assert noise_floor(spec, "B" if group == "B" else "A") == pytest.approx(expected)
    frame = cohort(spec).query("group == @group")
    error = (frame["age"] - frame["drawn_age"]).abs()
    # SD of |N(0, s²)| is s sqrt(1 - 2/π)
    margin = 4 * expected * math.sqrt(math.pi / 2 - 1) / math.sqrt(len(frame))
    assert error.mean() == pytest.approx(expected, abs=margin)
    assert frame["age"].min() >= 0


def test_knobs_change_group_b_alone() -> None:
    plain = cohort(RenderSpec(people=400, photos=2))
    knobs = RenderSpec(people=400, photos=2, blur=1, noise=9, label_noise=3, ageing=-8)
    planted = cohort(knobs)
    first = plain["group"] == "A"
    pd.testing.assert_frame_equal(plain[first], planted[first])
    changed = {
        name for name in plain if not plain.loc[~first, name].equals(planted.loc[~first, name])
    }
    # ages below the error of their label are drawn higher, so that no label is negative
    assert changed == {"age", "drawn_age", "painted_age", "blur", "noise"}
    second = planted[~first]
    np.testing.assert_allclose(
        second["painted_age"], np.maximum(second["drawn_age"] - 8, 0), atol=1e-12
    )
    assert set(second["blur"]) == {1.0}
    assert set(second["noise"]) == {9.0}


def test_group_share(crowd: pd.DataFrame) -> None:
    assert (crowd["group"] == "B").mean() == pytest.approx(0.5, abs=0.015)
    few = cohort(RenderSpec(people=20_000, photos=1, group_share=0.1))
    assert (few["group"] == "B").mean() == pytest.approx(0.1, abs=0.009)
    assert set(cohort(RenderSpec(people=50, group_share=0))["group"]) == {"A"}
    # who was in B in the smaller share stays in it
    assert (crowd.loc[few["group"] == "B", "group"] == "B").all()


def test_what_is_drawn_does_not_follow_the_age(crowd: pd.DataFrame) -> None:
    numbers = crowd.select_dtypes("float64")
    free = numbers.columns.drop(["age", "drawn_age", "painted_age", "age_offset", "blur", "noise"])
    correlation = numbers[free].corrwith(crowd["drawn_age"]).abs()
    assert correlation.max() < 4.5 / math.sqrt(20_000)
    for name in ("group", "skin_tone", "presentation", "expression"):
        ages = crowd.groupby(name)["drawn_age"]
        means, error = ages.mean(), ages.std() / np.sqrt(ages.size())
        assert ((means - crowd["drawn_age"].mean()).abs() < 4 * error).all(), name
    assert set(crowd["expression"]) == set(EXPRESSIONS)
    assert set(crowd["presentation"]) == set(PRESENTATIONS)
    assert set(crowd["skin_tone"]) == {str(tone) for tone in range(1, 11)}


def test_spec_forms(tmp_path: Path) -> None:
    assert read_spec("default") == RenderSpec()
    spec = read_spec("people=500, photos=2,blur=1.5")
    assert (spec.people, spec.photos, spec.blur, spec.size) == (500, 2, 1.5, 64)
    file = tmp_path / "faces.toml"
    file.write_text("people = 500\nphotos = 2\nblur = 1.5\n", encoding="utf-8")
    assert read_spec(str(file)) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("peple=3", "unknown key 'peple'; did you mean 'people'"),
        ("race=x", "unknown key 'race'; known are people, photos"),
        ("people=many", "people: .* got 'many'"),
        ("people=0", "people: .*greater than or equal to 1, got '0'"),
        ("people=3,people=4", "'people' occurs twice; give it once"),
        ("people=3,", "'' must be key=value"),
        ("people", "must be 'default', a .toml file or key=value"),
        ("blur=-1", "blur: .*greater than or equal to 0"),
        ("noise=nan", "noise: "),
        ("age_min=50,age_max=40", "age_min is 50 and age_max 40, must be min < max"),
        ("people=6000,photos=900", "people x photos is 5,400,000, must be at most 5,000,000"),
        ("offset_sd=19", "offset_sd and label_noise together have SD 19, must be at most"),
        ("/nowhere/faces.toml", "cannot be read"),
    ],
)
def test_bad_specs(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_spec(text)
    assert "\n" not in str(caught.value)


def test_bad_toml(tmp_path: Path) -> None:
    file = tmp_path / "faces.toml"
    file.write_text("people 3", encoding="utf-8")
    with pytest.raises(InputError, match=r"faces\.toml: is no TOML"):
        read_spec(str(file))


def test_the_name_of_a_cohort_keeps_all_digits() -> None:
    spec = RenderSpec(people=1_000_000, photos=1, seed=2**62 + 1, blur=1.0, group_share=0.3333333)
    assert described(spec).startswith("people=1000000,photos=1,seed=4611686018427387905,")
    assert read_spec(described(spec)) == spec

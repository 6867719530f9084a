"""Shares by person, beside a reference; numbers by hand and beside statsmodels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, chisquare
from statsmodels.stats.proportion import proportion_confint

from audit.data_set.faces import faces_of
from audit.data_set.prepare import DataOptions
from audit.data_set.reference import Reference, read_shares
from audit.data_set.run import audit_data
from audit.data_set.shares import shares_of
from audit.errors import InputError
from tests.audit.data_set.looking import metric, people, statistic


def test_one_photo_each_is_wilson() -> None:
    result = audit_data(people({"f": 30, "m": 70}))
    row = metric(result, "share", gender="f")
    low, high = proportion_confint(30, 100, method="wilson")
    assert row.value == 0.3
    # t with 99 degrees of freedom and n_eff = 99 instead of the normal quantile and 100
    assert row.low == pytest.approx(low, abs=0.002)
    assert row.high == pytest.approx(high, abs=0.002)
    assert (row.n, row.n_subjects, row.method) == (30, 30, "wilson_neff")


def test_photos_of_a_person_are_one_draw() -> None:
    one, five = (audit_data(people({"f": 30, "m": 70}, photos)) for photos in (1, 5))
    a, b = (metric(result, "share", gender="f") for result in (one, five))
    assert (b.value, b.n, b.n_subjects) == (0.3, 150, 30)
    assert (b.low, b.high) == pytest.approx((a.low, a.high), abs=0.002)


def test_rare_groups_keep_an_interval() -> None:
    row = metric(audit_data(people({"f": 2, "m": 498})), "share", gender="f")
    assert row.low is not None
    assert row.high is not None
    assert 0 < row.low < 0.004 < row.high < 0.02


def test_coverage_of_a_share_by_person() -> None:
    """60 persons of 1 to 9 photos, P(f) = 0.25, 600 runs, seed 1: 95 % +- 2.5 points."""
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(600):
        photos = generator.integers(1, 10, 60)
        is_f = generator.random(60) < 0.25
        frame = pd.DataFrame({"subject_id": np.repeat(np.arange(60).astype(str), photos),
                              "gender": np.repeat(np.where(is_f, "f", "m"), photos)})  # fmt: skip
        faces = faces_of(frame, ["gender"], "t")
        item, group = faces.grouped(("gender",))
        if item.groups[0] != ("f",):
            continue
        found = shares_of(faces.by_person(group, len(item.groups), np.arange(len(frame))))
        row = found.fields(0)
        hits += row["low"] <= 0.25 <= row["high"]
    assert 0.925 <= hits / 600 <= 0.975


def test_ratio_to_a_reference_by_hand() -> None:
    reference = Reference(("gender",), {("f",): 0.6, ("m",): 0.4})
    result = audit_data(people({"f": 30, "m": 70}), reference=reference)
    share = metric(result, "share", gender="f")
    ratio = metric(result, "representation_ratio", gender="f")
    assert share.low is not None
    assert ratio.value == pytest.approx(0.5)
    assert ratio.low == pytest.approx(share.low / 0.6)
    assert statistic(result, "tv_reference", "gender").value == pytest.approx(0.3)
    test = statistic(result, "chi2_reference", "gender")
    want = chisquare([30, 70], [60, 40])
    # the design effect of one photo each is m / (m - 1) of the sample variance
    assert test.value == pytest.approx(want.statistic * 99 / 100)
    assert test.null_expected == 1
    assert test.p == pytest.approx(chi2.sf(want.statistic * 99 / 100, 1))


def test_the_test_allows_for_photos() -> None:
    reference = Reference(("gender",), {("f",): 0.4, ("m",): 0.6})
    one, five = (
        statistic(audit_data(people({"f": 30, "m": 70}, photos), reference=reference),
                  "chi2_reference", "gender")
        for photos in (1, 5)
    )  # fmt: skip
    assert five.value == pytest.approx(one.value)
    assert five.p == pytest.approx(one.p)


def test_null_of_the_reference_test() -> None:
    """40 persons of 5 photos drawn from the reference, 400 runs, seed 2: 5 % of p below 0.05."""
    generator = np.random.default_rng(2)
    given = {("a",): 0.5, ("b",): 0.3, ("c",): 0.2}
    reference, found = Reference(("race",), given), 0
    for _ in range(400):
        race = generator.choice(["a", "b", "c"], 40, p=[0.5, 0.3, 0.2])
        frame = pd.DataFrame({"subject_id": np.repeat(np.arange(40).astype(str), 5),
                              "race": np.repeat(race, 5)})  # fmt: skip
        row = statistic(audit_data(frame, reference=reference), "chi2_reference", "race")
        assert row.p is not None
        found += row.p < 0.05
    assert 0.02 <= found / 400 <= 0.08


def test_cells_of_two_attributes_in_either_order() -> None:
    frame = pd.DataFrame({"gender": list("ffmm"), "race": list("xyxx")})
    reference = Reference(
        ("race", "gender"),
        {("x", "f"): 0.25, ("y", "f"): 0.25, ("x", "m"): 0.25, ("y", "m"): 0.25},
    )
    result = audit_data(frame, DataOptions(by=["gender,race"]), reference=reference)
    assert metric(result, "representation_ratio", gender="m", race="x").value == pytest.approx(2)
    absent = metric(result, "representation_ratio", gender="m", race="y")
    assert (absent.value, absent.note, absent.n) == (0, "absent_group", 0)
    assert result.spec.combinations == [["gender", "race"]]


def test_without_overlap_it_is_said() -> None:
    reference = Reference(("gender",), {("Female",): 0.5, ("Male",): 0.5})
    result = audit_data(people({"f": 3, "m": 7}), reference=reference)
    row = metric(result, "representation_ratio", gender="f")
    assert (row.value, row.note) == (None, "outside_reference")
    apart = statistic(result, "tv_reference", "gender")
    assert (apart.value, apart.note) == (1, "disjoint")
    test = statistic(result, "chi2_reference", "gender")
    assert (test.value, test.p, test.note) == (None, None, "outside_reference")
    said = [w for w in result.warnings if w.code == "reference_disjoint"]
    assert said[0].severity == "serious"
    assert "the reference has Female, Male; the data have f, m" in said[0].message


def test_unknown_faces_are_counted_apart() -> None:
    frame = people({"f": 3, "m": 7})
    frame.loc[0, "gender"] = None
    result = audit_data(frame)
    row = metric(result, "share", gender="f")
    assert (row.value, row.n_unlabelled) == (pytest.approx(2 / 9), 1)
    assert result.spec.attributes["gender"].n_unknown == 1


def test_nothing_known_at_all() -> None:
    frame = people({"f": 3}).assign(gender=None)
    result = audit_data(frame, DataOptions(by=["gender"]))
    assert [row.group for row in result.metrics if row.metric == "share"] == [{}]
    assert statistic(result, "evenness", "gender").value is None


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "ref.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reference_files(tmp_path: Path) -> None:
    found = read_shares(table(tmp_path, "age,count\n0-2,1\nmore than 70,3\n"))
    assert found == Reference(("age",), {("0-2",): 0.25, ("70+",): 0.75})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gender\nf\n", "one of share"),
        ("share\n1\n", "a column for each attribute"),
        ("gender,share\nf,-1\n", "row 1: share is '-1'"),
        ("gender,share\nf,x\n", "row 1: share is 'x'"),
        ("gender,share\nf,0\nm,0\n", "every share is 0"),
        ("gender,share\nf,1\nf,2\n", "row 2: f occurs twice"),
        ("gender,share\n,1\n", "row 1: gender is empty"),
    ],
)
def test_bad_reference_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_shares(table(tmp_path, text))


def test_reference_by_what_is_not_there() -> None:
    with pytest.raises(InputError, match=r"--reference race: no such column 'race'; .* gender"):
        audit_data(people({"f": 3}), reference=Reference(("race",), {("x",): 1.0}))

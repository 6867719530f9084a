"""What labels tell of groups: by hand, beside scikit-learn, and on real labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association
from sklearn.metrics import mutual_info_score

from audit.data_set.associations import crossed
from audit.data_set.faces import faces_of
from audit.data_set.prepare import DataOptions
from audit.data_set.run import audit_data
from audit.hashing import poisson_weights
from audit.rows import FairnessRow
from tests.audit.data_set.looking import statistic


def told(n: int, same: float, seed: int, photos: int = 1) -> pd.DataFrame:
    """Persons of two genders whose expression is that of their gender with a chance of ``same``."""
    generator = np.random.default_rng(seed)
    gender = generator.integers(0, 2, n)
    label = np.where(generator.random(n) < same, gender, generator.integers(0, 2, n))
    frame = pd.DataFrame({
        "subject_id": np.arange(n).astype(str),
        "gender": np.array(["f", "m"])[gender],
        "expression": np.array(["happy", "sad"])[label],
    })  # fmt: skip
    return frame.loc[frame.index.repeat(photos)].reset_index(drop=True)


def cell(rows: list[FairnessRow], group: str, class_: str) -> FairnessRow:
    found = [row for row in rows if row.group == {"gender": group} and row.class_ == class_]
    assert len(found) == 1
    return found[0]


def test_beside_scipy_and_sklearn() -> None:
    frame = told(300, 0.4, seed=1)
    result = audit_data(frame, DataOptions(by=["gender"], n_boot=0))
    table = pd.crosstab(frame["gender"], frame["expression"]).to_numpy()
    p = table / table.sum()
    joint = -(p * np.log(p)).sum()
    want = mutual_info_score(frame["gender"], frame["expression"]) / joint
    assert statistic(result, "nmi_expression", "gender").value == pytest.approx(want)
    v = statistic(result, "cramers_v_expression", "gender")
    assert v.value == pytest.approx(association(table, method="cramer"))


def test_npmi_by_hand() -> None:
    # 4 f happy, 2 f sad, 2 m happy, 2 m sad: p = .4, p_f = .6, p_happy = .6
    gender, expression = list("ffffffmmmm"), ["happy"] * 4 + ["sad"] * 2 + ["happy", "sad"] * 2
    frame = pd.DataFrame({"gender": gender, "expression": expression})
    rows = [row for row in audit_data(frame).fairness if row.metric == "npmi_expression"]
    assert cell(rows, "f", "happy").value == pytest.approx(np.log(0.4 / 0.36) / -np.log(0.4))
    assert cell(rows, "m", "sad").value == pytest.approx(np.log(0.2 / 0.16) / -np.log(0.2))
    assert {row.note for row in rows} == {"few_in_cell"}


def test_photos_of_a_person_are_one_witness() -> None:
    """Independent labels of 60 persons with 20 photos each: chance alone explains them."""
    frame = told(60, 0.0, seed=4, photos=20)
    result = audit_data(frame, DataOptions(by=["gender"]))
    v = statistic(result, "cramers_v_corrected_expression", "gender")
    assert v.p is not None
    assert v.value is not None
    assert v.null_expected is not None
    assert v.p > 0.05
    assert v.null_expected > 0.05  # 1,200 independent faces would show 0.02
    clear = audit_data(told(60, 0.9, seed=4, photos=20), DataOptions(by=["gender"]))
    assert statistic(clear, "nmi_expression", "gender").p == pytest.approx(1 / 201)


def test_replicates_weigh_persons() -> None:
    """Every replicate is the table of the faces, each as often as its person is drawn."""
    frame = told(30, 0.5, seed=6, photos=3)
    frame.loc[5, "expression"] = "angry"
    faces = faces_of(frame, ["gender", "expression"], "t")
    cross = crossed(faces, *faces.grouped(("gender",)), faces.attributes["expression"])
    weights = poisson_weights(faces.keys, 9, 0, 70)
    found = cross.replicates(9, 70)
    for i in (0, 1, 69):
        drawn = pd.crosstab(
            frame["gender"], frame["expression"], weights[i][faces.unit], aggfunc="sum"
        )
        assert found[i] == pytest.approx(drawn.fillna(0).to_numpy())
    assert cross.people.sum(axis=1) == pytest.approx(
        frame.groupby(["gender", "expression"])["subject_id"].nunique().groupby("gender").sum()
    )


def test_no_p_where_people_are_in_several_groups() -> None:
    frame = told(40, 0.5, seed=3, photos=2)
    frame.loc[0, "gender"] = "m" if frame["gender"][0] == "f" else "f"
    row = statistic(audit_data(frame, DataOptions(by=["gender"])), "nmi_expression", "gender")
    assert (row.p, row.note) == (None, "biased_extreme; varies_within_subject: 1 of the people")
    assert row.null_expected is not None


@pytest.mark.slow
def test_p_is_uniform_without_association() -> None:
    """200 runs, 40 persons of 3 photos, seeds 0-199: p < 0.05 in 5 % +- 4.5 points."""
    found = 0
    for seed in range(200):
        result = audit_data(told(40, 0.0, seed, photos=3), DataOptions(by=["gender"], n_boot=0))
        p = statistic(result, "nmi_expression", "gender").p
        assert p is not None
        found += p < 0.05
    assert 0.005 <= found / 200 <= 0.095


@pytest.mark.slow
def test_coverage_of_npmi_by_person() -> None:
    """150 persons, 1 or 2 photos, P(label = that of gender) = 0.75, 200 runs: 95 % +- 4 points."""
    truth = np.log(0.375 / 0.25) / -np.log(0.375)
    hits = 0
    for seed in range(200):
        frame = told(150, 0.5, seed)
        frame = frame.loc[frame.index.repeat(1 + frame.index % 2)]
        options = DataOptions(by=["gender"], n_boot=200, seed=seed)
        rows = [r for r in audit_data(frame, options).fairness if r.metric == "npmi_expression"]
        row = cell(rows, "f", "happy")
        assert row.low is not None
        assert row.high is not None
        hits += row.low <= truth <= row.high
    assert 0.91 <= hits / 200 <= 0.99


def test_order_of_rows_does_not_matter() -> None:
    frame = told(80, 0.3, seed=2, photos=2).assign(sample_id=[str(i) for i in range(160)])
    frame["age"] = [str(20 + i % 40) for i in range(160)]
    turned = frame.sample(frac=1, random_state=5)
    one, other = (audit_data(f, DataOptions(n_boot=50)).to_json() for f in (frame, turned))
    assert one == other


def test_ages_overlap_by_hand() -> None:
    # f: 3/4 in 20-29, 1/4 in 30-39; m: 1/2, 1/2; overlap 1/2 + 1/4
    ages = ["20", "21", "22", "30", "25", "35"]
    result = audit_data(pd.DataFrame({"gender": list("ffffmm"), "age": ages}))
    rows = [row for row in result.fairness if row.metric == "age_overlap"]
    assert [row.value for row in rows] == pytest.approx([0.75, 0.75])
    assert [row.n for row in rows] == [4, 2]
    curve = {(r.group["gender"], r.x): r.y for r in result.curves if r.name == "age_share"}
    assert curve == {("f", 20): 0.75, ("f", 30): 0.25, ("m", 20): 0.5, ("m", 30): 0.5}


def test_one_group_and_one_age_have_reasons() -> None:
    frame = pd.DataFrame({"gender": ["f"] * 4, "age": ["20"] * 4, "expression": ["sad"] * 4})
    result = audit_data(frame, DataOptions(by=["gender"]))
    for name in ("nmi_age", "cramers_v_age", "cramers_v_corrected_expression"):
        row = statistic(result, name, "gender")
        assert (row.value, row.p, row.note) == (None, None, "single_group")
    overlap = [row for row in result.fairness if row.metric == "age_overlap"]
    assert [(row.value, row.note) for row in overlap] == [(None, "single_group")]
    assert statistic(result, "evenness", "gender").note == "single_group"
    assert [w.where for w in result.warnings if w.code == "one_group"] == [
        "gender", "expression", "age"]  # fmt: skip
    two = frame.assign(gender=list("ffmm"))
    again = audit_data(two, DataOptions(by=["gender"]))
    row = statistic(again, "nmi_age", "gender")
    assert (row.value, row.note) == (None, "one_value")
    ages = [row.value for row in again.fairness if row.metric == "age_overlap"]
    assert ages == [1, 1]


def test_real_labels(shared_data: Path) -> None:
    """The values of the facts file on 3,488 faces: NMI, V, NSD, evenness."""
    path = shared_data / "biased-heritage" / "multistereo-sa-female-f0.0-r0.csv"
    frame = pd.read_csv(path, dtype=str)
    frame = frame[["id", "gender", "race", "label"]]
    frame = frame.rename(columns={"id": "sample_id", "label": "expression"})
    result = audit_data(frame, DataOptions(by=["gender", "race"], n_boot=0))
    want = {
        "gender": (0.0080106157, 0.2015256963, 0.0831422018, 0.9950078338),
        "race": (0.0026898023, 0.0519009537, 0.6419956955, 0.5806948785),
    }
    names = ("nmi_expression", "cramers_v_expression", "nsd", "evenness")
    for attribute, values in want.items():
        found = [statistic(result, name, attribute).value for name in names]
        assert found == pytest.approx(list(values), abs=1e-9)

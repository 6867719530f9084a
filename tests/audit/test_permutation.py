"""Persons move whole between groups: studentised permutation against independent computations."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import PermutationMethod, ttest_ind

from audit import audit, predictions_from_frame
from audit.block import Setting
from audit.collect import collect_table
from audit.groups import grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.permutation import _two_sided, age_strata, permute
from tests.audit.frames import gaps


def faces(seed: int, m: int = 120, shift: float = 0.0, photos: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(m), photos)
    group = np.where(person % 3 == 0, "a", "b")
    error = rng.normal(0, 4, m)[person] + rng.normal(0, 3, len(person)) + shift * (group == "a")
    age = rng.uniform(20, 60, m)[person]
    return pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(len(person))],
            "subject_id": [f"p{i}" for i in person],
            "age": age,
            "age_pred": age + error,
            "g": group,
        }
    )


def permuted(frame: pd.DataFrame, name: str, *, within_age: bool = False) -> dict[str, float]:
    """P by group, from the sums of the table without the rest of an audit."""
    table = predictions_from_frame(frame, task="age")
    found = collect_table([table], ("g",), None, (), "image", 100)
    item = grouping(found.sums.cells, found.attributes, ("g",), found.order)
    metrics = tuple(m for m in age_metrics() if m.name == name)
    layout = age_layout()
    setting = Setting(metrics, {}, layout, np.arange(layout.size), 60, 0, 30, all_pairs=False)
    strata = age_strata([table], np.unique(found.sums.unit)) if within_age else None
    setting = replace(setting, primary=(name,))
    p = permute(setting, found.sums, [item], strata)[0][name].p
    assert p is not None
    return {group[0]: float(p[k]) for k, group in enumerate(item.groups) if group[0] is not None}


def test_two_groups_agree_with_scipys_studentised_permutation():
    """Bias of single photos: |t| of Welch under 9,999 random permutations; 999 are within 4 SE."""
    frame = faces(1, shift=0.2)
    error = frame["age_pred"] - frame["age"]
    sides = [error[frame["g"] == g] for g in "ab"]
    method = PermutationMethod(n_resamples=9999, rng=np.random.default_rng(0))
    theirs = ttest_ind(*sides, equal_var=False, method=method).pvalue
    ours = permuted(frame, "bias")
    assert 0.02 < theirs < 0.5
    assert ours["a"] == pytest.approx(theirs, abs=4 * np.sqrt(theirs * (1 - theirs) / 999))
    assert ours["a"] == ours["b"]


def test_p_of_all_permutations_by_hand():
    # all 4! orders of (1, 2, 3, 9) into pairs; T is the mean difference: |T| = 4.5 in 8 of 24
    found = [np.mean(order[:2]) - np.mean(order[2:]) for order in permutations((1.0, 2, 3, 9))]
    t = np.array(found)[:, None]
    assert _two_sided(t, centred=True)[0] == pytest.approx((np.abs(t) >= 4.5).mean())
    assert _two_sided(t + 1e-15, centred=True)[0] == _two_sided(t, centred=True)[0]
    skewed = np.array([[3.0], [1.0], [2.0], [3.0], [2.0]])
    assert _two_sided(skewed, centred=False)[0] == pytest.approx(2 * 2 / 5)
    assert np.isnan(_two_sided(np.array([[1.0], [np.nan]]), centred=True)[0])


@pytest.mark.parametrize("metric", ["mae", "bias", "cs5"])
def test_permutation_follows_the_cluster_p(metric):
    """Photos of a person move together: near the cluster p, far from the p of single photos."""
    frame = faces(5, m=300, photos=4)
    frame["age_pred"] += np.where(frame["g"] == "a", 0.9 * np.sign(frame["age_pred"] - 40), 0)
    result = audit(frame, task="age", by=["g"], n_boot=60, primary=[metric])
    row = gaps(result, metric=metric, kind="vs_rest")[0]
    assert row.p_permutation == pytest.approx(row.p, abs=0.05)


def test_it_finds_a_gap_and_holds_without_one():
    assert permuted(faces(2, m=300, shift=4.0), "bias")["a"] == 1 / 1000
    wrong = sum(permuted(faces(seed, m=90), "mae")["a"] < 0.05 for seed in range(60))
    assert wrong <= 8  # 3 expected; 9 or more have probability 0.3 %


def test_the_order_of_rows_and_the_names_of_groups_do_not_matter():
    frame = faces(3)
    shuffled = frame.sample(frac=1, random_state=0)
    assert permuted(frame, "mae") == permuted(shuffled, "mae")
    renamed = frame.assign(g=frame["g"].map({"a": "z", "b": "b"}))
    assert permuted(renamed, "mae")["z"] == permuted(frame, "mae")["a"]


def test_headline_where_nothing_was_named():
    result = audit(faces(4), task="age", by=["g"], n_boot=60)
    some = {row.metric for row in result.gaps if row.p_permutation is not None}
    assert some == {"mae"}
    closed = audit(faces(4), task="age", by=["g"], n_boot=0)
    assert all(row.p_permutation is None for row in closed.gaps)


def notes(frame: pd.DataFrame, by: str = "g", **options) -> set[str]:
    result = audit(frame, task="age", by=[by], n_boot=60, **options)
    rows = gaps(result, metric=(options.get("primary") or ["mae"])[0], kind="vs_rest")
    assert rows
    assert all(row.p_permutation is None for row in rows)
    return {part for row in rows for part in str(row.note).split("; ")}


def test_reasons_for_no_permutation(monkeypatch):
    moving = faces(6, photos=2)
    moving.loc[0, "g"] = "b"
    assert "varies_within_subject" in notes(moving)
    unknown = faces(6, photos=2)
    unknown.loc[0, "g"] = None
    assert "varies_within_subject" in notes(unknown)
    assert "no_permutation" in notes(faces(6), primary=["rmse"])
    assert "fixed_by_strata" in notes(faces(6), by="age", permute_within="age")
    monkeypatch.setattr("audit.permutation.MAX_PERSONS", 100)
    assert "too_many_persons" in notes(faces(6))


def test_persons_move_within_their_decade_of_age():
    """Group a is old and the old are misjudged: a gap among all, none among those of one age."""
    rng = np.random.default_rng(7)
    old = np.repeat([True, False], 400)
    group = np.where(rng.random(800) < np.where(old, 0.7, 0.3), "a", "b")
    age = np.where(old, 65.0, 25.0) + rng.uniform(0, 4, 800)
    error = rng.normal(0, np.where(old, 8, 4))
    frame = pd.DataFrame(
        {"sample_id": np.arange(800), "age": age, "age_pred": age + error, "g": group}
    )
    assert permuted(frame, "mae")["a"] < 0.01
    assert permuted(frame, "mae", within_age=True)["a"] > 0.05
    result = audit(frame, task="age", by=["g"], n_boot=60, permute_within="age")
    assert result.spec.permute_within == "age"


def test_unknown_groups_stay_apart():
    """Faces of unknown group are in no test: their errors cannot matter, however large."""
    frame = faces(8)
    extra = frame.head(30).assign(g=None, age_pred=500.0)
    extra["sample_id"] = [f"u{i}" for i in range(30)]
    extra["subject_id"] = [f"u{i}" for i in range(30)]
    both = pd.concat([frame, extra], ignore_index=True)
    p, q = permuted(frame, "mae")["a"], permuted(both, "mae")["a"]
    assert p == pytest.approx(q, abs=0.08)

"""Fairness statistics: values by hand, a second opinion, invariances, edges, and their null."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from audit import AuditResult, audit, predictions_from_frame, units
from audit.disparity import expected_nmi_of_many, rates_of, values_of
from audit.metrics.fairness import nmi, npmi, nsd
from audit.metrics.fairness_list import STATISTICS
from audit.rows import FairnessRow
from tests.audit.compare import close
from tests.audit.frames import CLASSES, expression_table, metric

# rows are true classes, ten faces each
A = [[8, 1, 1], [2, 6, 2], [0, 2, 8]]
B = [[9, 1, 0], [1, 8, 1], [1, 1, 8]]


def values(*confusions: list[list[float]]) -> dict[str, np.ndarray]:
    return values_of(rates_of(np.array(confusions, dtype=float)))


def test_values_by_hand() -> None:
    """Recalls .8 .6 .8 and .9 .8 .8; predicted 10 9 11 and 11 10 9 of 30; right 22 and 25."""
    found = values(A, B)
    assert found["equal_opportunity"] == pytest.approx([0.1, 0.2, 0.0])
    assert found["equal_opportunity_mean"] == pytest.approx(0.1)
    assert found["equal_opportunity_max"] == pytest.approx(0.2)
    # cells differ by .1 0 .1, .1 .2 .1, .1 .1 0
    assert found["equalized_odds"] == pytest.approx(0.8 / 9)
    # 1 - 8/9, 1 - 6/8 and 0, over three classes
    assert found["overall_disparity"] == pytest.approx((1 / 9 + 1 / 4) / 3)
    assert found["demographic_parity"] == pytest.approx([1 / 30, 1 / 30, 2 / 30])
    assert found["demographic_parity_mean"] == pytest.approx(4 / 90)
    assert found["demographic_parity_max"] == pytest.approx(2 / 30)
    assert found["total_variation_mean"] == pytest.approx(2 / 30)
    assert found["accuracy_ratio"] == pytest.approx(22 / 25)


def test_a_group_without_a_class_is_left_out_of_that_class() -> None:
    # the third group has faces of the first class only; no group has the last class but B
    a = [[8, 2, 0], [5, 5, 0], [0, 0, 0]]
    b = [[6, 4, 0], [1, 9, 0], [1, 1, 8]]
    c = [[1, 9, 0], [0, 0, 0], [0, 0, 0]]
    found = values(a, b, c)
    assert found["equal_opportunity"] == pytest.approx([0.7, 0.4, math.nan], nan_ok=True)
    assert found["equal_opportunity_mean"] == pytest.approx(0.55)
    # cells of the first class .7 .7 0, of the second .4 .4 0
    assert found["equalized_odds"] == pytest.approx(2.2 / 6)
    # first class: (0 + 2/8 + 7/8) / 2, second: 4/9
    assert found["overall_disparity"] == pytest.approx((9 / 16 + 4 / 9) / 2)


def test_parity_and_nothing() -> None:
    same = values(A, A, A)
    assert all(np.all(same[s.name] == (1 if s.better == "higher" else 0)) for s in STATISTICS)
    zero = [[0.0] * 3] * 3
    assert all(np.isnan(value).all() for value in values(zero, zero).values())
    wrong = [[0.0, 5.0], [5.0, 0.0]]
    found = values(wrong, wrong)
    assert math.isnan(found["accuracy_ratio"])
    assert math.isnan(found["overall_disparity"])
    assert found["equalized_odds"] == 0


def test_stereotypes_by_hand() -> None:
    assert float(nsd(np.array([7.0, 2.0, 1.0]))) == pytest.approx(0.556776436283)
    assert float(nsd(np.array([5.0, 5.0]))) == 0
    assert float(nsd(np.array([5.0, 0.0]))) == pytest.approx(1)
    assert math.isnan(float(nsd(np.array([5.0]))))
    # p = 1/2 1/4, 0 1/4: rows 3/4 1/4, columns 1/2 1/2
    table = np.array([[2.0, 1.0], [0.0, 1.0]])
    expected = [
        [math.log(0.5 / 0.375) / -math.log(0.5), math.log(0.25 / 0.375) / -math.log(0.25)],
        [-1.0, math.log(0.25 / 0.125) / -math.log(0.25)],
    ]
    assert npmi(table) == pytest.approx(np.array(expected))
    # sklearn's NMI divides by a mean of the two entropies, ours by the joint one
    a, b = [0, 0, 0, 1], [0, 0, 1, 1]
    joint = 1.5 * math.log(2)
    assert float(nmi(table)) == pytest.approx(sk.mutual_info_score(a, b) / joint)
    assert float(nmi(np.outer([3.0, 1.0], [2.0, 5.0]))) == pytest.approx(0, abs=1e-12)
    assert float(nmi(np.diag([3.0, 1.0]))) == pytest.approx(1)
    assert math.isnan(float(nmi(np.array([[4.0, 0.0], [0.0, 0.0]]))))
    single = npmi(np.array([[4.0, 0.0], [0.0, 0.0]]))
    assert np.isnan(single).all()


def rows(result: AuditResult, name: str, attribute: str = "gender") -> list[FairnessRow]:
    return [r for r in result.fairness if (r.metric, r.attributes) == (name, [attribute])]


def test_second_opinion_with_weights_and_failures() -> None:
    frame = expression_table(2)
    result = audit(frame, task="expression", by=["race"], n_boot=0, min_n=5)
    done = frame.dropna(subset=["race", "expression", "expression_pred"])
    recall, predicted, accuracy = [], [], []
    for _, part in done.groupby("race"):
        true, pred, w = part["expression"], part["expression_pred"], part["weight"]
        recall.append(sk.recall_score(true, pred, labels=CLASSES, average=None, sample_weight=w))
        predicted.append([np.average(pred == name, weights=w) for name in CLASSES])
        accuracy.append(sk.accuracy_score(true, pred, sample_weight=w))
    gaps, parity = np.ptp(recall, axis=0), np.ptp(predicted, axis=0)
    pairs = [np.abs(np.subtract(a, b)).sum() / 2 for a, b in combinations(predicted, 2)]
    expected = {
        "equal_opportunity_mean": gaps.mean(),
        "equal_opportunity_max": gaps.max(),
        "demographic_parity_mean": parity.mean(),
        "demographic_parity_max": parity.max(),
        "total_variation_mean": np.mean(pairs),
        "total_variation_max": max(pairs),
        "accuracy_ratio": min(accuracy) / max(accuracy),
    }
    for name, value in expected.items():
        (row,) = rows(result, name, "race")
        assert row.value == pytest.approx(value, abs=1e-12), name
        assert row.n_groups == 4
        assert row.n == len(done[done["weight"] > 0])
    for name, values_ in (("equal_opportunity", gaps), ("demographic_parity", parity)):
        found = {r.class_: r.value for r in rows(result, name, "race")}
        assert found == pytest.approx(dict(zip(CLASSES, values_, strict=True)), abs=1e-12)
    assert len(rows(result, "npmi_labels", "race")) == 4 * 4


def test_row_order_shards_and_names_of_groups_do_not_matter() -> None:
    frame = expression_table(3, 120)
    whole = audit(frame, task="expression", by=["gender", "race"], n_boot=0, min_n=5)
    mixed = frame.sample(frac=1, random_state=2)
    parts = [
        predictions_from_frame(part, task="expression", classes=CLASSES)
        for part in (mixed.iloc[:100], mixed.iloc[100:])
    ]
    swapped = frame.assign(gender=frame["gender"].map({"f": "z", "m": "a"}))
    for other in (
        audit(parts, by=["gender", "race"], n_boot=0, min_n=5),
        audit(swapped, task="expression", by=["gender", "race"], n_boot=0, min_n=5),
    ):
        for a, b in zip(whole.fairness, other.fairness, strict=True):
            assert (a.metric, a.class_, a.attributes) == (b.metric, b.class_, b.attributes)
            if not a.metric.startswith("npmi"):  # in the order of the groups' names
                assert close([a.value], [b.value])
            if not a.metric.startswith("nmi"):  # which group is drawn first matters there
                assert close([a.null_expected], [b.null_expected])


def test_groups_too_few_or_too_small_say_why() -> None:
    frame = expression_table(4, 40, unknown=False)
    one = audit(frame.assign(gender="f"), task="expression", by=["gender"], n_boot=0)
    assert {row.note for row in one.fairness} == {"single_group"}
    small = audit(frame, task="expression", by=["gender"], n_boot=0, min_n=35)
    for name in ("equal_opportunity", "equalized_odds", "accuracy_ratio"):
        assert [(r.value, r.note) for r in rows(small, name)] == [(None, "below_min_n")]
    assert rows(small, "nmi_labels")[0].value is not None
    assert all(row.value is not None or row.note for row in small.fairness)
    few = audit(expression_table(5), task="expression", by=["race"], n_boot=0, min_n=25)
    assert "below_min_n: 1 groups left out" in str(rows(few, "equalized_odds", "race")[0].note)
    nobody = frame.assign(expression_pred=None).filter(regex="^(?!prob_)")
    empty = audit(nobody, task="expression", by=["gender"], n_boot=0, min_n=2)
    assert {row.value for row in empty.fairness} == {None}


def test_groups_of_one_class_each() -> None:
    """No class in common: no recall gap, but predictions differ as much as they can."""
    frame = pd.DataFrame(
        {"expression": list("aaabbb"), "expression_pred": list("aaabbb"), "g": list("xxxyyy")}
    )
    result = audit(frame, task="expression", by=["g"], n_boot=0, min_n=2)
    for name in ("equal_opportunity_mean", "equalized_odds", "overall_disparity"):
        (row,) = rows(result, name, "g")
        assert (row.value, row.note) == (None, "undefined_classes")
    assert [r.note for r in rows(result, "equal_opportunity", "g")] == [
        "class_absent: in 1 groups"
    ] * 2
    assert rows(result, "total_variation_mean", "g")[0].value == 1
    assert rows(result, "nmi_labels", "g")[0].value == pytest.approx(1)


def test_record_and_spec() -> None:
    result = audit(expression_table(6, 60), task="expression", by=["gender"], n_boot=0)
    assert {row.metric for row in result.fairness} == set(result.spec.fairness)
    assert AuditResult.model_validate_json(result.to_json()) == result
    assert len(result.to_frame("fairness")) == len(result.fairness)
    alone = audit(expression_table(6, 60), task="expression", by=[], n_boot=0)
    assert (alone.fairness, alone.spec.fairness) == ([], {})


def test_standardised_accuracy_of_everyone_is_accuracy() -> None:
    """Two groups with the recalls 1 and 1/2 but other mixes: the same accuracy, standardised."""
    frame = pd.DataFrame(
        {
            "expression": list("aabb" + "aabbbb"),
            "expression_pred": list("aaba" + "aabbaa"),
            "g": list("xxxx" + "yyyyyy"),
        }
    )
    result = audit(frame, task="expression", by=["g"], n_boot=0, min_n=2)
    # mix a 4/10, b 6/10: 4/10 + 6/10 / 2
    for group in ({}, {"g": "x"}, {"g": "y"}):
        assert metric(result, "standardised_accuracy", group).value == pytest.approx(0.7)
    assert metric(result, "accuracy", {"g": "x"}).value == pytest.approx(0.75)
    assert metric(result, "accuracy", {"g": "y"}).value == pytest.approx(4 / 6)


def _world(rng: np.random.Generator) -> pd.DataFrame:
    """Three groups that differ in size only; a person's four photos succeed or fail together."""
    person = np.repeat(np.arange(260), 4)
    group = np.repeat(["x", "y", "z"], [130, 80, 50])[person]
    true = rng.integers(0, 3, len(person))
    good = np.repeat(rng.random(260) < 0.6, 4)
    pred = np.where(good, true, (true + rng.integers(1, 3, len(person))) % 3)
    names = np.array(["a", "b", "c"])
    return pd.DataFrame(
        {
            "subject_id": [f"p{i}" for i in person],
            "gender": group,
            "expression": names[true],
            "expression_pred": names[pred],
        }
    )


def test_null_expected_is_the_mean_where_groups_do_not_differ() -> None:
    """40 worlds of 260 persons: mean value and mean null agree within 12 %, clusters and all.

    Drawn by face instead of by person the null of accuracy_ratio would be half as far from 1.
    """
    rng = np.random.default_rng(0)
    worlds = [audit(_world(rng), task="expression", by=["gender"], n_boot=0) for _ in range(40)]
    for name in (
        "equal_opportunity_mean",
        "equalized_odds",
        "demographic_parity_mean",
        "total_variation_max",
        "accuracy_ratio",
        "nmi_labels",
    ):
        found = [rows(world, name)[0] for world in worlds]
        value = np.mean([row.value for row in found])
        null = np.mean([row.null_expected for row in found])
        away = 1.0 if name == "accuracy_ratio" else 0.0
        assert abs(null - away) == pytest.approx(abs(value - away), rel=0.12), name


def test_mutual_information_by_chance_in_closed_form() -> None:
    """3,000 persons, 1 to 4 faces of few classes each: as 400 permutations of the groups."""
    rng = np.random.default_rng(8)
    m, k = 3_000, 4
    own, faces = rng.dirichlet([0.4] * k, m), rng.integers(1, 5, m)
    counts = np.stack([rng.multinomial(n, p) for n, p in zip(faces, own, strict=True)])
    group = rng.choice(3, m, p=[0.6, 0.3, 0.1])
    drawn = np.array(
        [
            nmi(np.stack([counts[order == g].sum(axis=0) for g in range(3)]).astype(float))
            for order in (rng.permutation(group) for _ in range(400))
        ]
    )
    second = np.concatenate([counts.T @ counts, counts.sum(axis=0)[None]]).astype(float)
    found = expected_nmi_of_many(np.bincount(group).astype(float), second)
    assert found == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(drawn)))
    assert math.isnan(expected_nmi_of_many(np.array([5.0, 0.0]), second))


def test_buckets_of_persons_show_about_the_same_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """900 persons against 2^9 hash buckets of them; what is asked is no 100-fold difference."""
    table = expression_table(3, 900)
    options = {"task": "expression", "by": ["gender"], "n_boot": 0, "slices": False}
    by_person = audit(table, **options)
    monkeypatch.setattr(units, "MAX_UNITS", 500)
    monkeypatch.setattr(units, "BUCKETS", 512)
    in_buckets = audit(table, **options)
    compared = 0
    for a, b in zip(by_person.fairness, in_buckets.fairness, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-12)
        if a.null_expected is None:
            assert b.null_expected is None
            continue
        compared += 1
        near = abs(a.null_expected - 1) if a.metric == "accuracy_ratio" else a.null_expected
        assert abs(b.null_expected - a.null_expected) <= 0.25 * near, a.metric
    assert compared > 10

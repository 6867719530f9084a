"""What the engine does: hash buckets, estimands, warnings, which gaps are listed, the bootstrap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit, predictions_from_frame, units
from audit.bands import DECADES
from audit.bootstrap import boot_weights, replicate
from audit.collect import collect_table, table_bands
from audit.groups import grouping
from audit.metrics.age import age_metrics
from audit.metrics.age_features import age_layout
from audit.metrics.expression import expression_layout, expression_metrics
from audit.predictions import Predictions
from audit.ranges import cross_fitted
from audit.simulate import example_cohort, person_errors, zipf_photos
from audit.units import BUCKETS, bucketed, group_sums
from tests.audit.frames import CLASSES, age_table, expression_table, gap, gaps, metric


def codes(result: AuditResult) -> list[str]:
    return [w.code for w in result.warnings]


def cohort(n_persons: int, seed: int = 0, photos: int = 2) -> pd.DataFrame:
    """Many persons, ``photos`` each, two groups."""
    rng = np.random.default_rng(seed)
    error, person = person_errors(n_persons, np.full(n_persons, photos), rng)
    age = rng.uniform(5, 85, n_persons)[person]
    return pd.DataFrame(
        {
            "sample_id": np.arange(len(person)),
            "subject_id": person,
            "age": age,
            "age_pred": age + error,
            "gender": np.where(person % 3 == 0, "f", "m"),
        }
    )


def test_buckets_keep_sums_and_standard_errors() -> None:
    """20,000 persons in 2^13 buckets: the SE of every sum within 2 % (its own noise is 0.8 %)."""
    table = predictions_from_frame(cohort(20_000), task="age")
    bands = table_bands([table], DECADES)
    sums = collect_table([table], ("gender",), None, bands, "image", 20_000).sums
    small = bucketed(sums)
    assert len(np.unique(sums.unit)) == 20_000
    assert len(np.unique(small.unit)) <= BUCKETS
    assert small.values.sum(axis=0) == pytest.approx(sums.values.sum(axis=0), rel=1e-12)
    names = list(age_layout().shapes)
    total = sums.values.sum(axis=0)[names.index("w")]
    for name in ("abs_error", "error", "error2", "cs5"):
        column = names.index(name)
        spread = []
        for part in (sums, small):
            mean = part.values[:, column].sum() / total
            psi = part.values[:, column] - mean * part.values[:, names.index("w")]
            by_unit = np.bincount(np.unique(part.unit, return_inverse=True)[1], psi)
            spread.append(np.sqrt((by_unit**2).sum()))
        assert spread[1] / spread[0] == pytest.approx(1.0, abs=0.02), name


def test_more_than_2_14_persons_keep_exact_intervals_by_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Buckets serve the bootstrap only: closed forms do not change by a bit."""
    table = cohort(17_000, 1, photos=1)
    assert len(table) > units.MAX_UNITS
    options = {"task": "age", "by": ["gender"], "n_boot": 400}
    in_buckets = audit(table, **options)
    monkeypatch.setattr(units, "MAX_UNITS", 2**20)
    by_person = audit(table, **options)
    for a, b in zip(in_buckets.metrics, by_person.metrics, strict=True):
        if a.method != "percentile":
            assert a == b
        else:  # two bootstraps of 400 replicates on a grid of 0.05 years
            assert (a.value, a.n, a.n_subjects) == (b.value, b.n, b.n_subjects)
            assert a.high - a.low == pytest.approx(b.high - b.low, abs=0.11)
    for a, b in zip(in_buckets.gaps, by_person.gaps, strict=True):
        if a.method in {"cluster_t", "cluster_t (log)"}:
            assert a == b
    assert metric(in_buckets, "mae").n_subjects == 17_000


def test_subject_estimand_is_the_mean_of_person_means() -> None:
    table = age_table(0, 80, failures=False)
    table = table[table["weight"] > 0]
    result = audit(table, task="age", by=["gender"], n_boot=0, estimand="subject")
    error = table["age_pred"] - table["age"]
    cases = {"mae": error.abs(), "bias": error, "cs5": (error.abs() <= 5).astype(float)}
    for name, values in cases.items():
        for group in ({}, {"gender": "f"}):
            keep = slice(None) if not group else table["gender"] == "f"
            part, weight, who = values[keep], table["weight"][keep], table["subject_id"][keep]
            top = (part * weight).groupby(who).sum()
            means = top / weight.groupby(who).sum()
            row = metric(result, name, group)
            assert row.value == pytest.approx(means.mean(), rel=1e-12)
            assert row.m_eff == pytest.approx(row.n_subjects, rel=1e-12)
    assert result.spec.estimand == "subject"


def test_subject_estimand_of_failures_and_of_unlabelled_photos() -> None:
    """Of two photos of a, one fails; of b, one is unlabelled; none of c fails: (1/2 + 0 + 0) / 3."""
    table = pd.DataFrame(
        {
            "subject_id": list("aabbccc"),
            "age": [20, 20, 30, None, 40, 40, 40],
            "age_pred": [21, None, 31, 31, 44, 44, 44],
        }
    )
    result = audit(table, task="age", by=[], n_boot=0, estimand="subject")
    assert metric(result, "failure_rate").value == pytest.approx(1 / 6, rel=1e-12)
    # of the processed: a counts half, as half of it was processed: (0.5 + 1 + 4) / 2.5
    assert metric(result, "mae").value == pytest.approx(5.5 / 2.5, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_zipf_photos_warn_of_few_effective_persons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    error, person = person_errors(200, zipf_photos(200, rng), rng)
    table = pd.DataFrame({"age": 40.0, "age_pred": 40 + error, "subject_id": person})
    result = audit(table, task="age", by=[], n_boot=0)
    assert "few_effective_subjects" in codes(result)
    even = pd.DataFrame({"age": 40.0, "age_pred": 40 + error[:200], "subject_id": range(200)})
    assert "few_effective_subjects" not in codes(audit(even, task="age", by=[], n_boot=0))


def test_warnings_about_ids() -> None:
    frame = pd.DataFrame({"age": [20, 30, 40], "age_pred": [21, 29, 44], "gender": list("fmf")})
    assert "no_ids" in codes(audit(frame, task="age", n_boot=0))
    with_ids = frame.assign(sample_id=list("abc"))
    found = codes(audit(with_ids, task="age", n_boot=0))
    assert "no_subjects" in found
    assert "no_ids" not in found
    some = with_ids.assign(subject_id=["p", None, "p"])
    result = audit(some, task="age", n_boot=0)
    assert {"n_without_subject"} <= set(codes(result))
    assert not {"no_ids", "no_subjects"} & set(codes(result))
    assert metric(result, "mae").n_subjects == 2
    turned = with_ids.assign(subject_id=["p", "p", "q"])
    assert "subject_inconsistent" in codes(audit(turned, task="age", by=["gender"], n_boot=0))


def test_an_empty_subject_is_its_own_unit_and_never_another_person() -> None:
    """Empty subjects of shards, and a person who is called like a face, stay apart."""
    frame = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c", "d"],
            "subject_id": [None, None, "a", "b"],
            "age": [20, 30, 40, 50],
            "age_pred": [21, 33, 42, 55],
        }
    )
    assert metric(audit(frame, task="age", by=[], n_boot=0), "mae").n_subjects == 4
    shards = [frame[:2], frame[2:]]
    assert metric(audit(shards, task="age", by=[], n_boot=0), "mae").n_subjects == 4


def test_shards_without_ids_have_distinct_rows() -> None:
    frame = pd.DataFrame({"age": [20.0] * 6, "age_pred": [21, 22, 23, 24, 25, 26]})
    result = audit([frame[:2], frame[2:4], frame[4:]], task="age", by=[], n_boot=0)
    assert metric(result, "mae").n_subjects == 6
    assert result.metrics == audit(frame, task="age", by=[], n_boot=0).metrics


def many_groups(n_groups: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(n_groups), 12)
    age = rng.uniform(10, 60, len(group))
    pred = age + rng.normal(0, 3 + 0.1 * group)
    ids = np.arange(len(group))
    return pd.DataFrame(
        {"sample_id": ids, "age": age, "age_pred": pred, "g": [f"g{i:02d}" for i in group]}
    )


def test_pairs_of_at_most_12_groups_and_the_20_largest_above() -> None:
    few = audit(many_groups(12), task="age", by=["g"], n_boot=0, min_n=5)
    assert len(gaps(few, metric="mae", kind="difference")) == 66
    assert "gaps_truncated" not in codes(few)
    many = audit(many_groups(13), task="age", by=["g"], n_boot=0, min_n=5)
    listed = gaps(many, metric="mae", kind="difference")
    assert len(listed) == 20
    assert len(gaps(many, metric="mae", kind="vs_rest")) == 13
    everything = audit(many_groups(13), task="age", by=["g"], n_boot=0, min_n=5, pairs="all")
    complete = gaps(everything, metric="mae", kind="difference")
    assert len(complete) == 78
    largest = sorted((abs(row.value) for row in complete), reverse=True)[:20]
    assert sorted((abs(row.value) for row in listed), reverse=True) == largest
    widest = gap(many, metric="mae", kind="worst_minus_best")
    assert widest.value == pytest.approx(largest[0], rel=1e-12)
    assert "gaps_truncated" in codes(many)


def test_sides_are_in_text_order(age_result: AuditResult) -> None:
    for row in gaps(age_result, kind="difference"):
        assert tuple(map(str, row.a.values())) < tuple(map(str, row.b.values()))


def test_worst_and_best_follow_what_is_better(age_result: AuditResult) -> None:
    for name, low_is_better in (("mae", True), ("cs5", False)):
        row = gap(age_result, metric=name, kind="worst_minus_best", attributes=["gender"])
        a, b = (metric(age_result, name, side).value for side in (row.a, row.b))
        assert (a > b) is low_is_better
        assert row.value == pytest.approx(abs(a - b), rel=1e-12)
    row = gap(age_result, metric="bias", kind="max_minus_min", attributes=["gender"])
    a, b = (metric(age_result, "bias", side).value for side in (row.a, row.b))
    assert row.value == pytest.approx(a - b, rel=1e-12)
    assert a > b


def test_small_groups_are_shown_and_not_tested() -> None:
    table = age_table(1, 100)
    result = audit(table, task="age", by=["race"], n_boot=0, min_n=20)
    assert "small_groups" in codes(result)
    small = metric(result, "mae", {"race": "Indian"})
    assert small.n_subjects < 20
    assert small.value is not None
    assert small.low is not None
    for row in gaps(result, metric="mae", kind="difference"):
        if {"race": "Indian"} in (row.a, row.b):
            assert row.p is None
            assert "below_min_n" in row.note
            assert row.value is not None
    widest = gap(result, metric="mae", kind="worst_minus_best")
    assert {"race": "Indian"} not in (widest.a, widest.b)
    small = {row.group["race"] for row in result.metrics if row.metric == "mae" and row.group}
    small = {
        race for race in small - {None} if metric(result, "mae", {"race": race}).n_subjects < 20
    }
    assert f"below_min_n: {len(small)} groups left out" in str(widest.note)


def test_attributes_by_default() -> None:
    table = age_table(2, 40).assign(hair="brown")
    assert audit(table, task="age", n_boot=0).spec.combinations == [["gender"], ["race"], ["age"]]
    faces = expression_table(2, 40)
    assert audit(faces, task="expression", n_boot=0).spec.combinations == [["gender"], ["race"]]
    assert audit(table, task="age", by=[], n_boot=0).spec.combinations == []


def test_age_as_an_attribute() -> None:
    table = pd.DataFrame({"age": [2, 12.9, 13, 17.9, 18, 70, None], "age_pred": [3] * 7})
    result = audit(table, task="age", by=["age"], n_boot=0, age_bands=[0, 13, 18])
    counts = {
        row.group["age"]: row.n for row in result.metrics if row.metric == "mae" and row.group
    }
    assert counts == {"0-12": 2, "13-17": 2, "18+": 2, None: 0}
    assert list(counts) == ["0-12", "13-17", "18+", None]
    decades = audit(table, task="age", by=["age"], n_boot=0)
    values = [row.group["age"] for row in decades.metrics if row.metric == "mae" and row.group]
    assert values == ["0-9", "10-19", "70-79", None]
    assert all(
        "regression_to_mean" in row.note for row in gaps(decades, metric="bias", kind="difference")
    )
    assert gap(decades, metric="pearson").note == "range_restricted"


def test_curves_add_up(age_result: AuditResult) -> None:
    r = audit(expression_table(4, weights=False), task="expression", by=["gender"], n_boot=0)
    for group in ({}, {"gender": "f"}):
        reliability = [c for c in r.curves if c.name == "reliability" and c.group == group]
        assert sum(c.n for c in reliability) == metric(r, "ece", group).n
        assert sum(c.z for c in reliability) == pytest.approx(1.0)
        ece = sum(c.z * abs(c.x - c.y) for c in reliability)
        assert ece == pytest.approx(metric(r, "ece", group).value, rel=1e-12)
        confusion = [c for c in r.curves if c.name == "confusion" and c.group == group]
        assert len(confusion) == len(CLASSES) ** 2
        right = sum(c.z for c in confusion if c.x == c.y) / sum(c.z for c in confusion)
        assert right == pytest.approx(metric(r, "accuracy", group).value, rel=1e-12)
    by_age = [c for c in age_result.curves if c.name == "mae_by_age" and c.group == {}]
    assert [c.x for c in by_age] == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert sum(c.n for c in by_age) == metric(age_result, "mae").n


def bootstrapped(table: Predictions, n_boot: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Replicates of every metric of sums in every group of gender."""
    age = table.task == "age"
    layout = age_layout() if age else expression_layout(len(table.classes))
    metrics = age_metrics() if age else expression_metrics(table.classes)
    chosen = [m for m in metrics if m.quantile is None and m.interval != "none"]
    bands = table_bands([table], DECADES)
    found = collect_table([table], ("gender",), None, bands, "image", 20_000)
    item = grouping(found.sums.cells, found.attributes, ("gender",), found.order)
    grouped = group_sums(found.sums, item)
    weights = boot_weights(grouped.keys, 1, n_boot)
    values = replicate(chosen, layout, grouped, weights, np.arange(2), {}, {})
    return {key: part.values for key, part in values.items()}, [str(g[0]) for g in item.groups]


@pytest.mark.parametrize("task", ["age", "expression"])
def test_bootstrap_sd_equals_the_linearised_standard_error(task: str) -> None:
    """Every metric of sums, 300 persons and 1,500 replicates: the ratio is 1 within 10 %."""
    table = age_table(5, 300) if task == "age" else expression_table(5, 300)
    checked = predictions_from_frame(table, task=task)
    found, groups = bootstrapped(checked, 1500)
    result = audit(checked, by=["gender"], n_boot=0)
    compared = 0
    for row in result.metrics:
        key = row.metric if row.class_ is None else f"{row.metric}[{row.class_}]"
        if row.group == {} or key not in found or not str(row.method).startswith("cluster_t"):
            continue
        half = (row.high_90 - row.low_90) / 2
        if "log" in str(row.method):
            half = np.log(row.high_90 / row.low_90) / 2 * row.value
        elif "Fisher" in str(row.method):
            half = (np.arctanh(row.high_90) - np.arctanh(row.low_90)) / 2 * (1 - row.value**2)
        sd = np.nanstd(found[key][:, groups.index(str(row.group["gender"]))], ddof=1)
        assert sd * 1.66 / half == pytest.approx(1.0, abs=0.1), key  # t of about 100 persons
        compared += 1
    assert compared >= 8


def test_cross_fitted_range_on_three_folds() -> None:
    """Chosen on train (largest, smallest), measured on test: 3 - 1, 1 - 2, fold without value."""
    train = np.array([[5.0, 1.0, 2.0], [1.0, 2.0, 0.0], [np.nan, 1.0, 2.0]])
    test = np.array([[3.0, 1.0, 9.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    assert cross_fitted(train, test) == pytest.approx(((3 - 1) + (1 - 2)) / 2)
    assert np.isnan(cross_fitted(train[2:], test[2:]))


@pytest.mark.slow
def test_debiased_range_is_unbiased_without_a_gap() -> None:
    """200 cohorts without a gap: the plain range is about 1 year, the cross-fitted one 0."""
    plain, debiased = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(14), 100)
        table = pd.DataFrame({"age": 40.0, "age_pred": 40 + rng.normal(0, 5, len(group))})
        table["sample_id"], table["g"] = np.arange(len(table)), group.astype(str)
        row = gap(
            audit(table, task="age", by=["g"], n_boot=0), metric="mae", kind="worst_minus_best"
        )
        plain.append(row.value)
        debiased.append(row.debiased)
    assert np.mean(plain) > 0.9
    assert np.mean(debiased) == pytest.approx(0.0, abs=0.1)


def test_example_cohort_shows_its_planted_gaps() -> None:
    result = audit(example_cohort(), task="age", by=["gender", "skin_tone"], n_boot=0)
    row = gap(result, metric="bias", kind="max_minus_min", attributes=["skin_tone"])
    assert row.b == {"skin_tone": "dark"}
    assert row.low > 2.0
    assert row.high < 6.0  # 3 years are planted, on top of who happens to be old
    ratio = gap(result, metric="mae", kind="ratio", attributes=["gender"])
    assert ratio.a == {"gender": "man"}
    assert ratio.low < 1 / 1.15 < ratio.high
    again = replace(predictions_from_frame(example_cohort(), task="age"), place="x")
    assert audit(again, by=["gender"], n_boot=0).metrics[0] == result.metrics[0]

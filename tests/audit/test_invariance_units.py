"""What must not change the numbers: units of weight, shifts, swapped groups, copies, the seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.audit.compare import close
from tests.audit.frames import age_table, expression_table, gaps, metric
from tests.audit.test_invariance import TABLES, run


@pytest.mark.parametrize("name", TABLES)
def test_weight_2_is_the_row_twice(name: str) -> None:
    """Point values; two variances divide by faces - 1, a z takes weights for sampling weights."""
    task, make = TABLES[name]
    bare = name in {"ages", "expressions"}
    table = make(11, weights=False) if bare else make(11).drop(columns="weight", errors="ignore")
    double = np.random.default_rng(1).random(len(table)) < 0.4
    weighted = table.assign(weight=1.0 + double)
    again = table[double].assign(sample_id=lambda t: t["sample_id"] + "-again")
    one, two = (run(t, task, n_boot=0) for t in (weighted, pd.concat([table, again])))
    for a, b in zip(one.metrics, two.metrics, strict=True):
        assert (a.metric, a.class_, a.group) == (b.metric, b.class_, b.group)
        if a.metric not in {"sd_error", "z_variance", "ence", "spiegelhalter_z"}:
            assert close([a.value], [b.value], 1e-11), (a.metric, a.group)


@pytest.mark.parametrize("name", ["ages", "expressions"])
def test_weights_matter_only_relative_to_each_other(name: str) -> None:
    task, make = TABLES[name]
    table = make(12)
    scaled = table.assign(weight=table["weight"] * 1024.0)
    one, two = run(table, task, n_boot=0), run(scaled, task, n_boot=0)
    for a, b in zip(one.metrics, two.metrics, strict=True):
        assert close((a.value, a.low, a.high), (b.value, b.low, b.high)), (a, b)


def test_a_face_of_weight_0_changes_no_value() -> None:
    table = age_table(13, weights=False).assign(weight=1.0)
    far = table.iloc[:20].assign(age_pred=500.0, weight=0.0)
    far["sample_id"] += "-far"
    one, two = (run(t, "age", n_boot=0) for t in (table, pd.concat([table, far])))
    for a, b in zip(one.metrics, two.metrics, strict=True):
        if a.metric != "sd_error":  # counts the faces
            assert close([a.value], [b.value], 1e-12), (a.metric, a.group)


def test_constant_shift_of_truth_and_estimate() -> None:
    table = age_table(14)
    moved = table.assign(age=table["age"] + 8, age_pred=table["age_pred"] + 8)
    one, two = run(table, "age"), run(moved, "age")
    free = {"mae", "bias", "rmse", "sd_error", "median_ae", "p90_ae", "cs5", "pearson", "slope"}
    for a, b in zip(one.metrics, two.metrics, strict=True):
        if a.metric in free:
            assert close((a.value, a.low, a.high), (b.value, b.low, b.high), 1e-9, 1e-9), (a, b)


def test_shift_of_the_estimate_moves_bias_only() -> None:
    table = age_table(15)
    one = run(table, "age", by=["gender", "race"])
    two = run(table.assign(age_pred=table["age_pred"] + 1.5), "age", by=["gender", "race"])
    for group in ({}, {"gender": "f"}, {"race": "NA"}):
        a, b = metric(one, "bias", group), metric(two, "bias", group)
        assert (a.value + 1.5, a.low + 1.5) == pytest.approx((b.value, b.low), rel=1e-9)
        for name in ("sd_error", "pearson", "slope"):
            a, b = metric(one, name, group), metric(two, name, group)
            assert (a.value, a.low) == pytest.approx((b.value, b.low), rel=1e-9)


RANGES = {"mae": "worst_minus_best", "cs5": "worst_minus_best", "bias": "max_minus_min"}


def test_swapped_groups_negate_the_gap() -> None:
    table = age_table(16)
    swapped = table.assign(gender=table["gender"].map({"f": "m", "m": "f"}))
    one, two = (run(t, "age", by=["gender"]) for t in (table, swapped))
    for a, b in zip(gaps(one, kind="difference"), gaps(two, kind="difference"), strict=True):
        assert (a.metric, a.a, a.b) == (b.metric, b.a, b.b)
        turned = [None if x is None else -x for x in (b.value, b.high, b.low)]
        assert close((a.value, a.low, a.high, a.p), (*turned, b.p)), (a, b)
    for a, b in zip(gaps(one, kind="ratio"), gaps(two, kind="ratio"), strict=True):
        if a.value is not None and b.value is not None:
            assert a.value == pytest.approx(1 / b.value, rel=1e-9)
    for name, kind in RANGES.items():
        a, b = (gaps(r, metric=name, kind=kind)[0] for r in (one, two))
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-9)
        assert a.a != b.a


@pytest.mark.parametrize("name", TABLES)
def test_same_seed_same_bytes(name: str) -> None:
    task, make = TABLES[name]
    assert run(make(17), task).to_json() == run(make(17), task).to_json()


JOINT = ("p_adjusted", "low_adjusted", "high_adjusted", "min_detectable", "verdict")


@pytest.mark.parametrize("name", ["ages", "expressions"])
def test_another_seed_changes_only_what_is_random(name: str) -> None:
    task, make = TABLES[name]
    one, two = (run(make(18), task, seed=seed, n_boot=150) for seed in (0, 1))
    changed = 0
    for a, b in zip([*one.metrics, *one.gaps], [*two.metrics, *two.gaps], strict=True):
        first, second = a.model_dump(), b.model_dump()
        drawn = {"debiased", "null_expected", "p_permutation", *JOINT}
        random = a.method is not None and a.method.startswith(("percentile", "projection"))
        drawn |= {"low", "high", "low_90", "high_90", "p"} if random else set()
        quantile = a.metric in {"median_ae", "p90_ae"}  # its variance is that of the replicates
        drawn |= {"value"} if quantile and getattr(a, "kind", "") == "tau2" else set()
        if "unstable_replicates" in {a.note, b.note}:  # stable or not is drawn too
            drawn |= {"method", "note", "low", "high", "low_90", "high_90", "p"}
        different = {k for k in first if first[k] != second[k]}
        assert different <= drawn, (a, b)
        changed += bool(different)
    assert changed > 5


def test_doubled_photos_leave_the_interval_by_person() -> None:
    """Every photo of every person twice: no new person, hence no new information."""
    table = age_table(19, weights=False)
    faces = expression_table(19, weights=False)
    for task, one in (("age", table), ("expression", faces)):
        again = one.assign(sample_id=one["sample_id"] + "-copy")
        first, second = (run(t, task, n_boot=0) for t in (one, pd.concat([one, again])))
        compared = 0
        for a, b in zip(first.metrics, second.metrics, strict=True):
            if str(a.method).startswith("cluster_t") and a.metric != "sd_error":
                near = pytest.approx((b.value, b.low, b.high, b.m_eff), rel=1e-9)
                assert (a.value, a.low, a.high, a.m_eff) == near, a.metric
                compared += 1
        for a, b in zip(first.gaps, second.gaps, strict=True):
            if a.kind == "adjusted_difference":  # the knots are quantiles of the faces
                continue
            if str(a.method).startswith("cluster_t") and a.metric != "sd_error":
                one_, two_ = ((g.value, g.low, g.high, g.p) for g in (a, b))
                assert close(one_, two_, 1e-8), (a, b)
                compared += 1
        assert compared > 20


@pytest.mark.parametrize("name", ["ages", "expressions"])
def test_without_replicates_only_closed_forms(name: str) -> None:
    task, make = TABLES[name]
    with_boot, closed = run(make(20), task, n_boot=60), run(make(20), task, n_boot=0)
    for a, b in zip(with_boot.metrics, closed.metrics, strict=True):
        assert a.value == b.value
        if a.method is not None and a.method != "percentile":
            assert (a.low, a.high) == (b.low, b.high)
        if b.metric in {"median_ae", "p90_ae"} and b.value is not None:
            assert b.low is None
            assert b.note in {"too_few_replicates", "one_subject"}
    for row in gaps(closed, metric="median_ae"):
        assert (row.low, row.p) == (None, None)
        assert "too_few_replicates" in row.note or row.note == "below_min_n"
    widest = gaps(closed, kind="worst_minus_best", attributes=["gender"])
    methods = {row.method for row in widest if row.low is not None}
    assert methods == {"projection (Bonferroni)"}

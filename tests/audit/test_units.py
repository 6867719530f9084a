"""Persons as units: hash buckets, the subject as estimand, faces without a person."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, audit, predictions_from_frame, units
from audit.bands import DECADES
from audit.collect import collect_table, table_bands
from audit.metrics.age_features import age_layout
from audit.rows import AdjustedGap
from audit.simulate import person_errors
from audit.units import BUCKETS, bucketed
from tests.audit.frames import age_table, metric


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


JOINT = {"p_adjusted", "low_adjusted", "high_adjusted", "min_detectable"}  # by the bootstrap


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
        if isinstance(a, AdjustedGap) and a.low is not None:  # errors by bucket: 2^13 of them
            assert a.value == pytest.approx(b.value, rel=1e-9)
            assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.05)
        elif a.method in {"cluster_t", "cluster_t (log)"}:
            first, second = a.model_dump(), b.model_dump()
            assert {name for name in first if first[name] != second[name]} <= JOINT, (a, b)
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
    """One of two photos of a fails, one of b is unlabelled, c is whole: (1/2 + 0 + 0) / 3."""
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

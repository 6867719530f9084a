"""Records for publication, and an outsider who subtracts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import null_space

from audit import AuditResult, InputError, audit
from audit.publish import suppress
from tests.audit.frames import age_table, expression_table, metric

K = 10
BY = ["gender", "race", "gender,race"]


def _with_rare_groups(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """4 persons of a race and 12 of another in one gender only; single photos, so n is persons."""
    rng = np.random.default_rng(seed)
    table = table.drop_duplicates("subject_id").drop(columns="weight")
    rare = rng.choice(table.index, 16, replace=False)
    table.loc[rare[:4], "race"] = "Rare"
    table.loc[rare[4:], "race"] = "Few"
    table.loc[rare[4:], "gender"] = "f"
    return table


@pytest.fixture(scope="module")
def full() -> AuditResult:
    table = _with_rare_groups(age_table(41, 700))
    return audit(table, task="age", by=BY, n_boot=60, min_n=20)


@pytest.fixture(scope="module")
def published(full: AuditResult) -> AuditResult:
    return suppress(full, K)


@pytest.fixture(scope="module")
def faces() -> tuple[AuditResult, AuditResult]:
    table = _with_rare_groups(expression_table(42, 900))
    full = audit(table, task="expression", by=BY, n_boot=60, min_n=20)
    return full, suppress(full, K)


def _key(group: Mapping[str, str | None]) -> frozenset[tuple[str, str | None]]:
    return frozenset(group.items())


def solved(full: AuditResult, seen: AuditResult, name: str, class_: str | None = None) -> set:
    """Groups whose hidden sum of a metric the outsider can solve for.

    He knows n and n times the value of every visible group, and that groups add up to each coarser
    group that they are part of.
    """
    rows = {_key(r.group): r for r in full.metrics if (r.metric, r.class_) == (name, class_)}
    shown = {_key(r.group): r for r in seen.metrics if (r.metric, r.class_) == (name, class_)}
    hidden = [g for g, r in shown.items() if r.note == "suppressed" and rows[g].n]
    equations = []
    for total in rows:
        names = {n for n, _ in total}
        finer = {frozenset(n for n, _ in g) for g in rows if total < g or (not total and g)}
        for combination in finer:
            if not names < combination:
                continue
            parts = [g for g in rows if {n for n, _ in g} == combination and total <= g]
            row = np.zeros(len(hidden))
            for group, sign in ((total, 1.0), *((p, -1.0) for p in parts)):
                if group in hidden:
                    row[hidden.index(group)] += sign
            equations.append(row)
    moves = null_space(np.array(equations)) if hidden else np.zeros((0, 0))
    return {g for g, move in zip(hidden, moves, strict=True) if np.abs(move).max(initial=0) < 1e-9}


def small_groups(full: AuditResult, name: str, class_: str | None = None) -> set:
    rows = [r for r in full.metrics if (r.metric, r.class_) == (name, class_)]
    return {_key(r.group) for r in rows if 0 < r.n_subjects < K}


def test_nothing_visible_rests_on_few_persons(published: AuditResult, faces: Any) -> None:
    for result in (published, faces[1]):
        for row in result.metrics:
            assert row.n_subjects is None or row.n_subjects == 0 or row.n_subjects >= K, row
            if row.note == "suppressed":
                assert (row.value, row.low, row.n, row.n_failed, row.m_eff) == (None,) * 5
        for gap in result.gaps:
            for n in (gap.n_subjects_a, gap.n_subjects_b):
                assert n is None or n >= K
        assert all(row.n >= K for row in result.curves if row.n)


def test_the_naive_record_can_be_solved_and_this_one_cannot(
    full: AuditResult, published: AuditResult
) -> None:
    small = small_groups(full, "mae")
    assert {("race", "Rare")} in [set(g) for g in small]
    naive = full.model_copy(
        update={
            "metrics": [
                r.model_copy(update={"note": "suppressed"}) if _key(r.group) in small else r
                for r in full.metrics
            ]
        }
    )
    assert solved(full, naive, "mae") & small  # subtraction works where only small cells go
    for name in ("mae", "bias", "cs5", "failure_rate", "cs5_all"):
        assert small_groups(full, name)
        assert not solved(full, published, name) & small_groups(full, name)


def test_classes_of_few_persons_cannot_be_solved_either(faces: Any) -> None:
    full, seen = faces
    for class_ in full.spec.classes:
        small = small_groups(full, "recall", class_)
        assert small
        assert not solved(full, seen, "recall", class_) & small
    # within a group: accuracy is the mean of the recalls, so never is one class alone missing
    groups = {_key(r.group): r.group for r in full.metrics}
    for group in groups.values():
        if metric(seen, "accuracy", group).value is None:
            continue
        rows = [metric(seen, "recall", group, c) for c in full.spec.classes]
        gone = [c for c, r in zip(full.spec.classes, rows, strict=True) if r.note == "suppressed"]
        held = [c for c in gone if metric(full, "recall", group, c).n_subjects]
        assert len(held) != 1
        if gone:
            assert metric(seen, "balanced_accuracy", group).value is None
            assert metric(seen, "cohen_kappa", group).value is None


def test_gaps_of_hidden_groups_are_hidden(full: AuditResult, published: AuditResult) -> None:
    hidden = {
        _key(r.group) for r in published.metrics if r.metric == "mae" and r.note == "suppressed"
    }
    assert hidden
    kinds = set()
    for before, gap in zip(full.gaps, published.gaps, strict=True):
        if gap.metric != "mae":
            continue
        sides = [_key(s) for s in (before.a, before.b) if s]
        if any(side in hidden for side in sides):
            assert (gap.value, gap.low, gap.p, gap.n_a, gap.note) == (
                None, None, None, None, "suppressed",
            )  # fmt: skip
            kinds.add(gap.kind)
        elif gap.kind in {"difference", "ratio"}:
            assert gap == before
    assert {"difference", "ratio", "vs_rest"} <= kinds


def test_an_unknown_group_is_not_everyone_less_the_rest() -> None:
    """5 faces without a gender: everyone less those with one would be they."""
    table = age_table(43, 300, unknown=False, weights=False).drop_duplicates("subject_id")
    table.loc[table.index[:5], "gender"] = None
    full = audit(table, task="age", by=["gender"], n_boot=0)
    seen = suppress(full, K)
    rows = {r.group["gender"]: r for r in seen.metrics if r.metric == "mae" and r.group}
    assert rows[None].note == "suppressed"
    assert sum(r.note == "suppressed" for r in rows.values()) == 2
    for gap in seen.gaps:
        if gap.kind == "vs_rest":
            assert gap.note == "suppressed"
    assert seen.spec.attributes["gender"].n_unknown is None
    assert not any("5 of" in w.message for w in seen.warnings if w.where == "gender")


def test_warnings_do_not_name_what_is_hidden(full: AuditResult, published: AuditResult) -> None:
    named = [w for w in full.warnings if "Rare" in w.message]
    assert named
    assert not any("Rare" in w.message for w in published.warnings)
    codes = [w.code for w in published.warnings]
    assert codes == [*(w.code for w in full.warnings), "suppressed_groups"]


def test_the_spec_says_what_was_done(full: AuditResult, published: AuditResult) -> None:
    assert (full.spec.publish_min, full.spec.n_suppressed) == (None, None)
    assert published.spec.publish_min == K
    hidden = {_key(r.group) for r in published.metrics if r.note == "suppressed"}
    assert published.spec.n_suppressed >= len(hidden) >= 2
    again = AuditResult.model_validate_json(published.to_json())
    assert again == published
    assert suppress(published, K) is published
    with pytest.raises(InputError, match="start from the full one"):
        suppress(published, K + 1)
    with pytest.raises(InputError, match="--publish-min 1"):
        suppress(full, 1)


def test_large_groups_lose_nothing() -> None:
    table = age_table(44, 700, unknown=False, weights=False)
    full = audit(table, task="age", by=["gender"], n_boot=0)
    seen = suppress(full, K)
    assert seen.spec.n_suppressed == 0
    assert (seen.metrics, seen.gaps) == (full.metrics, full.gaps)


def test_a_table_of_few_persons_is_hidden_whole() -> None:
    result = suppress(audit(age_table(45, 8), task="age", by=["gender"], n_boot=0), K)
    assert all(r.value is None for r in result.metrics)
    assert all(r.value is None for r in result.gaps)
    assert result.curves == []


def test_curves_by_group_go_where_a_point_is_small(faces: Any) -> None:
    full, seen = faces
    by = {(r.name, tuple(r.group)) for r in seen.curves}
    assert {(r.name, tuple(r.group)) for r in full.curves} > by
    assert not any(len(names) == 2 for _, names in by)  # gender x race has small groups
    bins = [r for r in full.curves if r.name == "reliability" and not r.group]
    left = [r for r in seen.curves if r.name == "reliability" and not r.group]
    assert len(bins) - len(left) in {0, *range(2, len(bins) + 1)}
    assert all(r.n_subjects >= K for r in left)


def test_photos_are_not_persons() -> None:
    """40 photos of 4 persons are 4 persons."""
    table = age_table(46, 300, unknown=False, weights=False)
    four = table["subject_id"].drop_duplicates().iloc[:4]
    extra = pd.concat([table[table["subject_id"].isin(four)]] * 4)
    extra["sample_id"] = [f"x{i}" for i in range(len(extra))]
    table = pd.concat([table, extra])
    table.loc[table["subject_id"].isin(four), "race"] = "Rare"
    full = audit(table, task="age", by=["race"], n_boot=0)
    assert metric(full, "mae", {"race": "Rare"}).n > K
    seen = suppress(full, K)
    assert metric(seen, "mae", {"race": "Rare"}).note == "suppressed"
    assert not any(r.group for r in seen.curves)


def test_no_hidden_number_is_anywhere_in_the_file(
    full: AuditResult, published: AuditResult
) -> None:
    """No value of a hidden row occurs in the published file in any other place."""
    text = published.to_json()
    for row in full.metrics:
        if 0 < row.n_subjects < K and row.value not in (None, 0.0, 1.0):
            digits = json.dumps(row.value)
            assert len(digits) < 10 or digits not in text, (row.metric, row.group)

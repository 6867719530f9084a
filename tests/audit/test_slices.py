"""Worst slices: halves of persons, refinement, order, and small tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, InputError, audit
from audit.families import holm
from audit.hashing import folds, text_keys
from audit.metrics.age import age_metrics
from audit.slices import _adjusted
from tests.audit.compare import close
from tests.audit.frames import age_table, expression_table


def planted(seed: int = 1, n_persons: int = 1200) -> pd.DataFrame:
    """Women of dark skin are over-estimated by 6 years; race and gender alone say little."""
    table = age_table(seed, n_persons, weights=False)
    dark = table["subject_id"].str[-1].isin(list("012"))
    table["tone"] = np.where(dark, "dark", "light")
    table["age_pred"] += np.where(dark & table["gender"].eq("f"), 6.0, 0.0)
    return table


@pytest.fixture(scope="module")
def result() -> AuditResult:
    return audit(planted(), task="age", by=["gender", "race", "tone"], n_boot=0)


def test_the_planted_slice_leads_and_is_confirmed(result: AuditResult) -> None:
    worst = result.slices[0]
    assert worst.group == {"gender": "f", "tone": "dark"}
    assert worst.p_adjusted < 0.001
    assert worst.low < worst.gap < worst.high
    assert worst.low > 1
    for other in result.slices[1:]:
        ours, theirs = set(worst.group.items()), set(other.group.items())
        assert not ours <= theirs
        assert not theirs <= ours


def test_values_are_those_of_the_other_half(result: AuditResult) -> None:
    """The half is recomputed here from the hash of the persons' ids."""
    table = planted()
    keys = text_keys(table["subject_id"].tolist(), "subject")
    other = table[folds(keys, 0, 8, 2) == 1]
    known = other[other["age"].notna() & other["age_pred"].notna()]
    error = (known["age_pred"] - known["age"]).abs()
    inside = known["gender"].eq("f") & known["tone"].eq("dark")
    row = result.slices[0]
    assert row.value == pytest.approx(error[inside].mean(), rel=1e-12)
    assert row.gap == pytest.approx(error[inside].mean() - error[~inside].mean(), rel=1e-12)
    assert (row.n, row.n_subjects) == (inside.sum(), known.loc[inside, "subject_id"].nunique())


def test_confirmed_needs_the_same_direction_on_the_other_half(result: AuditResult) -> None:
    for row in result.slices:
        assert row.confirmed == (row.p_adjusted < 0.05 and row.gap > 0)
    assert result.slices[0].confirmed
    # A slice that was found worse and is measured much better: a small p, and nothing confirmed.
    metric = next(m for m in age_metrics() if m.name == "mae")
    row = result.slices[0].model_copy(update={"confirmed": None})
    assert _adjusted(row, 0.001, metric).confirmed
    assert not _adjusted(row.model_copy(update={"gap": -row.gap}), 0.001, metric).confirmed
    assert _adjusted(row, float("nan"), metric).confirmed is None
    share = next(m for m in age_metrics() if m.name == "cs5")
    assert not _adjusted(row, 0.001, share).confirmed


def test_adjusted_p_is_holm_over_the_rows(result: AuditResult) -> None:
    p = np.array([row.p for row in result.slices])
    assert np.allclose([row.p_adjusted for row in result.slices], holm(p))


def test_order_of_rows_and_shards_do_not_matter(result: AuditResult) -> None:
    table = planted().sample(frac=1, random_state=3)
    options = {"task": "age", "by": ["gender", "race", "tone"], "n_boot": 0}
    for again in (audit(table, **options), audit([table[::2], table[1::2]], **options)):
        assert [row.group for row in again.slices] == [row.group for row in result.slices]
        for a, b in zip(again.slices, result.slices, strict=True):
            numbers = ("value", "gap", "low", "high", "p", "p_adjusted", "found")
            assert close([getattr(a, k) for k in numbers], [getattr(b, k) for k in numbers])


def test_another_column_is_searched_without_being_audited() -> None:
    table = planted()
    by = {"task": "age", "by": ["gender"], "n_boot": 0}
    found = audit(table, slice_by=["tone"], **by)
    assert found.slices[0].group == {"gender": "f", "tone": "dark"}
    assert "tone" not in found.spec.attributes
    plain = audit(table, **by)
    assert plain.slices == []  # one attribute: its groups are in the tables
    assert plain.spec.slices is None
    bare = audit(table, by=["gender", "tone"], slices=False, task="age", n_boot=0)
    assert (bare.slices, bare.spec.slices) == ([], None)
    values = {(r.metric, str(r.group)): r.value for r in found.metrics}
    other = {(r.metric, str(r.group)): r.value for r in plain.metrics}
    assert values == pytest.approx(other, rel=1e-12)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no such column"):
        audit(planted(), task="age", by=["gender"], slice_by=["tune"], n_boot=0)


def test_worse_accuracy_is_lower() -> None:
    table = expression_table(4, 900, weights=False)
    dark = table["subject_id"].str[-1].isin(list("012"))
    table["tone"] = np.where(dark, "dark", "light")
    flip = dark & table["gender"].eq("f") & (np.random.default_rng(0).random(len(table)) < 0.9)
    table["expression_pred"] = table["expression_pred"].where(~flip, "angry")
    table = table.drop(columns=[c for c in table if c.startswith("prob_")])
    result = audit(table, task="expression", by=["gender", "tone", "race"], n_boot=0)
    worst = result.slices[0]
    assert (worst.metric, worst.group) == ("accuracy", {"gender": "f", "tone": "dark"})
    assert worst.high < 0
    assert worst.found < 0


def test_too_few_persons_are_not_searched() -> None:
    result = audit(age_table(2, 60), task="age", by=["gender", "race"], n_boot=0)
    assert result.slices == []
    assert "not searched" in result.spec.slices


def test_groups_that_one_half_does_not_have() -> None:
    table = planted(2, 900)
    lone = table["subject_id"].eq(table["subject_id"].iloc[0])
    table.loc[lone, "race"] = "Only"
    result = audit(table, task="age", by=["gender", "race", "tone"], n_boot=0)
    assert result.slices[0].group == {"gender": "f", "tone": "dark"}
    assert all(row.group.get("race") != "Only" for row in result.slices)

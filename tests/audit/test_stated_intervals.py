"""Intervals that a table states: coverage, width and score by hand and by scoringrules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scoringrules as sr

from audit import AuditResult, InputError, audit
from tests.audit.frames import age_table, gaps, metric


def table(seed: int = 0) -> pd.DataFrame:
    """Intervals of two levels around the estimates, failures and weights among them."""
    found = age_table(seed)
    half = np.random.default_rng(seed).uniform(2, 9, len(found))
    for level, times in ((50, 0.5), (90, 1.0)):
        found[f"interval_{level}_low"] = found["age_pred"] - times * half
        found[f"interval_{level}_high"] = found["age_pred"] + times * half
    return found


@pytest.fixture(scope="module")
def result() -> AuditResult:
    return audit(table(), task="age", by=["gender"], n_boot=0)


@pytest.mark.parametrize("level", [50, 90])
@pytest.mark.parametrize("gender", [None, "f", "m"])
def test_values_equal_scoringrules(result: AuditResult, level: int, gender: str | None) -> None:
    rows = table().dropna(subset=["age", "age_pred"])
    rows = rows if gender is None else rows[rows["gender"] == gender]
    low, high = (rows[f"interval_{level}_{end}"].to_numpy() for end in ("low", "high"))
    y, w = rows["age"].to_numpy(), rows["weight"].to_numpy()
    group = {} if gender is None else {"gender": gender}
    expected = {
        "coverage": np.average((low <= y) & (y <= high), weights=w),
        "width": np.average(high - low, weights=w),
        "score": np.average(sr.interval_score(y, low, high, 1 - level / 100), weights=w),
    }
    for name, value in expected.items():
        row = metric(result, f"stated_{name}_{level}", group)
        assert row.value == pytest.approx(value, rel=1e-12)
        assert row.low < row.value < row.high


def test_by_hand() -> None:
    # [20, 28] at 90 %: 25 inside scores 8; 30 and 18 are 2 outside: 8 + 20 x 2 = 48 each
    frame = pd.DataFrame({"age": [25, 30, 18], "age_pred": 24.0})
    frame = frame.assign(interval_90_low=20.0, interval_90_high=28.0)
    found = audit(frame, task="age", by=[], n_boot=0)
    assert metric(found, "stated_coverage_90").value == pytest.approx(1 / 3)
    assert metric(found, "stated_width_90").value == 8.0
    assert metric(found, "stated_score_90").value == pytest.approx((8 + 48 + 48) / 3)
    closed = audit(frame.assign(age=[20, 28, 24]), task="age", by=[], n_boot=0)
    assert metric(closed, "stated_coverage_90").value == 1.0


def test_coverage_has_gaps(result: AuditResult) -> None:
    assert gaps(result, metric="stated_coverage_90", kind="difference")


def test_bands_settle_only_the_width() -> None:
    frame = pd.DataFrame({"age": ["20-29", "30-39"], "age_pred": [25.0, 33.0]})
    frame = frame.assign(interval_90_low=[20, 25], interval_90_high=[30, 45])
    found = audit(frame, task="age", by=[], n_boot=0)
    assert metric(found, "stated_coverage_90").note == "interval_truth"
    assert metric(found, "stated_score_90").value is None
    assert metric(found, "stated_width_90").value == 15.0


def test_shards_must_state_the_same_levels() -> None:
    frame = table(1)
    other = frame.drop(columns=["interval_50_low", "interval_50_high"])
    with pytest.raises(InputError, match="are of other levels than those of"):
        audit([frame[:50], other[50:]], task="age", by=[], n_boot=0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"interval_90_low": 1.0}, "needs its other end"),
        ({"interval_90_low": 9.0, "interval_90_high": 3.0}, r"\[9, 3\], must be two finite ages"),
        ({"interval_90_low": None, "interval_90_high": 3.0}, "row 1: interval_90 is"),
        ({"interval_90_low": 1.0, "interval_90_high": np.inf}, "must be two finite ages"),
        ({"interval_0_low": 1.0, "interval_0_high": 2.0}, "a level between 0 and 100"),
    ],
)
def test_wrong_intervals_are_refused(columns: dict[str, float], message: str) -> None:
    frame = pd.DataFrame({"age": [20.0], "age_pred": [21.0]}).assign(**columns)
    with pytest.raises(InputError, match=message):
        audit(frame, task="age", by=[], n_boot=0)

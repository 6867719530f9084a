"""The distribution of the signed error: shares by hand, and the same from every way of adding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from audit.curves import DESCRIPTIONS
from audit.errors import InputError
from audit.groups import MAX_DRAWN
from audit.intervals import limits, wilson
from audit.metrics.error_bins import EDGES, ERROR_BINS, LOWER
from audit.publish import suppress
from audit.rates import joined, rate_sums, rates
from audit.result import AuditResult
from audit.rows import CurveRow
from audit.run import audit
from audit.stream import audit_file


def _curve(result: AuditResult, **group: str | None) -> list[CurveRow]:
    return [r for r in result.curves if r.name == "error_density" and r.group == group]


def _audit(frame: pd.DataFrame, *by: str, **options: object) -> AuditResult:
    return audit(frame, task="age", by=list(by), n_boot=0, slices=False, **options)  # type: ignore[arg-type]


def _of_errors(errors: list[float]) -> pd.DataFrame:
    n = len(errors)
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "age": [40.0] * n})
    return frame.assign(age_pred=frame.age + errors)


def test_bins_are_five_years_around_zero_with_open_ends() -> None:
    assert LOWER == (-37.5, -32.5, -27.5, -22.5, -17.5, -12.5, -7.5, -2.5,
                     2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 32.5)  # fmt: skip
    assert list(EDGES) == [-edge for edge in EDGES[::-1]]


def test_shares_bins_at_edges_and_tails_by_hand() -> None:
    # Lower edges belong to their bin: -32.5 is not in the tail, 32.5 is; -2.5 and 2.4 are around 0.
    errors = [-40.0, -32.6, -32.5, -2.5, 0.0, 2.4, 2.5, 7.4, 32.5, 35.0]
    curve = _curve(_audit(_of_errors(errors)))
    assert [row.x for row in curve] == list(LOWER)
    shares = {row.x: row.y for row in curve if row.y}
    assert shares == pytest.approx({-37.5: 0.2, -32.5: 0.1, -2.5: 0.3, 2.5: 0.2, 32.5: 0.2})
    assert {(row.n, row.n_subjects) for row in curve} == {(10, 10)}
    # Ten people, variance 0.2 x 0.8 / 10 x 10 / 9: Wilson's interval of 9 faces with t of df 9.
    first = curve[0]
    low, high = wilson(np.array([0.2]), np.array([9.0]), np.array([2.262157]))
    assert (first.low, first.high) == pytest.approx((low[0], high[0]), abs=1e-5)


def test_weights_count_and_failures_do_not() -> None:
    frame = _of_errors([0.0, 10.0, 20.0, np.nan]).assign(weight=[1.0, 3.0, 0.0, 5.0])
    curve = {row.x: row for row in _curve(_audit(frame))}
    assert (curve[-2.5].y, curve[7.5].y, curve[17.5].y) == (0.25, 0.75, 0.0)
    assert (curve[-2.5].n, curve[7.5].n_subjects) == (2, 2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """1,200 photos of 400 people whose errors go together, two groups and an unknown one."""
    rng, n = np.random.default_rng(5), 1200
    person = rng.integers(0, 400, n)
    group = np.array(["a", "b", None], dtype=object)[np.minimum(person % 5, 2) % 3]
    group[person % 5 == 3] = "b"
    age = rng.integers(15, 80, n).astype(float)
    error = rng.normal(0, 6, 400)[person] + rng.normal(0, 6, n) + 4.0 * (person % 5 == 0)
    return pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(n)], "subject_id": [f"p{i}" for i in person],
         "age": age, "age_pred": np.round(age + error, 1), "group": group}
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(frame: pd.DataFrame) -> AuditResult:
    return _audit(frame, "group", "age")


def test_shares_of_every_group_are_those_of_numpy_and_sum_to_one(
    result: AuditResult, frame: pd.DataFrame
) -> None:
    error = (frame.age_pred - frame.age).to_numpy()
    for value in ("a", "b", None):
        mine = frame.group.isna() if value is None else frame.group == value
        curve = _curve(result, group=value)
        ends = [-np.inf, *EDGES, np.inf]
        wanted = np.histogram(error[mine], ends)[0] / mine.sum()
        assert [row.y for row in curve] == pytest.approx(list(wanted))
        assert sum(row.y for row in curve) == pytest.approx(1.0)  # type: ignore[misc]
        assert {row.n for row in curve} == {int(mine.sum())}
        assert {row.n_subjects for row in curve} == {frame.subject_id[mine].nunique()}
        assert all(row.low <= row.y <= row.high for row in curve)  # type: ignore[operator]
    assert result.spec.curves["error_density"] == DESCRIPTIONS["error_density"]
    assert {tuple(r.group) for r in result.curves if r.name == "error_density"} == {
        (), ("group",), ("age",)
    }  # fmt: skip


def test_five_equal_photos_of_everybody_are_no_more_than_one() -> None:
    errors = [-6.0, -6.0, 4.0, *[0.0] * 17]
    one = _curve(_audit(_of_errors(errors)))
    people = np.repeat(np.arange(len(errors)), 5)
    five = _of_errors([errors[i] for i in people]).assign(subject_id=[f"p{i}" for i in people])
    for a, b in zip(one, _curve(_audit(five)), strict=True):
        assert (b.y, b.low, b.high) == pytest.approx((a.y, a.low, a.high), abs=1e-9)
        assert (b.n, b.n_subjects) == (100, 20)


def test_the_order_of_rows_and_streaming_change_nothing(
    result: AuditResult, frame: pd.DataFrame, tmp_path: Path
) -> None:
    def rows(found: AuditResult) -> list[CurveRow]:
        return [r for r in found.curves if r.name == "error_density"]

    def close(found: list[CurveRow]) -> None:
        assert len(found) == len(rows(result)) > 0
        for a, b in zip(rows(result), found, strict=True):
            assert (a.group, a.x, a.n, a.n_subjects) == (b.group, b.x, b.n, b.n_subjects)
            assert (a.y, a.low, a.high) == pytest.approx((b.y, b.low, b.high), abs=1e-12)

    close(rows(_audit(frame.sample(frac=1, random_state=1), "group", "age")))
    frame.to_parquet(path := tmp_path / "table.parquet")
    close(rows(audit_file(path, task="age", by=["group", "age"], batch=400, n_boot=0)))


def test_there_is_none_of_bands_nor_of_too_many_groups(frame: pd.DataFrame, tmp_path: Path) -> None:
    few = frame.head(100)
    low = (few.age // 10) * 10
    banded = few.drop(columns="age").assign(age_low=low, age_high=low + 10)
    assert not any(r.name == "error_density" for r in _audit(banded, "group").curves)
    guessed = few.drop(columns="age_pred").assign(age_pred_low=low, age_pred_high=low + 10)
    assert not any(r.name == "error_density" for r in _audit(guessed, "group").curves)
    banded.to_parquet(path := tmp_path / "bands.parquet")
    streamed = audit_file(path, task="age", by=["group"], n_boot=0)
    assert not any(r.name == "error_density" for r in streamed.curves)
    many = few.assign(group=[f"g{i % (MAX_DRAWN + 1)}" for i in range(len(few))])
    many.to_parquet(path)
    for found in (
        _audit(many, "group"),
        audit_file(path, task="age", by=["group"], n_boot=0, batch=30),
    ):
        drawn = {tuple(r.group) for r in found.curves if r.name == "error_density"}
        assert drawn == {()}


def test_a_group_below_the_minimum_is_not_published(frame: pd.DataFrame) -> None:
    few = frame.dropna(subset="group").head(600).copy()
    few.loc[few.index[:3], "group"] = "tiny"
    found = suppress(_audit(few, "group"), 10)
    names = {tuple(r.group) for r in found.curves if r.name == "error_density"}
    assert names == {()}
    with pytest.raises(InputError, match="at least 2"):
        suppress(_audit(few, "group"), 1)


def test_intervals_by_person_cover() -> None:
    """200 people, 1 to 5 photos, person's share of the variance a half; 600 runs, seed 9.

    The standard error of a coverage of 0.95 over 600 runs is 0.009.
    """
    rng, hits = np.random.default_rng(9), []
    columns = np.arange(ERROR_BINS)
    truth = np.histogram(rng.normal(1, 8, 4_000_000), [-np.inf, *EDGES, np.inf])[0] / 4e6
    for _ in range(600):
        person = np.repeat(np.arange(200), rng.integers(1, 6, 200))
        both = rng.normal(0, np.sqrt(32), 200)[person] + rng.normal(0, np.sqrt(32), len(person))
        at = np.searchsorted(EDGES, both + 1, side="right")
        sums = np.zeros((200, ERROR_BINS + 1))
        np.add.at(sums, (person, at), 1.0)
        sums[:, -1] = sums[:, :-1].sum(axis=1)
        every = np.full(ERROR_BINS, ERROR_BINS)
        e, _ = rates(joined([rate_sums(csr_array(sums), columns, every, every)]))
        low, high = limits("wilson", e, 0.95)
        hits.append((low[0] <= truth) & (truth <= high[0]))
    coverage = np.mean(hits, axis=0)
    common = truth > 0.02
    assert common.sum() >= 7
    assert coverage[common].min() > 0.925
    assert coverage[common].mean() == pytest.approx(0.955, abs=0.015)

"""Comparison of runs: hand-derived numbers, second opinions, invariances, refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar

from audit import predictions_from_frame
from audit.compare import compare
from audit.comparison import Comparison, GapChange, PairedRow
from tests.audit.frames import age_table, expression_table

FEW = {"n_boot": 100}


def ages(frame: pd.DataFrame, place: str = "table") -> Any:
    return predictions_from_frame(frame, task="age", place=place)


def faces(frame: pd.DataFrame, place: str = "table") -> Any:
    return predictions_from_frame(frame, task="expression", place=place)


def other_run(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """The same faces with estimates that are a little off."""
    rng = np.random.default_rng(seed)
    return frame.assign(age_pred=frame["age_pred"] + rng.normal(0.3, 2.0, len(frame)).round(3))


def other_expressions(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """The same faces where a fifth of the classes is drawn again."""
    rng = np.random.default_rng(seed)
    again = rng.choice(["angry", "happy", "neutral", "sad"], len(frame))
    changed = rng.random(len(frame)) < 0.2
    return frame.assign(expression_pred=np.where(changed, again, frame["expression_pred"]))


def paired(result: Comparison, **wanted: Any) -> PairedRow:
    return _only(result.paired, wanted)


def gap(result: Comparison, **wanted: Any) -> GapChange:
    return _only(result.gaps, wanted)


def _only(rows: Any, wanted: Mapping[str, Any]) -> Any:
    found = [row for row in rows if all(getattr(row, k) == v for k, v in wanted.items())]
    assert len(found) == 1, f"{len(found)} rows with {wanted}"
    return found[0]


@pytest.fixture(scope="module")
def four() -> Comparison:
    """Errors 1, 2, 3, 4 and 2, -2, 5, 3 years on four faces of four people."""
    frame = pd.DataFrame({"sample_id": list("abcd"), "age": [30.0] * 4, "gender": list("ffmm")})
    first = frame.assign(age_pred=[31, 32, 33, 34])
    second = frame.assign(age_pred=[32, 28, 35, 33])
    return compare({"old": ages(first), "new": ages(second)}, by=["gender"], n_boot=0, min_n=2)


def test_by_hand(four: Comparison) -> None:
    # |e| changes by 1, 0, 2, -1: mean 0.5, sum of squares about it 0.25 + 0.25 + 2.25 + 2.25 = 5,
    # variance of the mean 5 / 3 / 4 = 0.41667, t(3) at 95 % 3.182446: 0.5 -+ 2.054260
    row = paired(four, metric="mae", group={})
    assert (row.value, row.value_a, row.value_b) == (0.5, 2.5, 3.0)
    assert row.low == pytest.approx(0.5 - 2.054260, abs=1e-5)
    assert row.high == pytest.approx(0.5 + 2.054260, abs=1e-5)
    assert (row.n, row.n_subjects, row.method) == (4, 4, "cluster_t (paired)")
    # women 1 and 0: +0.5; men 2 and -1: +0.5; so their difference does not change
    change = gap(four, metric="mae", kind="difference")
    assert (change.a, change.b) == ({"gender": "f"}, {"gender": "m"})
    assert (change.value_a, change.value_b) == (-2.0, -2.0)
    assert change.value == pytest.approx(0, abs=1e-12)
    # variance of a mean of two: women 0.5^2 + 0.5^2 over 2 = 0.25, men 2 x 1.5^2 over 2 = 2.25
    half = stats.t.ppf(0.975, 2.5**2 / (0.25**2 + 2.25**2)) * np.sqrt(2.5)
    assert change.high == pytest.approx(half, rel=1e-9)


def test_a_paired_t_test_is_the_case_of_one_photo() -> None:
    frame = age_table(weights=False, failures=False, unknown=False).drop(columns="subject_id")
    second = other_run(frame)
    result = compare({"a": ages(frame), "b": ages(second)}, by=["gender"], n_boot=0)
    errors = [(t["age_pred"] - t["age"]).abs() for t in (frame, second)]
    theirs = stats.ttest_rel(errors[1], errors[0])
    row = paired(result, metric="mae", group={})
    limits = theirs.confidence_interval(0.95)
    assert row.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (row.low, row.high) == pytest.approx((limits.low, limits.high), rel=1e-9)
    change = (errors[1] - errors[0]).groupby(frame["gender"])
    welch = stats.ttest_ind(change.get_group("f"), change.get_group("m"), equal_var=False)
    found = gap(result, metric="mae", kind="difference", attributes=["gender"])
    assert found.p == pytest.approx(welch.pvalue, rel=1e-9)


def test_photos_of_one_person_are_summed_first() -> None:
    frame = age_table(weights=False, failures=False, unknown=False)
    second = other_run(frame)
    result = compare({"a": ages(frame), "b": ages(second)}, by=[], n_boot=0)
    change = (second["age_pred"] - second["age"]).abs() - (frame["age_pred"] - frame["age"]).abs()
    m = frame["subject_id"].nunique()
    psi = (change - change.mean()).groupby(frame["subject_id"]).sum() / len(frame)
    se = np.sqrt(m / (m - 1) * (psi**2).sum())
    counts = frame["subject_id"].value_counts()
    df = min(m, counts.sum() ** 2 / (counts**2).sum()) - 1
    row = paired(result, metric="mae", group={})
    assert row.high - row.value == pytest.approx(stats.t.ppf(0.975, df) * se, rel=1e-9)


def accuracy_tables(gained: int, lost: int, n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two runs of which the second is right on ``gained`` more faces and wrong on ``lost`` more."""
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "expression": "sad"})
    first, second = np.full(n, "sad", dtype=object), np.full(n, "sad", dtype=object)
    first[:gained], second[gained : gained + lost] = "calm", "calm"
    first[gained + lost : n // 2] = second[gained + lost : n // 2] = "calm"
    return frame.assign(expression_pred=first), frame.assign(expression_pred=second)


def test_shares_are_tested_by_mcnemar() -> None:
    first, second = accuracy_tables(12, 5, 80)
    result = compare({"a": faces(first), "b": faces(second)}, by=[], n_boot=0)
    row = paired(result, metric="accuracy", group={})
    theirs = mcnemar([[30, 5], [12, 33]], exact=False, correction=False).statistic
    assert row.value == pytest.approx(7 / 80)
    assert row.p == pytest.approx(2 * stats.t.sf(np.sqrt(theirs), 79), rel=1e-9)


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 5, 80), (3, 0, 50), (0, 0, 40), (9, 9, 60)])
def test_limits_of_shares_invert_the_score_test(gained: int, lost: int, n: int) -> None:
    """At a limit the restricted likelihood, maximised here by number, gives the critical value."""
    first, second = accuracy_tables(gained, lost, n)
    result = compare({"a": faces(first), "b": faces(second)}, by=[], n_boot=0)
    row = paired(result, metric="accuracy", group={})
    critical = stats.t.ppf(0.975, n - 1)
    for limit in (row.low, row.high):
        assert limit is not None
        lost_share = most_likely_loss(gained, lost, n, limit)
        var = (2 * lost_share + limit - limit**2) / n
        assert abs((gained - lost) / n - limit) / np.sqrt(var) == pytest.approx(critical, rel=1e-4)


def most_likely_loss(gained: int, lost: int, n: int, limit: float) -> float:
    """The share of faces lost if the share gained is ``limit`` more."""

    def minus_log(share: float) -> float:
        rest = 1 - 2 * share - limit
        terms = ((gained, share + limit), (lost, share), (n - gained - lost, rest))
        return -sum(k * np.log(max(x, 1e-300)) for k, x in terms if k)

    ends = (max(0.0, -limit), (1 - limit) / 2)
    found = minimize_scalar(minus_log, bounds=ends, method="bounded", options={"xatol": 1e-12})
    return float(found.x)


def test_runs_that_agree_are_not_taken_for_certain_to_agree() -> None:
    """No disagreement on 40 faces: z^2 / (n + z^2) is still possible; errors in years have none."""
    first, _ = accuracy_tables(0, 0, 40)
    result = compare({"a": faces(first), "b": faces(first)}, by=[], n_boot=0)
    row = paired(result, metric="accuracy", group={})
    z = stats.t.ppf(0.975, 39) ** 2
    assert row.value == 0
    assert (row.low, row.high) == pytest.approx((-z / (40 + z), z / (40 + z)), rel=1e-6)
    assert (row.p, row.verdict) == (1.0, "inconclusive")
    frame = age_table()
    shifted = frame.assign(age_pred=frame["age_pred"] + 1)
    moved = compare({"a": ages(frame), "b": ages(shifted)}, by=[], n_boot=0)
    row = paired(moved, metric="bias", group={})
    # every estimate is a year higher: a constant has no variance, and is not certain either
    assert (row.value, row.low, row.note) == (pytest.approx(1), None, "zero_variance")
    same = compare({"a": ages(frame), "b": ages(frame)}, by=["gender"], margins={"mae": 1}, **FEW)
    row = paired(same, metric="mae", group={})
    assert (row.value, row.low, row.high, row.note) == (0.0, None, None, "runs_agree")
    assert {r.verdict for r in same.paired} <= {"inconclusive", None}
    assert {r.verdict for r in same.gaps} <= {"inconclusive", None}


def test_p_is_the_inversion_of_the_interval_and_a_family_is_never_surer() -> None:
    frame = expression_table()
    result = compare(
        {"a": faces(frame), "b": faces(other_expressions(frame))},
        by=["gender", "race"], n_boot=200, min_n=10,
    )  # fmt: skip
    rows = [row for row in (*result.paired, *result.gaps) if row.low is not None]
    assert len(rows) > 100
    for row in rows:
        assert (row.p < 0.05) == (row.low > 0 or row.high < 0), row
        if row.p_adjusted is not None:
            assert row.p_adjusted >= row.p - 1e-12
            assert row.low_adjusted <= row.low + 1e-12
            assert row.high_adjusted >= row.high - 1e-12
            assert (row.p_adjusted < 0.05) == (row.low_adjusted > 0 or row.high_adjusted < 0)


def test_swapping_the_runs_negates_every_difference() -> None:
    frame = age_table()
    tables = {"a": ages(frame), "b": ages(other_run(frame))}
    forth = compare(tables, by=["gender", "race"], min_n=10, **FEW)
    back = compare(tables, baseline="b", by=["gender", "race"], min_n=10, **FEW)
    words = {"a better": "b better", "b better": "a better"}
    for row in forth.paired:
        twin = paired(back, metric=row.metric, class_=row.class_, group=row.group)
        assert_negated(row, twin)
        assert twin.verdict == words.get(str(row.verdict), row.verdict)
    for change in forth.gaps:
        if change.kind in {"difference", "vs_rest"}:
            what = {k: getattr(change, k) for k in ("metric", "class_", "kind", "a", "b")}
            assert_negated(change, gap(back, **what))


def assert_negated(row: Any, twin: Any) -> None:
    assert twin.run_a == row.run_b
    for name in ("p", "p_adjusted", "n"):
        ours, theirs = getattr(row, name), getattr(twin, name)
        assert ours == theirs or theirs == pytest.approx(ours, rel=1e-9), name
    for name, mirror in (("value", "value"), ("low", "high"), ("low_adjusted", "high_adjusted")):
        ours, theirs = getattr(row, name), getattr(twin, mirror)
        assert (ours is None) == (theirs is None), (row, twin)
        if ours is not None:
            assert theirs == pytest.approx(-ours, rel=1e-6, abs=1e-9), (name, row)


def test_order_of_rows_and_runs_does_not_matter() -> None:
    frame = age_table()
    second = other_run(frame)
    third = other_run(frame, seed=6)
    one = compare({"a": ages(frame), "b": ages(second)}, by=["race"], **FEW)
    shuffled = second.sample(frac=1, random_state=1)
    two = compare({"a": ages(frame), "c": ages(third), "b": ages(shuffled)}, by=["race"], **FEW)
    kept = [row for row in two.paired if row.run_b == "b"]
    assert [row.model_dump() for row in kept] == [row.model_dump() for row in one.paired]


def test_differences_are_those_of_two_audits() -> None:
    """Where both processed every face, values are those of the audits and so are their gaps."""
    from audit import audit

    frame = expression_table(failures=False)
    second = other_expressions(frame)
    result = compare({"a": faces(frame), "b": faces(second)}, by=["gender"], n_boot=0)
    audits = [audit(faces(t), by=["gender"], n_boot=0) for t in (frame, second)]
    values = [
        {(r.metric, r.class_, str(r.group)): r.value for r in found.metrics} for found in audits
    ]
    for row in result.paired:
        if row.value is None or row.metric == "standardised_accuracy":
            continue
        key = (row.metric, row.class_, str(row.group))
        assert row.value == pytest.approx(values[1][key] - values[0][key], abs=1e-12), key
    for change in result.gaps:
        if change.kind != "difference" or change.value is None:
            continue
        a, b = str(change.a), str(change.b)
        parts = [v[change.metric, change.class_, a] - v[change.metric, change.class_, b]
                 for v in values]  # fmt: skip
        if change.metric not in {"standardised_accuracy", "balanced_accuracy", "macro_f1"}:
            assert change.value == pytest.approx(parts[1] - parts[0], abs=1e-12)


def test_worst_and_best_are_those_of_the_baseline() -> None:
    """Groups x, y, z err by 1, 2, 4 and then by 4, 2, 1: the change of x - z is 3 -> -3."""
    rng = np.random.default_rng(0)
    group = np.repeat(["x", "y", "z"], 60)
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(180)], "age": 40.0, "group": group})
    sizes = [{"x": 1, "y": 2, "z": 4}, {"x": 4, "y": 2, "z": 1}]
    tables = [
        frame.assign(age_pred=40 + frame["group"].map(s) + rng.normal(0, 0.1, 180)) for s in sizes
    ]
    result = compare(
        {"a": ages(tables[0]), "b": ages(tables[1])}, by=["group"], margins={"mae": 0.5}, **FEW
    )
    row = gap(result, metric="mae", kind="worst_minus_best")
    assert (row.a, row.b) == ({"group": "z"}, {"group": "x"})
    assert row.value_a == pytest.approx(3, abs=0.1)
    assert row.value_b == pytest.approx(-3, abs=0.1)
    assert row.value == pytest.approx(-6, abs=0.1)
    # as wide as before, on the other side: neither narrower nor wider, and said so
    assert row.verdict == "inconclusive"
    assert set(row.note.split("; ")) == {"chosen_from_baseline", "reversed"}
    assert paired(result, metric="mae", group={"group": "x"}).verdict == "a better"
    assert paired(result, metric="mae", group={"group": "z"}).verdict == "b better"


def test_a_gap_that_closes_is_narrower_and_one_that_opens_wider() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"sample_id": [f"s{i}" for i in range(200)], "age": 40.0, "group": ["x", "y"] * 100}
    )
    noise = rng.normal(0, 0.1, 200)
    even = frame.assign(age_pred=42 + noise)
    apart = frame.assign(age_pred=42 + noise * 1.1 + np.where(frame["group"] == "x", -1, 1))
    tables = {"even": ages(even), "apart": ages(apart)}
    for margins in ({}, {"mae": 0.5, "bias": 0.5}):
        wide = compare(tables, by=["group"], margins=margins, **FEW)
        narrow = compare(tables, baseline="apart", by=["group"], margins=margins, **FEW)
        for metric in ("mae", "bias"):
            what = {"metric": metric, "kind": "difference"}
            assert gap(wide, **what).verdict == "wider"
            assert gap(narrow, **what).verdict == "narrower"
    same = compare({"a": ages(even), "b": ages(even.assign(age_pred=42 + noise * 1.1))},
                   by=["group"], margins={"mae": 0.5}, **FEW)  # fmt: skip
    assert gap(same, metric="mae", kind="difference").verdict == "unchanged"
    assert paired(same, metric="mae", group={}).verdict == "equivalent"


def test_bias_is_better_where_it_is_nearer_to_zero() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(100)], "age": 40.0})
    noise = rng.normal(0, 0.1, 100)

    def run(bias: float, scale: float) -> Any:
        return ages(frame.assign(age_pred=40 + bias + scale * noise))

    for first, second, verdict in (
        (-3, 1, "b better"), (1, -3, "a better"), (2, 1, "b better"), (2, -2, "inconclusive"),
    ):  # fmt: skip
        result = compare({"a": run(first, 1), "b": run(second, 1.2)}, by=[], **FEW)
        assert paired(result, metric="bias", group={}).verdict == verdict, (first, second)

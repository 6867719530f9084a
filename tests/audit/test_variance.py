"""Cluster-robust variances against brute force: every person's weight moved, one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from audit import AuditResult, audit, predictions_from_frame
from tests.audit.frames import age_table, expression_table, gap, metric
from tests.audit.oracle_rows import Rows
from tests.audit.oracles import ORACLES, rows_of

STEP = 1e-4


def influences(oracle: Callable[[Rows], float], r: Rows, person: np.ndarray) -> dict[str, float]:
    """Derivative of the oracle by the weight of every person."""
    found = {}
    for who in np.unique(person):
        values = []
        for sign in (1, -1):
            weight = np.where(person == who, r.weight * (1 + sign * STEP), r.weight)
            values.append(oracle(replace(r, weight=weight)))
        found[str(who)] = (values[0] - values[1]) / (2 * STEP)
    return found


def prepared(table: pd.DataFrame, task: str, by: list[str]) -> tuple[AuditResult, Rows, Any]:
    checked = predictions_from_frame(table, task=task)
    result = audit(checked, by=by, n_boot=0, min_n=2)
    keep = checked.labelled & checked.processed
    return result, rows_of(checked, result).processed(), table[keep]


def half_width(row: Any, kind: str) -> float:
    """t times the standard error, read back from the printed interval."""
    if kind == "log":
        return math.log(row.high / row.low) / 2 * row.value
    if kind == "Fisher z":
        return (math.atanh(row.high) - math.atanh(row.low)) / 2 * (1 - row.value**2)
    return (row.high - row.low) / 2


SMOOTH = {
    "age": ["mae", "bias", "rmse", "pearson", "slope", "band_distance"],
    "expression": ["cohen_kappa", "mcc", "nll", "brier"],
}


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task, names in SMOOTH.items() for name in names]
)
def test_cluster_variance_equals_a_loop_over_persons(task: str, name: str) -> None:
    """Var = m / (m - 1) sum_s psi_s^2 with df = min(m, m_eff) - 1, weights and failures included.

    m counts persons with a processed face of positive weight; central differences: 1e-6.
    """
    make = age_table if task == "age" else expression_table
    result, rows, frame = prepared(make(4, 50), task, ["gender"])
    keep = (rows.weight > 0) & (frame["gender"] == "f").to_numpy()
    names = [
        k for k, v in vars(rows).items() if isinstance(v, np.ndarray) and k not in {"bands", "mix"}
    ]
    part = replace(rows, **{k: getattr(rows, k)[keep] for k in names})
    psi = influences(ORACLES[task][name][1], part, frame["subject_id"].to_numpy()[keep])
    m = len(psi)
    row = metric(result, name, {"gender": "f"})
    se = math.sqrt(m / (m - 1) * sum(x * x for x in psi.values()))
    df = min(m, row.m_eff) - 1
    expected = stats.t.ppf(0.975, df) * se
    assert half_width(row, result.spec.metrics[name].scale) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("task", ["age", "expression"])
def test_every_metric_of_the_processed_faces_counts_the_same_persons(task: str) -> None:
    """A face of weight 0 is nobody's; m_eff weighs photos for every metric alike."""
    make = age_table if task == "age" else expression_table
    result, rows, frame = prepared(make(4, 50), task, ["gender"])
    keep = (rows.weight > 0) & (frame["gender"] == "f").to_numpy()
    size = np.bincount(pd.factorize(frame["subject_id"][keep])[0], rows.weight[keep])
    for name in [*SMOOTH[task], *(["sd_error"] if task == "age" else ["accuracy", "macro_f1"])]:
        row = metric(result, name, {"gender": "f"})
        expected = (len(size), pytest.approx(size.sum() ** 2 / (size**2).sum()))
        assert (row.n_subjects, row.m_eff) == expected, name


def test_effective_persons() -> None:
    """m_eff = (sum n_s)^2 / sum n_s^2: photos 1, 1, 2, 4 give 64 / 22."""
    table = pd.DataFrame(
        {
            "age": [20, 30, 40, 50, 60, 61, 62, 63],
            "age_pred": [21, 33, 38, 55, 60, 66, 60, 64],
            "subject_id": ["a", "b", "c", "c", "d", "d", "d", "d"],
        }
    )
    row = metric(audit(table, task="age", by=[], n_boot=0), "mae")
    assert row.n_subjects == 4
    assert row.m_eff == pytest.approx(64 / 22, rel=1e-12)


def test_mean_error_equals_statsmodels_cluster_robust_ols() -> None:
    """OLS of the error on a constant, cov_type cluster: (n - 1) / (n - 1) * m / (m - 1)."""
    table = age_table(5, 80, weights=False, failures=False)
    result = audit(table, task="age", by=["gender"], n_boot=0)
    for group in ({}, {"gender": "f"}):
        part = table if not group else table[table["gender"] == "f"]
        error = (part["age_pred"] - part["age"]).to_numpy()
        codes = pd.factorize(part["subject_id"])[0]
        fit = sm.OLS(error, np.ones(len(error))).fit(
            cov_type="cluster", cov_kwds={"groups": codes}, use_t=True
        )
        row = metric(result, "bias", group)
        t = stats.t.ppf(0.975, min(row.n_subjects, row.m_eff) - 1)
        assert row.value == pytest.approx(fit.params[0], rel=1e-12)
        assert half_width(row, "identity") == pytest.approx(t * fit.bse[0], rel=1e-9)


def test_wilson_takes_the_design_effect_of_the_cluster_variance() -> None:
    """n_eff = p (1 - p) / var, var = m / (m - 1) sum_s (sum_i w (hit - p))^2 / W^2."""
    table = age_table(6, 90)
    result, rows, frame = prepared(table, "age", ["gender"])
    row = metric(result, "cs3")
    hit = (np.abs(rows.pred[:, 0] - rows.age) <= 3).astype(float)
    p = np.average(hit, weights=rows.weight)
    codes = pd.factorize(frame["subject_id"])[0]
    by_person = np.bincount(codes, rows.weight * (hit - p))
    m = len(np.unique(codes[rows.weight > 0]))
    var = m / (m - 1) * (by_person**2).sum() / rows.weight.sum() ** 2
    n = min(p * (1 - p) / var, row.n)
    z = stats.t.ppf(0.975, min(m, row.m_eff) - 1)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (row.low, row.high) == pytest.approx((centre - half, centre + half), rel=1e-9)


def _brute_gap(frame: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Difference of MAE and the half width of its interval, persons shared by both sides."""
    psi, var, df, values = [], [], [], []
    people = frame["subject_id"].unique()
    for side in (first, second):
        part = frame[side]
        value = float(np.average(part["abs"], weights=part["weight"]))
        amount = part["weight"] * (part["abs"] - value) / part["weight"].sum()
        by_person = amount.groupby(part["subject_id"]).sum().reindex(people, fill_value=0.0)
        size = part.groupby("subject_id")["weight"].sum()
        m = int((size > 0).sum())
        # the effective number of persons counts weight, hence a person with more photos more
        df.append(min(m, size.sum() ** 2 / (size**2).sum()) - 1)
        psi.append(by_person * math.sqrt(m / (m - 1)))
        var.append(float((psi[-1] ** 2).sum()))
        values.append(value)
    between = sum(var) - 2 * float((psi[0] * psi[1]).sum())
    welch = sum(var) ** 2 / (var[0] ** 2 / df[0] + var[1] ** 2 / df[1])
    return values[0] - values[1], stats.t.ppf(0.975, welch) * math.sqrt(between)


def shared_people(seed: int) -> pd.DataFrame:
    """Persons with photos at several ages: they lie in several age decades."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(60), rng.integers(2, 7, 60))
    age = np.clip(rng.uniform(10, 60, 60)[person] + rng.uniform(-12, 12, len(person)), 0, 89)
    error = 4 * rng.standard_normal(60)[person] + 2 * rng.standard_normal(len(person))
    table = pd.DataFrame({"subject_id": [f"p{i}" for i in person], "age": age})
    table["sample_id"] = [f"s{i}" for i in range(len(table))]
    table["age_pred"] = age + error
    table["weight"] = rng.choice([0.5, 1.0, 2.0], len(table))
    return table


def test_gaps_of_groups_that_share_persons_equal_brute_force() -> None:
    table = shared_people(7)
    result = audit(table, task="age", by=["age"], n_boot=0, min_n=2)
    frame = table.assign(abs=(table["age_pred"] - table["age"]).abs())
    decade = (frame["age"] // 10 * 10).astype(int)
    together = frame.groupby("subject_id")["age"].apply(lambda a: (a // 10).nunique())
    assert (together > 1).sum() > 20
    for low, high in ((10, 20), (20, 30), (30, 60)):
        value, half = _brute_gap(frame, decade == low, decade == high)
        sides = {"a": {"age": f"{low}-{low + 9}"}, "b": {"age": f"{high}-{high + 9}"}}
        row = gap(result, metric="mae", kind="difference", **sides)
        assert row.value == pytest.approx(value, rel=1e-9)
        assert half_width(row, "identity") == pytest.approx(half, rel=1e-8)
    for low in (10, 30):
        value, half = _brute_gap(frame, decade == low, decade != low)
        row = gap(result, metric="mae", kind="vs_rest", a={"age": f"{low}-{low + 9}"})
        assert row.value == pytest.approx(value, rel=1e-9)
        assert half_width(row, "identity") == pytest.approx(half, rel=1e-8)


def test_vs_rest_leaves_out_unknown_groups_and_equals_brute_force() -> None:
    table = age_table(8, 120).assign(weight=1.0).dropna(subset=["age", "age_pred"])
    result = audit(table, task="age", by=["race"], n_boot=0, min_n=2)
    frame = table.assign(abs=(table["age_pred"] - table["age"]).abs())
    assert frame["race"].isna().any()
    known = frame[frame["race"].notna()]
    value, half = _brute_gap(known, known["race"] == "NA", known["race"] != "NA")
    row = gap(result, metric="mae", kind="vs_rest", a={"race": "NA"})
    assert row.value == pytest.approx(value, rel=1e-9)
    assert half_width(row, "identity") == pytest.approx(half, rel=1e-8)
    assert row.n_a + row.n_b == len(known)


def test_ratio_is_the_delta_method_on_the_log() -> None:
    table = age_table(9, 80, weights=False, failures=False)
    result = audit(table, task="age", by=["gender"], n_boot=0)
    row = gap(result, metric="mae", kind="ratio")
    sides = [metric(result, "mae", {"gender": g}) for g in "fm"]
    t = [stats.t.ppf(0.975, min(s.n_subjects, s.m_eff) - 1) for s in sides]
    var = [(math.log(s.high / s.low) / 2 / t_) ** 2 for s, t_ in zip(sides, t, strict=True)]
    df = [min(s.n_subjects, s.m_eff) - 1 for s in sides]
    welch = sum(var) ** 2 / (var[0] ** 2 / df[0] + var[1] ** 2 / df[1])
    half = stats.t.ppf(0.975, welch) * math.sqrt(sum(var))
    assert row.value == pytest.approx(sides[0].value / sides[1].value, rel=1e-12)
    assert math.log(row.high / row.low) / 2 == pytest.approx(half, rel=1e-8)

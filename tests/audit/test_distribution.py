"""Predicted age distributions: scores against published values and scoringrules, then by group."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scoringrules as sr
from scipy import stats

from audit import AuditResult, InputError, audit, predictions_from_frame
from audit.distribution import GridAges, NormalAges
from audit.metrics.distribution_calibration import expected_ence, uniformity
from audit.metrics.distribution_curves import pit_shares
from audit.metrics.distribution_features import LEVELS
from tests.audit.compare import assert_same
from tests.audit.frames import distribution_table, gaps, interval_table, metric

PMF = GridAges((20.0, 21.0, 22.0, 23.0, 24.0), np.array([[0.1, 0.2, 0.4, 0.2, 0.1]]))


def normal(mean: list[float], std: list[float]) -> NormalAges:
    return NormalAges(np.array(mean), np.array(std))


@pytest.mark.parametrize(("age", "expected"), [(20, 1.4), (22, 0.2), (24, 1.4)])
def test_crps_of_probabilities_by_hand(age: float, expected: float) -> None:
    # F = .1 .3 .7 .9 1; at 20: (.1-1)^2 + (.3-1)^2 + (.7-1)^2 + (.9-1)^2 = .81 + .49 + .09 + .01
    assert PMF.crps(np.array([float(age)]))[0] == pytest.approx(expected, abs=1e-12)


def test_crps_between_and_beyond_centres_is_the_integral() -> None:
    for age in (19.3, 20.25, 22.9, 30.0):
        x = np.linspace(15, 35, 2_000_001)
        f = np.array([0, *PMF.proba[0].cumsum()])[np.searchsorted(PMF.centres, x, side="right")]
        integral = np.trapezoid((f - (x >= age)) ** 2, x)
        assert PMF.crps(np.array([age]))[0] == pytest.approx(integral, abs=1e-4)


def test_crps_of_normals() -> None:
    assert normal([23], [2]).crps(np.array([25.0]))[0] == pytest.approx(
        1.2048827152552326, rel=1e-12
    )
    # uncertainty-toolbox's own test
    found = normal([1, 2, 3], [0.1, 0.5, 1]).crps(np.array([1.5, 3, 2])).mean()
    assert found == pytest.approx(0.5908061069360411, rel=1e-12)


def test_scores_equal_scoringrules() -> None:
    rng = np.random.default_rng(0)
    n = 400
    y, mean, std = rng.uniform(5, 80, n), rng.uniform(5, 80, n), rng.uniform(0.5, 12, n)
    assert normal(mean, std).crps(y) == pytest.approx(sr.crps_normal(y, mean, std), rel=1e-9)
    proba = rng.dirichlet(np.full(12, 0.3), n)
    centres = tuple(np.sort(rng.uniform(0, 90, 12)).tolist())
    fct = np.broadcast_to(centres, (n, 12))
    theirs = sr.crps_ensemble(y, fct, ens_w=proba, estimator="nrg")
    assert GridAges(centres, proba).crps(y) == pytest.approx(theirs, rel=1e-9)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns)


def of(table: pd.DataFrame, **options: Any) -> AuditResult:
    return audit(table, task="age", **({"n_boot": 0, "by": []} | options))


def value(result: AuditResult, name: str, class_: str | None = None) -> float | None:
    return metric(result, name, class_=class_).value


@pytest.mark.parametrize(("age", "expected"), [(25, 8), (30, 48), (18, 48)])
def test_interval_score_by_hand(age: float, expected: float) -> None:
    """[20, 28] at 90 %: width 8, plus 20 a year outside."""
    half = stats.norm.ppf(0.95)
    result = of(frame(age=[age], age_pred=[24.0], age_std=[4 / half]))
    assert value(result, "interval_score_90") == pytest.approx(expected, rel=1e-12)
    assert value(result, "width_90") == pytest.approx(8, rel=1e-12)
    assert value(result, "coverage_90") == (1.0 if age == 25 else 0.0)


def test_ence_by_hand() -> None:
    # s = 1, 1, 2, 2 and e = 1, -1, 4, 0: |1 - 1| / 1 and |2 - sqrt(8)| / 2, mean of both
    result = of(frame(age=[31, 29, 34, 30], age_pred=[30.0] * 4, age_std=[1.0, 1, 2, 2]))
    assert value(result, "ence") == pytest.approx(0.20710678118654757, rel=1e-12)


def test_expected_ence_is_that_of_simulated_calibrated_errors() -> None:
    rng = np.random.default_rng(0)
    std = np.array([2.0] * 30 + [5.0] * 50)
    error = rng.normal(size=(40_000, 80)) * std
    parts = [np.abs(1 - np.sqrt((error[:, std == s] ** 2).mean(axis=1)) / s) for s in (2, 5)]
    sums = {
        "spread_w": np.array([30.0, 50, 0]),
        "spread_s2": np.array([30 * 4.0, 50 * 25, 0]),
        "spread_v": np.array([30 * 2 * 16.0, 50 * 2 * 625, 0]),
    }
    assert expected_ence(sums) == pytest.approx(np.mean(parts), rel=0.01)


def test_spread_and_quantiles_of_probabilities() -> None:
    assert PMF.mean[0] == pytest.approx(22)
    assert PMF.std[0] == pytest.approx(math.sqrt(0.1 * 4 * 2 + 0.2 * 2))
    fourth = 0.1 * 16 * 2 + 0.2 * 2
    assert PMF.spread_of_square[0] == pytest.approx(fourth - 1.2**2)
    assert PMF.quantiles([0.05, 0.1, 0.11, 0.5, 0.7, 0.95, 1.0])[0].tolist() == [
        20,
        20,
        21,
        22,
        22,
        24,
        24,
    ]
    assert PMF.below(np.array([20.0, 22.0, 22.5, 99.0]))[0] == pytest.approx([0, 0.3, 0.7, 1])
    first, last = PMF.cdf(np.array([22.0]))
    assert (first[0], last[0]) == pytest.approx((0.3, 0.7))  # V = 1/2 gives the PIT 0.5
    assert np.array_equal(
        pit_shares(first, last)[0].round(9), [0, 0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0, 0]
    )


def test_a_single_certain_age_has_no_spread() -> None:
    sure = GridAges((20.0, 30.0), np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert sure.std.tolist() == [0, 0]
    assert sure.crps(np.array([23.0, 23.0])).tolist() == [3, 7]
    table = frame(age=[23.0, 23], age_pred=[20.0, 30], prob_age_20=[1.0, 0], prob_age_30=[0.0, 1])
    result = of(table)
    assert value(result, "crps") == value(result, "mae") == 5
    for name in ("z_mean", "z_variance", "ence"):
        assert (value(result, name), metric(result, name).note) == (None, "no_spread")
    assert "unspread" in {warning.code for warning in result.warnings}


@pytest.mark.parametrize("grid", [False, True])
def test_means_equal_a_loop_over_faces(grid: bool) -> None:
    """Every score of every group again, a face at a time, with scoringrules where it has it."""
    table = distribution_table(3, grid=grid)
    result = of(table, by=["gender"])
    done = table.dropna(subset=["age", "age_pred"])
    for group in ("f", "m"):
        faces = done[done["gender"] == group]
        w = faces["weight"].to_numpy()
        found = _by_face(faces, grid=grid)
        for name, values in found.items():
            ours = metric(result, name, {"gender": group}).value
            assert ours == pytest.approx(np.average(values, weights=w), rel=1e-9), name


def _by_face(faces: pd.DataFrame, *, grid: bool) -> dict[str, np.ndarray]:
    y = faces["age"].to_numpy()
    found: dict[str, np.ndarray] = {}
    if grid:
        columns = [name for name in faces.columns if name.startswith("prob_age_")]
        proba, centres = faces[columns].to_numpy(), np.arange(101.0)
        draws = [stats.rv_discrete(values=(np.arange(101), p)) for p in proba]
        found["crps"] = sr.crps_ensemble(
            y, np.broadcast_to(centres, proba.shape), ens_w=proba, estimator="nrg"
        )

        def quantile(q: float) -> np.ndarray:
            return np.array([d.ppf(q) for d in draws])

        edges = np.arange(10, 100, 10)
        below = np.array([[p[:e].sum() for e in edges] for p in proba])
    else:
        mean, std = faces["age_pred"].to_numpy(), faces["age_std"].to_numpy()
        found["crps"] = sr.crps_normal(y, mean, std)

        def quantile(q: float) -> np.ndarray:
            return stats.norm.ppf(q, mean, std)

        edges = np.arange(10, 100, 10)
        below = stats.norm.cdf(edges, mean[:, None], std[:, None])
    for level in LEVELS:
        alpha = 1 - level / 100
        low, high = quantile(alpha / 2), quantile(1 - alpha / 2)
        found[f"coverage_{level}"] = ((low <= y) & (y <= high)).astype(float)
        found[f"width_{level}"] = high - low
        found[f"interval_score_{level}"] = sr.interval_score(y, low, high, alpha)
    for q in (5, 50, 95):
        found[f"pinball_{q:02d}"] = sr.quantile_score(y, quantile(q / 100), q / 100)
    bands = np.diff(np.column_stack([np.zeros(len(y)), below, np.ones(len(y))]), axis=1)
    bands = np.clip(bands, 0, 1)  # sums of 101 numbers round
    at = np.searchsorted(edges, y, side="right")
    found["rps"] = sr.rps_score(at + 1, bands) / 9
    found["band_nll"] = -np.log(np.maximum(bands[np.arange(len(y)), at], 2.0**-52))
    return found


def test_z_moments_and_legal_ages() -> None:
    table = distribution_table(4).drop(columns="weight")
    result = of(table)
    done = table.dropna(subset=["age", "age_pred"])
    z = (done["age"] - done["age_pred"]) / done["age_std"]
    assert value(result, "z_mean") == pytest.approx(z.mean(), rel=1e-10)
    assert value(result, "z_variance") == pytest.approx(z.var(), rel=1e-10)
    over = stats.norm.sf(18, done["age_pred"], done["age_std"])
    is_over = (done["age"] >= 18).to_numpy()
    assert value(result, "age_over_bias", "18") == pytest.approx(over.mean() - is_over.mean())
    assert value(result, "age_over_brier", "18") == pytest.approx(
        sr.brier_score(is_over.astype(float), over).mean()
    )
    rows = [
        row for row in result.curves if row.name == "age_over_reliability" and row.class_ == "18"
    ]
    assert sum(row.n for row in rows) == len(done)
    last = rows[-1]
    top = over >= 0.9
    assert last.x == pytest.approx(over[top].mean())
    assert last.y == pytest.approx(is_over[top].mean())


def test_legal_ages_only_where_the_truth_settles_them() -> None:
    adults = distribution_table(4)
    adults = adults[adults["age"] >= 20]
    ages = {row.class_ for row in of(adults).metrics if row.metric == "age_over_bias"}
    assert ages == {"21", "25"}
    bands = interval_table(4)  # edges at 0, 3, 10, 20, ...: none of the legal ages is one
    bands["age_std"] = np.where(bands["age_pred"].isna(), np.nan, 4.0)
    assert not [row for row in of(bands).metrics if row.metric == "age_over_bias"]


def test_bands_have_what_bands_settle() -> None:
    table = interval_table(4)
    table["age_std"] = np.where(table["age_pred"].isna(), np.nan, 4.0)
    result = of(table)
    for name in ("crps", "coverage_90", "z_mean", "pinball_50", "interval_score_95"):
        assert (value(result, name), metric(result, name).note) == (None, "interval_truth")
    for name in ("rps", "band_nll", "band_coverage_90", "width_90", "pit_distance"):
        assert value(result, name) is not None
    assert not [row for row in result.metrics if row.metric == "ence"]


def test_band_coverage_of_a_calibrated_model_is_nominal() -> None:
    """Also where the bands are wider than the intervals; the closed coverage would be 1."""
    rng = np.random.default_rng(1)
    n = 40_000
    mean = rng.uniform(20, 60, n)
    age = rng.normal(mean, 3.0)
    table = frame(age_low=np.floor(age / 10) * 10, age_pred=mean, age_std=np.full(n, 3.0))
    table["age_high"] = table["age_low"] + 10
    result = of(table)
    for level in LEVELS:
        row = metric(result, f"band_coverage_{level}")
        assert row.low <= level / 100 <= row.high
    assert metric(result, "pit_distance").p > 0.01


def test_uniformity_is_pearsons_test_for_single_photos() -> None:
    rng = np.random.default_rng(2)
    counts = rng.multinomial(1, np.full(10, 0.1), size=3000).astype(float)
    p, expected = uniformity(counts)
    assert p == pytest.approx(stats.chisquare(counts.sum(axis=0)).pvalue, abs=0.02)
    assert expected == pytest.approx(10 * math.sqrt(2 / math.pi * 0.09 / 3000) / 2, rel=0.02)
    assert uniformity(counts[:1]) == pytest.approx((math.nan, math.nan), nan_ok=True)
    double = uniformity(2 * counts)
    assert double == pytest.approx((p, expected), rel=1e-9)  # the same people, each photo twice


def test_a_table_with_both_takes_the_probabilities() -> None:
    grid = distribution_table(5, grid=True)
    both = grid.assign(age_std=1.0)
    one, two = of(grid), of(both)
    assert one.metrics == two.metrics


@pytest.mark.parametrize("grid", [False, True])
def test_gaps_and_what_is_compared(grid: bool) -> None:
    result = of(distribution_table(6, grid=grid), by=["gender"], n_boot=60, min_n=10)
    crps = gaps(result, metric="crps", kind="difference")[0]
    assert crps.value == pytest.approx(
        metric(result, "crps", {"gender": "f"}).value
        - metric(result, "crps", {"gender": "m"}).value
    )
    assert gaps(result, metric="coverage_90")
    assert not gaps(result, metric="coverage_50")
    assert not gaps(result, metric="pinball_50")
    narrow = metric(result, "pit_distance", {"gender": "f"})
    assert narrow.p < 0.001
    assert narrow.value > 2 * narrow.null_expected


def test_beyond_the_centres_is_told() -> None:
    table = frame(
        age=[19.0, 25, 40], age_pred=[22.0, 22, 24], prob_age_20=[0.5] * 3, prob_age_24=[0.5] * 3
    )
    told = {warning.code: warning.message for warning in of(table).warnings}
    assert told["beyond_centres"].startswith("3 of 3")
    assert told["band_nll_floored"].startswith("2 of 3")  # 10-19 and 40-49 have no probability


def refusal(table: pd.DataFrame) -> str:
    with pytest.raises(InputError, match=r"\S") as caught:
        predictions_from_frame(table, task="age", place="t.csv")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("std", [0.0, -1.0, None, math.inf, 1e9])
def test_bad_spread(std: float | None) -> None:
    message = refusal(frame(age=[20, 30], age_pred=[21, 31], age_std=[2.0, std]))
    assert "t.csv row 2: age_std is" in message
    assert "must be above 0" in message


def test_spread_without_an_estimate_in_years() -> None:
    table = frame(age=[20, 30], age_pred=["20-29", "30-39"], age_std=[2.0, 2.0])
    assert "age_pred in years" in refusal(table)


@pytest.mark.parametrize(
    ("proba", "said"),
    [
        ([0.0, 0.0, 0.0], "sum to 0"),
        ([1.0, 1.0, 1.0], "sum to 3"),
        ([0.5, 0.3, 0.1], "sum to 0.9"),
        ([1.2, -0.2, 0.0], "smallest -0.2"),
        ([0.5, None, 0.5], "empty in part"),
    ],
)
def test_bad_probabilities(proba: list[float | None], said: str) -> None:
    rows = np.array([[0.2, 0.3, 0.5], proba], dtype=float)
    columns = {f"prob_age_{c}": rows[:, k] for k, c in enumerate((20, 30, 40))}
    message = refusal(frame(age=[20, 30], age_pred=[21, 31], **columns))
    assert "t.csv row 2" in message
    assert said in message
    assert "age_pred" in message


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("20", "40", "30"), "'prob_age_30' comes after prob_age_40"),
        (("20", "30", "30.0"), "'prob_age_30.0' comes after prob_age_30"),
        (("20", "30", "old"), "'old' is no age"),
        (("20", "30", "inf"), "'inf' is no age"),
    ],
)
def test_bad_centres(names: tuple[str, ...], said: str) -> None:
    columns = {f"prob_age_{name}": [0.2, 0.2] for name in names}
    assert said in refusal(frame(age=[20, 30], age_pred=[21, 31], **columns))


def test_one_centre_only() -> None:
    assert "at least two ages" in refusal(frame(age=[20], age_pred=[21], prob_age_20=[1.0]))


def test_failures_need_no_distribution_and_empty_columns_are_none() -> None:
    table = frame(age=[20.0, 30], age_pred=[21.0, None], age_std=[2.0, None])
    assert value(of(table), "crps") is not None
    bare = of(frame(age=[20.0, 30], age_pred=[21.0, 31], age_std=[None, None]))
    assert "crps" not in bare.spec.metrics


@pytest.mark.parametrize("grid", [False, True])
def test_written_and_read_again(grid: bool) -> None:
    table = predictions_from_frame(distribution_table(7, 20, grid=grid), task="age")
    again = predictions_from_frame(table.to_frame(), task="age")
    assert_same(of(again.to_frame()), of(table.to_frame()))


def test_shards_must_agree() -> None:
    one, two = distribution_table(8, 20), distribution_table(9, 20)
    two["sample_id"] = "x" + two["sample_id"]
    with pytest.raises(InputError, match="only some shards"):
        audit([one, two.drop(columns="age_std")], task="age")
    grid = distribution_table(9, 20, grid=True).assign(sample_id=two["sample_id"])
    with pytest.raises(InputError, match="other ages"):
        audit([one, grid], task="age")

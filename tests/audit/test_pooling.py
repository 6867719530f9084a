"""Partial pooling of intersections: the posterior, the scales, and where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import integrate, stats

from audit import AuditResult, audit
from audit.pooling import additive, posterior
from tests.audit.frames import age_table, metric

GROUPS = [(g, r) for g in ("f", "m") for r in ("a", "b", "c", "d", "e")]
Y = np.array([1.0, 1.5, 0.2, 3.0, 1.1, 1.4, 2.2, 0.9, 2.0, 1.9])
V = np.array([0.1, 0.5, 0.2, 1.0, 0.3, 0.1, 0.4, 0.2, 2.0, 0.3])


def _dummies(groups: list[tuple[str, str]]) -> np.ndarray:
    frame = pd.DataFrame(groups).astype(str)
    return sm.add_constant(pd.get_dummies(frame, drop_first=True).to_numpy(dtype=float))


def test_posterior_is_the_integral_over_the_variance() -> None:
    """Moments of one group by adaptive quadrature, each A by weighted least squares."""
    x = _dummies(GROUPS)

    def of(a: float, g: int) -> tuple[float, float, float]:
        fit = sm.WLS(Y, x, weights=1 / (V + a)).fit()
        cov = np.linalg.inv(x.T @ np.diag(1 / (V + a)) @ x)
        residual = Y - fit.fittedvalues
        density = np.sqrt(np.linalg.det(cov) / np.prod(V + a)) * np.exp(
            -0.5 * (residual**2 / (V + a)).sum()
        )
        b = V[g] / (V[g] + a)
        mean = (1 - b) * Y[g] + b * fit.fittedvalues[g]
        var = (1 - b) * V[g] + b**2 * x[g] @ cov @ x[g]
        return density, density * mean, density * (var + mean**2)

    design = additive(GROUPS)
    assert design is not None
    mean, sd = posterior(Y, V, design)
    for g in (0, 8):
        mass, first, second = (
            integrate.quad(lambda t: of(t / (1 - t), g)[i] / (1 - t) ** 2, 0, 1, limit=200)[0]  # noqa: B023
            for i in range(3)
        )
        assert mean[g] == pytest.approx(first / mass, rel=1e-4)
        assert sd[g] == pytest.approx(np.sqrt(second / mass - (first / mass) ** 2), rel=1e-3)


def test_precise_groups_keep_their_value_and_noisy_ones_take_the_prediction() -> None:
    design = additive(GROUPS)
    assert design is not None
    mean, sd = posterior(Y, np.full(10, 1e-8), design)
    assert np.allclose(mean, Y, atol=1e-4)
    assert np.allclose(sd, 1e-4, rtol=0.05)
    v = np.where(np.arange(10) == 3, 1e6, 0.01)
    additive_y = np.add.outer([0.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]).ravel()
    additive_y[3] = -50.0  # says nothing: its variance is huge
    mean, _ = posterior(additive_y, v, design)
    assert mean[3] == pytest.approx(4.0, abs=0.2)


def test_order_and_names_of_groups_do_not_matter() -> None:
    turn = np.random.default_rng(0).permutation(10)
    one, two = additive(GROUPS), additive([(GROUPS[i][1], "z" + GROUPS[i][0]) for i in turn])
    assert one is not None
    assert two is not None
    for a, b in zip(posterior(Y, V, one), posterior(Y[turn], V[turn], two), strict=True):
        assert np.allclose(a[turn], b, rtol=1e-9)


def test_too_few_groups_have_no_prediction() -> None:
    assert additive([("f", "a"), ("f", "b"), ("m", "a"), ("m", "b")]) is None  # 4 - 3 = 1
    assert additive([]) is None
    found = additive(GROUPS)
    assert found is not None
    assert found.shape == (10, 6)  # 1 + 1 + 4


def test_cells_that_do_not_connect() -> None:
    """f only with a, b, m only with c, d, in 3 levels each of a third attribute: rank deficient."""
    groups = [(g, r, t) for g, rs in (("f", "ab"), ("m", "cd")) for r in rs for t in "xyz"]
    design = additive(groups)
    assert design is not None
    assert design.shape == (12, 6)  # 1 + (1) + 3 + 2 columns less the one that repeats
    assert np.isfinite(posterior(np.arange(12.0), np.ones(12), design)).all()


@pytest.fixture(scope="module")
def result() -> AuditResult:
    table = age_table(31, 150)
    table["tone"] = np.where(table["subject_id"].str[-1].isin(list("012")), "dark", "light")
    return audit(table, task="age", by=["race", "gender,race", "gender,race,tone"], n_boot=0)


def test_only_intersections_are_pooled(result: AuditResult) -> None:
    pooled = [row for row in result.metrics if row.pooled is not None]
    assert {len(row.group) for row in pooled} == {2, 3}  # 2 x 4 groups are 3 more than 1 + 1 + 3
    assert all(None not in row.group.values() for row in pooled)
    names = {row.metric for row in pooled}
    assert {"mae", "bias", "rmse", "cs5", "cs5_all", "failure_rate", "pearson"} <= names
    assert not names & {"median_ae", "p90_ae"}
    for row in pooled:
        assert row.pooled_low < row.pooled < row.pooled_high or row.pooled in (0, 1)
    assert result.spec.pooling is not None


def test_pooled_shares_and_errors_stay_in_their_range(result: AuditResult) -> None:
    for row in result.metrics:
        if row.pooled is None:
            continue
        if row.metric.startswith(("cs", "failure", "within", "one_off")):
            assert 0 <= row.pooled_low <= row.pooled_high <= 1
        if row.metric in {"mae", "rmse", "band_distance"}:
            assert row.pooled_low > 0
        if row.metric == "pearson":
            assert -1 <= row.pooled_low <= row.pooled_high <= 1


def test_a_single_person_has_a_pooled_value() -> None:
    table = age_table(32, 150, unknown=False, weights=False, failures=False)
    lone = table["gender"].eq("f") & table["race"].eq("Indian")
    person = table.loc[lone, "subject_id"].iloc[0]
    table = table[~lone | table["subject_id"].eq(person)]
    table["tone"] = np.where(table["subject_id"].str[-1].isin(list("01234")), "dark", "light")
    result = audit(table, task="age", by=["gender,race,tone"], n_boot=0)
    row = next(r for r in result.metrics if r.metric == "mae" and r.n_subjects == 1)
    assert row.low is None
    assert row.pooled_low < row.pooled < row.pooled_high
    others = [
        r for r in result.metrics
        if r.metric == "mae" and r.group and r.group["race"] == "White"
    ]  # fmt: skip
    assert row.pooled_high / row.pooled_low > max(r.pooled_high / r.pooled_low for r in others)


def test_by_age_a_correlation_is_not_pooled() -> None:
    table = age_table(33, 150)
    result = audit(table, task="age", by=["age,race"], n_boot=0, age_bands=[0, 20, 40, 60])
    pooled = {row.metric for row in result.metrics if row.pooled is not None}
    assert "mae" in pooled
    assert not pooled & {"pearson", "slope"}


def test_photos_of_one_person_are_no_further_persons() -> None:
    """Each face copied: the same persons, hence the same pooled shares."""
    table = age_table(34, 150, weights=False, unknown=False, failures=False)
    again = table.assign(sample_id=table["sample_id"] + "-copy")
    by = {"task": "age", "by": ["gender,race,tone"], "n_boot": 0}
    tone = np.where(table["subject_id"].str[-1].isin(list("01234")), "dark", "light")
    one = audit(table.assign(tone=tone), **by)
    two = audit(pd.concat([table.assign(tone=tone), again.assign(tone=tone)]), **by)
    for a in one.metrics:
        if a.metric in {"mae", "cs5"} and a.pooled is not None:
            b = metric(two, a.metric, a.group)
            assert b.pooled == pytest.approx(a.pooled, rel=0.02)
            assert b.pooled_high - b.pooled_low > 0.9 * (a.pooled_high - a.pooled_low)


def test_normal_shares_of_a_gamma_mean() -> None:
    """The log of a mean of 5 exponential persons: bias and variance as stats.loggamma has them."""
    from audit.intervals import Estimates
    from audit.metrics.age import age_metrics
    from audit.pooling import on_scale

    mae = next(m for m in age_metrics() if m.name == "mae")
    one = np.ones(2)
    e = Estimates(4 * one, 16 / 5 * one, 4 * one, one, one > 2, 5 * one, 5 * one)
    y, v = on_scale(mae, e, one > 0)
    expected = stats.loggamma(5).mean() - np.log(5)
    assert np.allclose(y, np.log(4) - expected)
    assert np.allclose(v, stats.loggamma(5).var())

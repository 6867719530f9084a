"""The statistic of a contrast, its inversion, and the gap that it can detect."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm, ttest_ind

from audit.contrasts import Sides, analytic_critical, analytic_p, detectable, limits_at, statistic
from audit.intervals import Estimates

FIELDS = ("value", "var", "df", "n_eff", "normal", "n", "m_eff")


def estimates(value, var, n=100) -> Estimates:
    value, var = np.atleast_1d(value).astype(float), np.atleast_1d(var).astype(float)
    n = np.full(len(value), float(n)) if np.isscalar(n) else np.asarray(n, dtype=float)
    return Estimates(value, var, n - 1, n, np.zeros(len(value), dtype=bool), n, n)


def random_sides(kind: str, m: int, seed: int) -> Sides:
    rng = np.random.default_rng(seed)
    n = rng.integers(20, 400, (2, m))
    if kind == "wilson":
        p = rng.uniform(0.3, 0.99, (2, m))
        p = np.where(rng.random((2, m)) < 0.1, 1.0, np.round(p * n) / n)
        a, b = (estimates(x, x * (1 - x) / (k - 1), k) for x, k in zip(p, n, strict=True))
        return Sides("wilson", a, b, np.zeros(m))
    value = rng.gamma(4, 1, (2, m))
    se = value * rng.uniform(0.02, 0.4, (2, m))
    a, b = (estimates(x, s * s, k) for x, s, k in zip(value, se, n, strict=True))
    return Sides(kind, a, b, rng.uniform(-0.5, 0.9, m) * se[0] * se[1])


def swapped(sides: Sides) -> Sides:
    return Sides(sides.kind, sides.b, sides.a, sides.cov)


def test_log_statistic_by_hand():
    # log(4 / 2) / sqrt(0.16 / 16 + 0.04 / 4) = 0.693147 / sqrt(0.02) = 4.901290
    sides = Sides("log_t", estimates(4.0, 0.16), estimates(2.0, 0.04), np.zeros(1))
    assert statistic(sides)[0] == pytest.approx(np.log(2) / np.sqrt(0.02))
    # a covariance of 0.02 takes 2 x 0.02 / 8 off the variance
    shared = Sides("log_t", estimates(4.0, 0.16), estimates(2.0, 0.04), np.array([0.02]))
    assert statistic(shared)[0] == pytest.approx(np.log(2) / np.sqrt(0.015))


def test_pooled_score_statistic_by_hand():
    # 90 of 100 against 160 of 200: pooled 250 / 300, z = 0.1 / sqrt(5/6 1/6 (1/100 + 1/200))
    a, b = estimates(0.9, 0.09 / 99, 100), estimates(0.8, 0.16 / 199, 200)
    sides = Sides("wilson", a, b, np.zeros(1))
    s = sides.shares
    pooled = (s.na * 0.9 + s.nb * 0.8) / (s.na + s.nb)
    expected = 0.1 / np.sqrt(pooled * (1 - pooled) * (1 / s.na + 1 / s.nb))
    assert statistic(sides)[0] == pytest.approx(expected[0], rel=1e-9)
    assert s.na[0] == pytest.approx(100, rel=0.02)


def test_identity_is_welch():
    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 1, 40), rng.normal(0.4, 2, 70)
    sides = Sides(
        "t",
        estimates(x.mean(), x.var(ddof=1) / 40, 40),
        estimates(y.mean(), y.var(ddof=1) / 70, 70),
        np.zeros(1),
    )
    welch = ttest_ind(x, y, equal_var=False)
    assert statistic(sides)[0] == pytest.approx(welch.statistic)
    assert analytic_p(sides)[0] == pytest.approx(welch.pvalue)


@pytest.mark.parametrize("kind", ["log_t", "wilson", "t"])
@pytest.mark.parametrize("crit", [0.5, 1.96, 4.0])
def test_limits_leave_out_0_exactly_where_the_statistic_is_beyond(kind, crit):
    sides = random_sides(kind, 2000, seed=1)
    t = np.abs(statistic(sides))
    low, high = limits_at(sides, np.full(2000, crit))
    settled = np.abs(t - crit) > 1e-6
    assert np.array_equal(((low > 0) | (high < 0))[settled], (t > crit)[settled])
    gap = sides.a.value - sides.b.value
    assert (low <= gap + 1e-12).all()
    assert (high >= gap - 1e-12).all()


@pytest.mark.parametrize("kind", ["log_t", "wilson", "t"])
def test_swapped_sides_have_the_negative_limits(kind):
    sides = random_sides(kind, 500, seed=2)
    crit = np.full(500, 3.0)
    low, high = limits_at(sides, crit)
    other_low, other_high = limits_at(swapped(sides), crit)
    assert low == pytest.approx(-other_high, abs=1e-8)
    assert high == pytest.approx(-other_low, abs=1e-8)
    assert statistic(sides) == pytest.approx(-statistic(swapped(sides)), nan_ok=True)


def test_log_limits_solve_their_equation():
    # at each limit d: |log 3 - log(2 + d)| = c sqrt(v_x / 9 + v_y / (2 + d)^2)
    a, b = estimates(3.0, 0.04), estimates(2.0, 0.01)
    low, high = limits_at(Sides("log_t", a, b, np.zeros(1)), np.array([2.5]))
    for d in (low[0], high[0]):
        se = np.sqrt(0.04 / 9 + 0.01 / (2 + d) ** 2)
        assert abs(np.log(3) - np.log(2 + d)) == pytest.approx(2.5 * se, rel=1e-9)


def test_a_limit_that_does_not_exist_is_the_widest_one():
    # the smaller side is nearly all error: no d is far enough below
    sides = Sides("log_t", estimates(3.0, 4.0), estimates(2.0, 4.0), np.zeros(1))
    low, high = limits_at(sides, np.array([3.0]))
    assert low[0] == -2.0
    assert high[0] > 1.0


def test_no_statistic_no_limits():
    zero = Sides("log_t", estimates(0.0, 0.0), estimates(2.0, 0.1), np.zeros(1))
    for part in (
        statistic(zero),
        *limits_at(zero, np.array([2.0])),
        detectable(zero, np.ones(1), 1),
    ):
        assert np.isnan(part[0])
    endless = random_sides("t", 3, seed=4)
    assert np.isnan(limits_at(endless, np.full(3, np.inf))).all()


def test_analytic_critical_inverts_the_analytic_p():
    for kind in ("log_t", "wilson", "t", "percentile"):
        sides = random_sides("t" if kind == "percentile" else kind, 400, seed=5)
        sides = Sides(kind, sides.a, sides.b, sides.cov)
        if kind == "percentile":
            far = np.full(400, np.inf)
            a, b = (
                Estimates(e.value, e.var, far, far, e.normal, far, far) for e in (sides.a, sides.b)
            )
            sides = Sides(kind, a, b, sides.cov)
        t, crit = np.abs(statistic(sides)), analytic_critical(sides, 0.99)
        assert np.array_equal(analytic_p(sides) < 0.01, t > crit)


def test_detectable_gap_by_hand():
    # identity: se = 0.5, df = 0.25^2 x 99 / (0.16^2 + 0.09^2) = 183.605, and
    # z = 0.8416212 sqrt(1 + 2.8016212^2 / 183.605) = 0.8594225
    sides = Sides("t", estimates(0.0, 0.16), estimates(1.0, 0.09), np.zeros(1))
    expected = (1.96 + 0.8594225) * 0.5
    assert detectable(sides, np.array([1.96]), 1)[0] == pytest.approx(expected, rel=1e-6)
    # log: se_log^2 = 0.05 / 16 = 0.003125, df = 0.05^2 x 99 / (0.04^2 + 0.01^2) = 145.588, and
    # z = 0.8416212 sqrt(1 + 2.8016212^2 (1 / 145.588 + 0.003125)) = 0.8740070
    log = Sides("log_t", estimates(4.0, 0.04), estimates(4.0, 0.01), np.zeros(1))
    expected = 4 * np.expm1((1.96 + 0.8740070) * np.sqrt(0.003125))
    assert detectable(log, np.array([1.96]), 1)[0] == pytest.approx(expected, rel=1e-6)
    # SD 5, 500 against 500 persons and a known error: 0.8859390348 years
    known = 25 / 500, 10**12
    plain = Sides("t", estimates(0.0, *known), estimates(0.0, *known), np.zeros(1))
    crit = np.array([norm.ppf(0.975)])
    assert detectable(plain, crit, 1)[0] == pytest.approx(0.8859390348, rel=1e-9)


@pytest.mark.parametrize(("p", "worse"), [(0.85, -1), (0.15, 1)])
def test_detectable_share_has_the_power_that_it_says(p, worse):
    n = 300.0
    a = estimates(p, p * (1 - p) / (n - 1), n)
    sides = Sides("wilson", a, a, np.zeros(1))
    gap = detectable(sides, np.array([3.0]), worse)[0]
    q, s = p + worse * gap, sides.shares
    pooled = (p + q) / 2
    v0 = pooled * (1 - pooled) * (1 / s.na + 1 / s.nb)[0]
    v1 = q * (1 - q) / s.na[0] + p * (1 - p) / s.nb[0]
    assert ndtr((gap - 3.0 * np.sqrt(v0)) / np.sqrt(v1)) == pytest.approx(0.80, abs=1e-6)


def test_no_gap_is_detectable_where_none_is_possible():
    tiny = estimates(0.05, 0.0475 / 29, 30)
    assert np.isnan(detectable(Sides("wilson", tiny, tiny, np.zeros(1)), np.array([3.0]), -1)[0])


def test_detectable_gap_of_a_pair_does_not_depend_on_its_order():
    for kind in ("log_t", "wilson", "t"):
        sides = random_sides(kind, 200, seed=6)
        crit = np.full(200, 2.5)
        one = detectable(sides, crit, 1, both=True)
        other = detectable(swapped(sides), crit, 1, both=True)
        assert one == pytest.approx(other, rel=1e-9, nan_ok=True)

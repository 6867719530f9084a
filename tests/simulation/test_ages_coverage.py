"""Do 95 % intervals of distributions, gates and slopes hold the truth 95 times in 100?

The worlds, seeds fixed: error = 4 person + 3 photo (normal), and a predicted distribution that is
right, normal with 5 years; people of 8 to 30 years for the gates; estimates that are pulled to the
mean by 0.1 a year for the slopes. 2,000 runs leave +- 1 point of simulation noise (two standard
errors). Scores that rest on the one age in ten outside an interval cover 91 % with 200 persons, as
their definitions say; their gaps hold 95 %.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from audit.metrics.distribution_calibration import uniformity
from audit.metrics.distribution_curves import pit_shares

from .worlds import World, coverage

RUNS = 2000
SD = 5.0


def _errors(m, photos, rng):
    person = np.repeat(np.arange(m), photos)
    return 4 * rng.standard_normal(m)[person] + 3 * rng.standard_normal(len(person)), person


def calibrated(m, photos, rng):
    error, person = _errors(m, photos, rng)
    return {"age": 40.0, "age_pred": 40.0 + error, "age_std": SD}, person


def young(m, photos, rng):
    error, person = _errors(m, photos, rng)
    age = rng.uniform(8, 30, m)[person]
    return {"age": age, "age_pred": age + error}, person


def pulled(m, photos, rng):
    error, person = _errors(m, photos, rng)
    age = rng.uniform(18, 70, m)[person]
    return {"age": age, "age_pred": age + error - 0.1 * (age - 40)}, person


@cache
def gate_truth(legal: float, challenge: float, side: str) -> float:
    """By integration over the ages: the estimate is the age plus a normal error of 5 years."""
    ages = np.linspace(8, legal, 20_001) if side == "fpr" else np.linspace(legal, 30, 20_001)
    passed = norm.sf((challenge - ages) / SD)
    return float(np.trapezoid(passed if side == "fpr" else 1 - passed, ages) / np.ptp(ages))


DISTRIBUTIONS = {
    "crps": SD / math.sqrt(math.pi),
    "coverage_50": 0.5,
    "coverage_90": 0.9,
    "coverage_95": 0.95,
    "interval_score_90": 2 * SD * norm.pdf(norm.ppf(0.95)) / 0.05,
    "z_mean": 0.0,
    "z_variance": 1.0,
    "pinball_05": SD * norm.pdf(norm.ppf(0.05)),
}
SKEWED = {"interval_score_90", "pinball_05"}
SLOPES = {"slope": -0.1, "calibration_slope": 0.9, "calibration_intercept": 4.0}
GATES = {"18:18": (18, 18), "18:25": (18, 25), "18:30": (18, 30)}


def report(world: World, found, record_property) -> None:
    print(f"{world.metric} {world.persons} x {world.photos}: {found.value:.4f} {found.gap:.4f}")
    record_property("coverage", f"{found.value:.4f} {found.gap:.4f}")


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("photos", [1, 5])
def test_distributions_cover(name, photos, record_property):
    world = World(calibrated, (200, 200), photos, name, DISTRIBUTIONS[name])
    found = coverage(world, RUNS, seed=20260701)
    report(world, found, record_property)
    assert (0.9 if name in SKEWED else 0.925) <= found.value <= 0.975
    assert 0.925 <= found.gap <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("photos", [1, 5])
def test_slopes_cover(name, photos, record_property):
    world = World(pulled, (200, 200), photos, name, SLOPES[name])
    found = coverage(world, RUNS, seed=20260702)
    report(world, found, record_property)
    assert 0.925 <= found.value <= 0.975
    assert 0.925 <= found.gap <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("side", ["fpr", "fnr"])
@pytest.mark.parametrize("photos", [1, 5])
def test_gate_rates_cover(gate, side, photos, record_property):
    """From 1 in 700 who pass, where no face is expected to in a group, to 5 in 6 who are stopped.

    Where hardly any face passes an interval can only be wider than it need be.
    """
    truth = gate_truth(*GATES[gate], side)
    world = World(young, (400, 400), photos, f"gate_{side}[{gate}]", truth, gates=(gate,))
    found = coverage(world, RUNS, seed=20260703)
    print(f"truth {truth:.4f}", end=" ")
    report(world, found, record_property)
    high = 0.985 if truth > 0.01 else 1.0
    assert 0.925 <= found.value <= high
    assert 0.925 <= found.gap <= high


@pytest.mark.parametrize("photos", [1, 5])
def test_uniformity_holds_its_level(photos):
    """A right distribution is called wrong in about 5 % of runs, photos of one person or not."""
    rng = np.random.default_rng(20260704)
    called = []
    for _ in range(600):
        error, person = _errors(80, np.full(80, photos), rng)
        u = norm.cdf(error / SD)
        sums = np.zeros((80, 10))
        np.add.at(sums, person, pit_shares(u, u))
        called.append(uniformity(sums)[0] < 0.05)
    assert 0.02 <= np.mean(called) <= 0.08


def test_intervals_of_crps_cover_quickly():
    world = World(calibrated, (60, 60), 5, "crps", DISTRIBUTIONS["crps"])
    found = coverage(world, 300, seed=20260705)
    assert 0.91 <= found.value <= 0.985
    assert 0.91 <= found.gap <= 0.985

"""Do 95 % intervals of what the cure did hold the truth 95 times in 100? Truth known, seeds fixed.

The worlds: importance a = sigmoid(c + u person + 0.8 photo) (u and c as named; means 0.89, and 0.96
with a long tail to the left); the share of 16 visits in the low group, beta-binomial with mean 0.3;
labels of which 30 % are flipped, 60 % of those and 10 % of the right ones are changed, 70 % of the
changed flipped ones to the true class, with photos of one person correlated (Gaussian copula, 0.4).
2,000 runs leave +- 1 point of simulation noise (two standard errors).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import expit, ndtri

from audit.intervals import Estimates, limits

from .worlds import Coverage, Draw, World, coverage

RUNS = 2000
ONE = {"expression": "a", "expression_pred": "a"}
TRUTH = {
    "relabel_rate": 0.25,  # .3 .6 + .7 .1
    "relabel_precision": 0.126 / 0.25,  # .3 .6 .7
    "relabel_recall": 0.42,  # .6 .7
    "relabel_damage": 0.1,
    "low_group_share": 0.3,
}


def importance(centre: float, person_sd: float) -> Draw:
    def draw(m, photos, rng):
        person = np.repeat(np.arange(m), photos)
        value = centre + person_sd * rng.standard_normal(m)[person]
        return ONE | {"importance": expit(value + 0.8 * rng.standard_normal(len(person)))}, person

    return draw


def low_shares(m, photos, rng):
    person = np.repeat(np.arange(m), photos)
    p = rng.beta(0.3 * 1.5, 0.7 * 1.5, m)[person]
    return ONE | {"low_group": rng.binomial(16, p) / 16}, person


def relabels(m, photos, rng):
    person = np.repeat(np.arange(m), photos)

    def alike(p):
        latent = np.sqrt(0.4) * rng.standard_normal(m)[person]
        return latent + np.sqrt(0.6) * rng.standard_normal(len(person)) < ndtri(p)

    flipped = rng.random(len(person)) < 0.3
    relabelled = np.where(flipped, alike(0.6), alike(0.1))
    corrected = relabelled & flipped & alike(0.7)
    found = {"relabelled": relabelled, "flipped": flipped, "corrected": corrected}
    return ONE | {name: values.astype(int) for name, values in found.items()}, person


IMPORTANCE = {"importance 0.89": importance(2.6, 1.0), "importance 0.96": importance(4.2, 1.5)}


@cache
def truth(name: str) -> float:
    if name not in IMPORTANCE:
        return TRUTH[name]
    one = np.ones(4_000_000, dtype=np.int64)
    return float(IMPORTANCE[name](len(one), one, np.random.default_rng(99))[0]["importance"].mean())


def covered(name: str, m: int, photos: int, runs: int, seed: int) -> Coverage:
    draw = IMPORTANCE.get(name, low_shares if name == "low_group_share" else relabels)
    metric = name.partition(" ")[0]
    world = World(draw, (m, m), photos, metric, truth(name), task="expression")
    found = coverage(world, runs, seed)
    print(f"{name} {m} x {photos}: value {found.value:.4f} gap {found.gap:.4f}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", [*IMPORTANCE, *TRUTH])
@pytest.mark.parametrize("m", [30, 100])
@pytest.mark.parametrize("photos", [1, 5])
def test_intervals_cover(name, m, photos, record_property):
    found = covered(name, m, photos, RUNS, seed=20260201)
    record_property("coverage", f"{found.value:.4f} {found.gap:.4f}")
    low = 0.86 if name == "importance 0.96" else 0.925  # too skewed for any simple interval
    assert low <= found.value <= 0.985
    assert 0.925 <= found.gap <= 0.985


@pytest.mark.parametrize(("name", "gain"), [("importance 0.89", 0.005), ("importance 0.96", 0.02)])
def test_the_logit_scale_covers_better_than_the_log_scale_and_stays_below_1(name, gain):
    """4,000 groups of 30 persons with a photo each; two standard errors are 0.8 to 1.2 points."""
    runs, m = 4000, 30
    one = np.ones(runs * m, dtype=np.int64)
    found, _ = IMPORTANCE[name](runs * m, one, np.random.default_rng(20260203))
    x = found["importance"].reshape(runs, m)
    var, df = x.var(axis=1, ddof=1) / m, np.full(runs, m - 1.0)
    e = Estimates(x.mean(axis=1), var, df, var, np.zeros(runs, dtype=bool), df + 1, df + 1)
    holds, highest = {}, {}
    for kind in ("log_t", "t", "logit_t"):
        low, high = limits(kind, e, 0.95)
        holds[kind] = ((low <= truth(name)) & (truth(name) <= high)).mean()
        highest[kind] = high.max()
    print(f"{name}: {holds}")
    assert holds["logit_t"] > max(holds["log_t"], holds["t"]) + gain
    assert highest["logit_t"] < 1
    assert name == "importance 0.89" or highest["log_t"] > 1


@pytest.mark.parametrize("name", ["importance 0.89", "relabel_precision"])
def test_intervals_cover_quickly(name):
    found = covered(name, 50, 3, 400, seed=20260202)
    assert 0.91 <= found.value <= 0.985
    assert 0.91 <= found.gap <= 0.985

"""Do 95 % intervals hold the truth 95 times in 100? Simulated with known truth, seeds fixed.

The worlds: error = 4 person + 3 photo (normal, and Student t with 5 degrees of freedom), and
accuracy 0.85 and 0.95 whose photos of one person are correlated by 0.4 (beta-binomial). 2,000 runs
leave +- 1 point of simulation noise (two standard errors).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from .worlds import World, coverage, heavy_errors, hits, normal_errors, truth_of

RUNS = 2000
SIZES = [(50, 50), (200, 200), (1000, 1000), (50, 1000)]
DRAWS = {
    "normal": (normal_errors, "mae"),
    "t5": (heavy_errors, "mae"),
    "accuracy 0.85": (hits(0.85), "cs5"),
    "accuracy 0.95": (hits(0.95), "cs5"),
}
TRUTH = {"accuracy 0.85": 0.85, "accuracy 0.95": 0.95}


def world(name: str, persons: tuple[int, int], photos: int) -> World:
    draw, metric = DRAWS[name]
    truth = TRUTH[name] if name in TRUTH else truth_of(draw, metric)
    return World(draw, persons, photos, metric, truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("persons", SIZES, ids=lambda p: f"{p[0]}-{p[1]}")
@pytest.mark.parametrize("photos", [1, 5])
def test_intervals_cover(name, persons, photos, record_property):
    found = coverage(world(name, persons, photos), RUNS, seed=20260101)
    print(f"{name} {persons} x {photos}: value {found.value:.4f} gap {found.gap:.4f}")
    record_property("coverage", f"{found.value:.4f} {found.gap:.4f}")
    low = 0.91 if name == "t5" and min(persons) == 50 else 0.925
    assert low <= found.value <= 0.975
    assert low <= found.gap <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("persons", [50, 200])
def test_ignoring_the_person_is_too_narrow(name, persons):
    found = coverage(world(name, (persons, persons), 5), RUNS, seed=20260102, by_person=False)
    print(f"{name} {persons} x 5 without persons: value {found.value:.4f}")
    assert found.value < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "t5", "accuracy 0.85"])
@pytest.mark.parametrize("persons", [100, 400])
def test_gaps_of_groups_that_share_persons(name, persons, record_property):
    """Three photos of everybody in either group, as in age decades of one person."""
    shared = replace(world(name, (persons, persons), 3), shared=True)
    found = coverage(shared, RUNS, seed=20260104)
    alone = coverage(shared, 500, seed=20260105, by_person=False)
    print(f"{name} {persons} shared: gap {found.gap:.4f}, photos as persons {alone.gap:.4f}")
    record_property("coverage", f"{found.gap:.4f}")
    assert 0.93 <= found.gap <= 0.97
    assert alone.gap > 0.975


@pytest.mark.parametrize("name", ["normal", "accuracy 0.85"])
def test_intervals_cover_quickly(name):
    found = coverage(world(name, (50, 50), 5), 400, seed=20260103)
    assert 0.91 <= found.value <= 0.98
    assert 0.91 <= found.gap <= 0.98

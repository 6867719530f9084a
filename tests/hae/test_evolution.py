"""The evolution strategy: its utilities, one generation by hand, a quadratic, going on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hae.evolution import Search, begin, step, utilities

GOAL = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)
SCALES = torch.tensor([1.0, 10.0, 0.1, 100.0, 1.0], dtype=torch.float64)


def quadratic(x: Tensor) -> float:
    return -float((SCALES * (x - GOAL).square()).sum())


def search(generations: int, start: Search | None = None, seed: int = 0) -> Search:
    found = start or begin(torch.zeros(5), spread=0.5)
    while found.generation < generations:
        found = step(found, quadratic, 20, seed)
    return found


def test_utilities_by_hand() -> None:
    # of 4: log 3 - log k = 1.0986, 0.4055, 0, 0; over their sum 1.5041, less 1/4
    assert utilities(4).tolist() == pytest.approx([0.4804, 0.0196, -0.25, -0.25], abs=1e-4)
    assert utilities(50).sum().item() == pytest.approx(0, abs=1e-12)


def test_a_generation_of_two_by_hand() -> None:
    first = begin(torch.tensor([1.0, 2.0]), spread=0.5)
    tried: list[Tensor] = []

    def fitness(x: Tensor) -> float:
        tried.append(x)
        return float(len(tried))  # the second is the better

    after = step(first, fitness, 2, seed=3)
    a, b = ((x - first.mean) / 0.5 for x in tried)
    assert torch.allclose(after.mean, first.mean + 0.25 * (b - a))
    eta = (3 + math.log(2)) / (5 * math.sqrt(2))
    expected = 0.5 * torch.exp(eta / 2 * 0.5 * (b.square() - a.square()))
    assert torch.allclose(after.spread, expected)
    assert after.generation == 1


def test_it_improves_a_quadratic() -> None:
    found = search(150)
    assert quadratic(torch.zeros(5, dtype=torch.float64)) < -50
    assert quadratic(found.mean) > -1e-3
    # it narrows where the quadratic is steep
    assert found.spread[3] < found.spread[2]


def test_what_is_not_finite_is_the_worst() -> None:
    def fitness(x: Tensor) -> float:
        return math.nan if x[0] > 0 else float(x[1])

    found = begin(torch.zeros(2), spread=0.5)
    for _ in range(20):
        found = step(found, fitness, 20, 0)
    assert found.mean[0] < 0
    assert found.mean[1] > 0.5


def test_it_goes_on_where_it_stood() -> None:
    half = search(5)
    again = Search(half.mean.clone(), half.spread.clone(), half.generation)
    assert torch.equal(search(10, again).mean, search(10).mean)
    assert not torch.equal(search(10, seed=1).mean, search(10).mean)

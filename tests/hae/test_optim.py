from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from audit.errors import InputError
from hae.config import OptimizerName
from hae.optim import build_optimizer, warmup_cosine

# facts 4.1: one scalar from 1, gradient 1, rate 1e-3; the slow weights take over at 6 and 12.
GOLDEN = [
    0.999, 0.998, 0.997, 0.996, 0.995, 0.997487091, 0.997454356, 0.997415622, 0.997371522,
    0.997322529, 0.997269015, 0.997349186,
]  # fmt: skip
ETA = [0.007540715, 0.009066486, 0.01027632, 0.01129355, 0.01218351]  # facts 4.1, t = 6 .. 10


def descend(name: OptimizerName, steps: int, lr: float = 1e-3) -> list[float]:
    """The path of a scalar from 1 under the loss p."""
    p = nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = build_optimizer([p], name, lr)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        path.append(p.item())
    return path


def test_ranger_golden_sequence() -> None:
    assert descend("ranger", 12) == pytest.approx(GOLDEN, abs=1e-6)


def test_ranger_in_single_precision() -> None:
    p = nn.Parameter(torch.ones(1))
    optimizer = build_optimizer([p], "ranger", 1e-3)
    for golden in GOLDEN:
        p.grad = torch.ones(1)
        optimizer.step()
        assert p.item() == pytest.approx(golden, abs=1e-6)


@pytest.mark.parametrize("name", ["ranger", "adamw"])
def test_the_first_steps_descend(name: OptimizerName) -> None:
    path = [1.0, *descend(name, 5)]
    assert all(a > b for a, b in itertools.pairwise(path))


def test_ranger_rectification() -> None:
    # Between two takeovers of the slow weights a step is lr eta m / (sqrt(v) + eps), with
    # m = 1 - .95^t and v = 1 - .999^t for a gradient of 1; eta at t = 7 .. 10.
    path = descend("ranger", 10)
    for t in range(7, 11):
        m, v = 1 - 0.95**t, 1 - 0.999**t
        step = (path[t - 2] - path[t - 1]) / 1e-3
        assert step * (math.sqrt(v) + 1e-5) / m == pytest.approx(ETA[t - 6], rel=1e-5)


def test_ranger_centralises_gradients() -> None:
    # facts 4.1: [[1, 3], [2, 6]] becomes [[-1, 1], [-2, 2]], and a vector stays. The first step is
    # lr times the gradient.
    matrix, vector = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2))
    optimizer = build_optimizer([matrix, vector], "ranger", 1e-3)
    matrix.grad, vector.grad = torch.tensor([[1.0, 3.0], [2.0, 6.0]]), torch.tensor([1.0, 3.0])
    optimizer.step()
    assert (-1000 * matrix).flatten().tolist() == pytest.approx([-1, 1, -2, 2], rel=1e-5)
    assert (-1000 * vector).tolist() == pytest.approx([1, 3], rel=1e-5)


def test_ranger_takes_no_weight_decay() -> None:
    with pytest.raises(InputError, match=r"weight_decay is 0.01, must be 0"):
        build_optimizer([nn.Parameter(torch.ones(1))], "ranger", 1e-3, 0.01)


def test_adamw_decays() -> None:
    # Gradient 0: w (1 - lr wd) = 1 - .1 x .5.
    p = nn.Parameter(torch.ones(1))
    optimizer = build_optimizer([{"params": [p]}], "adamw", 0.1, 0.5)
    p.grad = torch.zeros(1)
    optimizer.step()
    assert p.item() == pytest.approx(0.95)


def rates(optimizer: Optimizer, warmup: int, steps: int, n: int) -> list[float]:
    schedule, found = warmup_cosine(optimizer, warmup, steps), []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_schedule_by_hand() -> None:
    # Warm-up 4, 12 steps, rate 2: .5 1 1.5 2, then 1 + cos(pi j / 8) for j = 0 .. 8, then 0.
    optimizer = build_optimizer([nn.Parameter(torch.ones(1))], "adamw", 2.0)
    cosine = [1 + math.cos(math.pi * j / 8) for j in range(9)]
    expected = [0.5, 1, 1.5, 2, *cosine, 0, 0]
    assert rates(optimizer, 4, 12, 15) == pytest.approx(expected, abs=1e-12)


def test_schedule_without_warmup() -> None:
    optimizer = build_optimizer([nn.Parameter(torch.ones(1))], "adamw", 2.0)
    assert rates(optimizer, 0, 2, 3) == pytest.approx([2, 1, 0], abs=1e-12)


@pytest.mark.parametrize(("warmup", "steps"), [(10, 10), (-1, 5)])
def test_warmup_must_fit(warmup: int, steps: int) -> None:
    optimizer = build_optimizer([nn.Parameter(torch.ones(1))], "adamw", 2.0)
    with pytest.raises(ValueError, match="warmup is"):
        warmup_cosine(optimizer, warmup, steps)

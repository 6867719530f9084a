"""Parameters, time and memory of a cell."""

from __future__ import annotations

import time

import pytest
import torch

from hae.generality.clock import Clock
from hae.generality.cost import Cost, cost_of
from hae.generality.grid import GridConfig, cells
from hae.generality.memory import peak_of, size_of
from hae.models.age import AgeModel
from tests.hae.generality.small import GRID
from tests.hae.training.toys import Told

CPU = torch.device("cpu")
WHOLE = GRID.model_copy(update={"mode": "end_to_end"})


def model(grid: GridConfig, aggregator: str) -> AgeModel:
    torch.manual_seed(0)
    config = next(c for c in cells(grid) if c.aggregator.name == aggregator).run_config()
    return AgeModel(config.model).eval()


def cost(grid: GridConfig, aggregator: str, batch: int = 8) -> Cost:
    return cost_of(model(grid, aggregator), batch, 1.0)


def test_peak_of_blocks_that_come_and_go() -> None:
    x = torch.zeros(1000)

    def work() -> None:
        a = x + 1  # 4,000 bytes
        b = a * 2  # 8,000
        del a  # 4,000
        b.double()  # 12,000, given back at once
        torch.zeros(500)  # 6,000

    assert peak_of(work, CPU) == 12_000
    assert peak_of(work, CPU) == 12_000
    assert peak_of(lambda: None, CPU) == 0


def test_peak_of_forward_and_backward() -> None:
    """Forward: the product and its exponential, 8 n bytes; the product goes, a sum of 4 comes.

    Backward, with the sum and its gradient of 4 each: the exponential and its gradient, 8 n, then
    that gradient and the one of the weights, 8 n.
    """
    n = 1000
    x, w = torch.randn(n), torch.randn(n, requires_grad=True)

    def work() -> None:
        torch.autograd.backward((x * w).exp().sum())

    assert peak_of(work, CPU) == 8 * n + 8


def test_a_storage_counts_once() -> None:
    x = torch.zeros(10, 10)
    assert size_of([x, x[0], x.T, None, torch.zeros(3, dtype=torch.float64)]) == 400 + 24


@pytest.mark.parametrize("grid", [GRID, WHOLE])
def test_measuring_the_cost_changes_nothing(grid: GridConfig) -> None:
    measured = model(grid, "san")
    before = {name: value.clone() for name, value in measured.state_dict().items()}
    state = torch.get_rng_state()
    cost_of(measured, 4, 1.0)
    assert torch.equal(state, torch.get_rng_state())
    after = measured.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    assert not any(module.training for module in measured.modules())
    assert all(p.grad is None for p in measured.parameters())


@pytest.mark.parametrize("aggregator", ["mean", "san", "single"])
def test_a_backbone_counts_where_it_is_trained(aggregator: str) -> None:
    frozen, whole = cost(GRID, aggregator), cost(WHOLE, aggregator)
    own = model(GRID, aggregator)
    backbone = sum(p.numel() for p in own.backbone.parameters())
    assert frozen.parameters == whole.parameters == whole.trained_parameters
    assert frozen.trained_parameters == whole.parameters - backbone
    assert whole.step_ms > frozen.step_ms
    assert frozen.peak_bytes
    assert whole.peak_bytes
    # at least its weights and their gradients, and the images
    k = 1 if aggregator == "single" else 2
    least = 4 * (2 * backbone + 8 * k * 3 * 32 * 32)
    assert whole.peak_bytes - frozen.peak_bytes > least


def test_memory_is_the_same_again_and_grows_with_the_batch() -> None:
    first, again, more = (cost(WHOLE, "mean", b).peak_bytes for b in (8, 8, 16))
    assert first == again
    assert first
    assert more
    images = 4 * 8 * 2 * 3 * 32 * 32
    assert more > first + images


def test_seconds_are_those_of_the_steps() -> None:
    told = Told()
    clock = Clock(told)
    done = clock.stage("embedding", 2)
    time.sleep(0.05)
    done(2)
    clock.step(1, {"loss": 1.0})
    clock.notice("so")
    assert 0 <= clock.seconds < 0.04
    assert (told.stages, told.steps, told.notices) == (["embedding"], [(1, {"loss": 1.0})], ["so"])

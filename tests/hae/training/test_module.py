"""What is drawn in training is a function of the seed, the process and the batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch

from hae.training.module import Training


def _drawn(seed: int, batch: int, rank: int = 0) -> float:
    """A draw on the CPU, as dropout's, at the start of a batch of one of two processes."""
    loop = SimpleNamespace(
        trainer=SimpleNamespace(global_rank=rank, world_size=2), config=SimpleNamespace(seed=seed)
    )
    Training.on_train_batch_start(cast(Any, loop), None, batch)
    return float(torch.rand(()))


def test_draws_differ_between_seeds_batches_and_processes_and_repeat() -> None:
    places = [(seed, batch, rank) for seed in range(5) for batch in range(4) for rank in (0, 1)]
    found = [_drawn(*place) for place in places]
    assert len(set(found)) == len(places)
    assert [_drawn(*place) for place in places] == found

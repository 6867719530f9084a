"""Which faces are in step t: a function of (seed, t), so that a run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from audit.errors import InputError
from audit.hashing import Keys, uniforms
from hae.config import RunConfig

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Batch = dict[str, Any]
"""Tensors of one first dimension, and ``epoch``."""
Fetch = Callable[[IntArray, int], Batch]
"""(rows, epoch) -> the batch."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Batches of ``size`` faces for each of ``world`` processes.

    In every epoch the faces come in the order of a hash of (seed, epoch, face); what does not fill
    the last batch waits for another epoch. With ``weights`` (n,) an epoch has as many faces, each
    drawn in proportion to its weight, so that some come several times and others not at all.
    """

    keys: Keys
    size: int
    seed: int
    world: int = 1
    rank: int = 0
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.per_epoch < 1:
            raise InputError(
                f"batch_size {self.size} x {self.world} devices: there are only {len(self.keys)} "
                "training faces; make the batch smaller"
            )

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        return len(self.keys) // (self.size * self.world)

    def order(self, epoch: int) -> IntArray:
        """All rows in the order of one epoch."""
        draws = uniforms(self.keys, self.seed, epoch)
        if self.weights is None:
            return np.argsort(draws, kind="stable")
        edges = np.cumsum(self.weights)
        rows: IntArray = np.searchsorted(edges, draws * edges[-1], side="right")
        return np.minimum(rows, len(edges) - 1, dtype=np.int64)

    def rows(self, order: IntArray, number: int) -> IntArray:
        """The rows of this process in batch ``number`` of the run."""
        start = (number % self.per_epoch) * self.size * self.world + self.rank * self.size
        return order[start : start + self.size]


@dataclass(eq=False)
class Batches:
    """An iterable of the batches of a whole run, from ``start`` on; one is fetched ahead.

    The trainer stores ``state_dict`` and gives it back on resume. Its length stays that of the
    whole run, because the trainer counts the batches that a resumed run has left behind.
    """

    plan: Plan
    fetch: Fetch
    total: int
    start: int = 0
    done: int = field(default=0, init=False)

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[Batch]:
        self.done = self.start
        with ThreadPoolExecutor(1, thread_name_prefix="batch") as pool:
            jobs = self._jobs()
            ahead = [pool.submit(self._fetch, *job) for job in (next(jobs, None),) if job]
            while ahead:
                batch = ahead.pop().result()
                ahead = [pool.submit(self._fetch, *job) for job in (next(jobs, None),) if job]
                self.done += 1
                yield batch

    def _fetch(self, rows: IntArray, epoch: int) -> Batch:
        """One batch; its tensors where a GPU can copy them from while it works."""
        batch = self.fetch(rows, epoch)
        if not torch.cuda.is_available():
            return batch
        return {k: v.pin_memory() if isinstance(v, Tensor) else v for k, v in batch.items()}

    def _jobs(self) -> Iterator[tuple[IntArray, int]]:
        order, current = np.empty(0, dtype=np.int64), -1
        for number in range(self.start, self.total):
            epoch = number // self.plan.per_epoch
            if epoch != current:
                order, current = self.plan.order(epoch), epoch
            yield self.plan.rows(order, number), epoch

    def state_dict(self) -> dict[str, int]:
        """How many batches were handed over."""
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin after the batches that were handed over."""
        self.start = state["done"]


def run_batches(
    keys: Keys,
    fetch: Fetch,
    config: RunConfig,
    world: int,
    rank: int,
    weights: FloatArray | None = None,
) -> Batches:
    """The batches of a whole run for one process of ``world``."""
    plan = Plan(keys, config.batch_size, config.seed, world, rank, weights)
    return Batches(plan, fetch, config.steps * config.accumulate)

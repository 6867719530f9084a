"""Learning by evolution what a frozen network lets through, when the rest has learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from audit.errors import InputError
from audit.files import write_bytes
from hae.backbones.dasnet import DasNet
from hae.backbones.network import Backbone
from hae.config import RunConfig
from hae.evolution import Fitness, Search, begin, step
from hae.inference import chunk_size
from hae.precision import exact
from hae.training.batches import Batch, Plan
from hae.training.faces import Faces
from hae.training.module import Task
from hae.training.run import SEARCH, Order, Report

CANDIDATES, FACES = 50, 128
"""Of a generation."""
SPREAD = 0.02
"""First SD of the candidates' weights: gains of 1 +- 0.1."""
HIT = 0.01
"""Weight of a face whose answer is right; a mistake weighs 1."""
MISTAKE = float(np.log(2))
"""-log of a score of 1/2: the true class is less probable, or the age off by over 3.5 years."""
SAVE_EVERY = 10


class Evolving(Task, Protocol):
    """A task whose faces can be asked for by row."""

    train: Faces
    config: RunConfig

    def fetch(self, rows: npt.NDArray[np.int64], epoch: int) -> Batch:
        """Some training faces, as a step gets them."""
        ...

    def costs(self, batch: Batch) -> Tensor:
        """-log score of the answer to each face, (b,)."""
        ...


def evolve(task: Evolving, order: Order, report: Report) -> None:
    """Evolve the gains of a ``dasnet`` by SNES; nothing for other backbones.

    Everything else stays as the training left it. Each generation of 50 candidates is judged on
    128 training faces, the same for all (6,400 faces in K views, each in several passes): fitness
    is minus the mean of the weighted costs, see :func:`weighted`. The gains that are found stay if
    they estimate the validation people no worse than those before do, which are 1 unless a
    checkpoint brought others. Stopped, the same command goes on from the last tenth generation.
    """
    backbone = task.model.backbone
    assert isinstance(backbone, Backbone)
    network, total = backbone.network, order.config.model.backbone.generations
    if not isinstance(network, DasNet) or not network.evolves or backbone.frozen or not total:
        return
    device = next(task.model.parameters()).device
    task.model.eval()
    policy, path = network.policy, order.out / SEARCH
    with torch.no_grad(), exact():
        born = parameters_to_vector(policy.parameters())
        born_told = parameters_to_vector(policy.outer.parameters())  # 0 where all gains are 1
        search = _saved(path) or begin(born, SPREAD)
        before = task.validate(device)
        while search.generation < total:
            batches, seen = list(_batches(task, search.generation, device)), list[float]()
            fitness = _fitness(task, policy, batches, seen)
            search = step(search, fitness, CANDIDATES, order.config.seed)
            if search.generation % SAVE_EVERY == 0 or search.generation == total:
                _save(path, search)
            told = {"loss": min(seen), "generation": float(search.generation)}
            report.step(order.config.steps, told)
        _set(policy, search.mean)
        after = task.validate(device)
        name, first = next(iter(before.items()))
        kept = after[name] <= first
        if not kept:
            _set(policy, born)
    others = "gains of 1" if not born_told.any() else "the gains it began with"
    report.notice(
        f"{backbone.name}: after {total:,} generations of gains the validation {name} is "
        f"{after[name]:.3f}, with {others} it is {first:.3f}; "
        f"{'they stay' if kept else f'{others} stay'}"
    )


def weighted(costs: Tensor) -> Tensor:
    """Cost c of each face, of a hit (c <= log 2) 0.01 c."""
    return torch.where(costs > MISTAKE, costs, HIT * costs)


def _fitness(
    task: Evolving, policy: nn.Module, batches: Sequence[Batch], seen: list[float]
) -> Fitness:
    """Minus the mean of the weighted costs, which are also added to ``seen``."""

    def fitness(weights: Tensor) -> float:
        _set(policy, weights)
        costs = torch.cat([task.costs(batch) for batch in batches])
        seen.append(float(weighted(costs).mean()))
        return -seen[-1]

    return fitness


def _batches(task: Evolving, generation: int, device: torch.device) -> Iterator[Batch]:
    """The faces of a generation, a function of the seed and its number."""
    faces, config = task.train, task.config
    plan = Plan(faces.sample, min(FACES, len(faces)), config.seed)
    epoch = generation // plan.per_epoch
    rows = plan.rows(plan.order(epoch), generation)
    chunk = chunk_size(device, config.model.views.k)
    for start in range(0, len(rows), chunk):
        batch = task.fetch(rows[start : start + chunk], epoch)
        yield {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}


def _set(module: nn.Module, weights: Tensor) -> None:
    """Write a vector into a module's weights, in place."""
    start = 0
    for parameter in module.parameters():
        end = start + parameter.numel()
        parameter.copy_(weights[start:end].view_as(parameter))
        start = end


def _save(path: Path, search: Search) -> None:
    tensors = {k: torch.as_tensor(v) for k, v in asdict(search).items()}
    try:
        write_bytes(path, save(tensors))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}; make room, the same command "
            "goes on"
        ) from None


def _saved(path: Path) -> Search | None:
    if not path.is_file():
        return None
    found = load_file(path)
    return Search(found["mean"], found["spread"], int(found["generation"]))

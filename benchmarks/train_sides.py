"""What train_speed.py times: a whole step of the age model, and a backbone's alone."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hae.backbones.network import Backbone
from hae.config import RunConfig
from hae.models.age import AgeModel
from hae.optim import build_optimizer
from hae.training.age import AgeTask
from hae.training.faces import Faces
from hae.training.module import Training
from hae.views import fixed_views

Options = Namespace
Work = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Side:
    """A job that is done again and again, and what ends it."""

    work: Work
    close: Work = lambda: None


def run_config(options: Options, k: int, optimizer: str) -> RunConfig:
    """The recipe with K views, and so many faces that a step sees ``options.views`` of them."""
    e, name = options.embedding, options.backbone
    return RunConfig.model_validate(
        {
            "steps": 10**6,
            "batch_size": max(2, options.views // k),
            "precision": options.precision,
            "compile": options.compile,
            "optimizer": {"name": optimizer, "lr": 1e-4, "warmup": 10},
            "model": {
                "size": options.size,
                "embedding": e,
                "backbone": {"name": name},
                "aggregator": {"layers": options.layers, "feedforward": e},
                "head": {"hidden": e},
                "views": {"k": k},
            },
        }
    )


def toy_faces(options: Options, folder: Path) -> Faces:
    """Noise in a memory-mapped file, as a run keeps its decoded faces."""
    n, size = max(options.faces, 2 * options.views), options.size
    path = folder / f"faces-{n}-{size}.npy"
    if not path.is_file():
        store = np.lib.format.open_memmap(path, "w+", np.uint8, (n, size, size, 3))
        rng = np.random.default_rng(0)
        for row in range(n):
            store[row] = rng.integers(0, 256, (size, size, 3), np.uint8)
        store.flush()
    keys = np.arange(n, dtype=np.uint64)
    age = np.linspace(1, 90, n, dtype=np.float32)
    return Faces(np.load(path, mmap_mode="r"), np.arange(n), keys, keys, age, age)


def new_task(config: RunConfig, faces: Faces) -> AgeTask:
    """The task as a run makes it."""
    torch.manual_seed(config.seed)
    few = faces.take(np.arange(16))
    views = fixed_views(config.model.views, seed=config.seed)
    return AgeTask(AgeModel(config.model), config, faces, few, views)


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch where the network is, as the trainer moves it."""
    wait_not = device.type == "cuda"
    return {
        name: value.to(device, non_blocking=wait_not) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }


def autocast(config: RunConfig, device: torch.device) -> torch.autocast:
    """What the trainer runs the forward pass in."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16")


def step_side(task: AgeTask, device: torch.device) -> Side:
    """Whole steps, as training does them."""
    module = Training(task, task.config)
    made = module.configure_optimizers()
    optimizer, schedule = made["optimizer"], made["lr_scheduler"]["scheduler"]
    batches: Iterator[Any] = iter(task.batches(1, 0))

    def work() -> None:
        batch = to_device(next(batches), device)
        optimizer.zero_grad()
        with autocast(task.config, device):
            total = module(batch)["total"]
        total.backward()
        optimizer.step()
        schedule.step()

    # Closing the iterator ends its thread.
    close = batches.close  # type: ignore[attr-defined]
    return Side(work, close)


def bare_side(backbone: Backbone, config: RunConfig, images: Tensor) -> Side:
    """Forward, backward and optimizer of the backbone alone."""
    optimizer = optimizer_of(backbone, config)

    def work() -> None:
        optimizer.zero_grad()
        with autocast(config, images.device):
            total = backbone(images).float().mean()
        total.backward()
        optimizer.step()

    return Side(work)


def optimizer_of(module: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The run's optimizer over a module's weights."""
    settings = config.optimizer
    return build_optimizer(module.parameters(), settings.name, lr=settings.lr)


def random_images(config: RunConfig, device: torch.device) -> Tensor:
    """As many normalised images as a step has views, resident, channels last as the views are."""
    n, size = config.batch_size * config.model.views.k, config.model.size
    images = torch.randn(n, 3, size, size, device=device)
    return images.contiguous(memory_format=torch.channels_last)

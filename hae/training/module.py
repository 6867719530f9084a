"""A task on Lightning's loop: steps, optimizer and schedule."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from audit.hashing import draws_seed
from hae.config import RunConfig
from hae.optim import build_optimizer, warmup_cosine
from hae.training.batches import Batch, Batches

LOG_EVERY = 10
"""Steps between two lines of the logs."""


class Task(Protocol):
    """What is learned: a network, its losses and how it is judged on people held out."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    def batches(self, world: int, rank: int) -> Batches:
        """The training batches of one process."""
        ...

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss; ``total`` is minimised."""
        ...

    def validate(self, device: torch.device) -> dict[str, float]:
        """Judge the network on the validation people; the first value is minimised."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know beyond weights and batches; plain values and tensors."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        ...


class Training(LightningModule):
    """A task as Lightning sees it.

    The whole run is one epoch of Lightning's: batch t is a function of the seed and t, and so is
    what dropout draws in it.
    """

    def __init__(self, task: Task, config: RunConfig) -> None:
        super().__init__()
        self.task = task
        self.model = task.model
        self.config = config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The terms of the loss; DDP wraps this."""
        return self.task.losses(batch)

    def train_dataloader(self) -> Batches:
        """The batches of this process."""
        return self.task.batches(self.trainer.world_size, self.trainer.global_rank)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make what dropout draws a function of (seed, process, batch)."""
        rank, world = self.trainer.global_rank, self.trainer.world_size
        torch.manual_seed(draws_seed(self.config.seed, batch_idx * world + rank))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what the task must know to the file to go on from."""
        checkpoint["task"] = self.task.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give it back to the task."""
        self.task.load_state_dict(checkpoint["task"])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One micro-batch."""
        terms: dict[str, Tensor] = self(batch)
        if (self.trainer.global_step + 1) % LOG_EVERY == 0:  # the trainer drops all others, slowly
            self.log_dict({f"train/{name}": value.detach() for name, value in terms.items()})
        return terms["total"]

    def configure_optimizers(self) -> Any:
        """Optimizer over what is trained, and a schedule by step."""
        settings = self.config.optimizer
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = build_optimizer(
            trained, settings.name, lr=settings.lr, weight_decay=settings.weight_decay
        )
        schedule = warmup_cosine(optimizer, warmup=settings.warmup, steps=self.config.steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

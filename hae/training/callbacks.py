"""Selection on people held out, and files to go on from."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from safetensors.torch import save

from audit.files import write_bytes
from hae.training.module import Training

Tell = Callable[[int, dict[str, float]], object]
"""Told the step, and the figures of it: the loss, and those of a validation when there was one."""


class Selection(Callback):
    """Judge the network every ``every`` steps and at the end; keep the best weights in a file."""

    def __init__(self, every: int, path: Path, tell: Tell) -> None:
        self.every, self.path, self.tell = every, path, tell
        self.best, self.best_step = math.inf, 0

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judge after the optimizer's step, if it is time."""
        step = trainer.global_step
        if not _stepped(trainer, batch_idx):
            return
        if step % self.every and step != trainer.max_steps:
            return
        assert isinstance(module, Training)
        module.eval()
        with torch.inference_mode():
            figures = module.task.validate(module.device)
        module.train()
        for logger in trainer.loggers:
            logger.log_metrics({f"validation/{k}": v for k, v in figures.items()}, step)
        score = next(iter(figures.values()))
        if score < self.best:
            self.best, self.best_step = score, step
            if trainer.is_global_zero:
                _save(module.model, self.path)
        self.tell(step, figures)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]


class Saving(Callback):
    """Write the file to resume from every ``every`` steps: whole or not at all."""

    def __init__(self, every: int, path: Path) -> None:
        self.every, self.path = every, path

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save after the optimizer's step, if it is time."""
        if _stepped(trainer, batch_idx) and trainer.global_step % self.every == 0:
            temporary = self.path.with_suffix(".tmp")
            trainer.save_checkpoint(temporary)
            if trainer.is_global_zero:
                temporary.replace(self.path)


class Telling(Callback):
    """Tell the step and the loss."""

    def __init__(self, tell: Tell, every: int = 10) -> None:
        self.tell, self.every = tell, every

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell after the optimizer's step, now and then: reading the loss waits for the device."""
        if _stepped(trainer, batch_idx) and trainer.global_step % self.every == 0:
            loss = float(outputs["loss"])  # of one of the accumulated batches, for its share
            self.tell(trainer.global_step, {"loss": loss * trainer.accumulate_grad_batches})


def _stepped(trainer: Trainer, batch_idx: int) -> bool:
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _save(model: torch.nn.Module, path: Path) -> None:
    """Write the weights whole or not at all."""
    write_bytes(path, save({k: v.contiguous() for k, v in model.state_dict().items()}))

"""Selection on people held out, and files to go on from."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import TorchCheckpointIO
from safetensors.torch import save

from audit.errors import InputError
from audit.files import write_bytes
from hae.checkpoint import apart
from hae.training.module import Training

Tell = Callable[[int, dict[str, float]], object]
"""Told the step, and the figures of it: the loss, and those of a validation when there was one."""


class NotFiniteError(InputError):
    """Training left the numbers: a loss or a validation that is not finite."""


_REMEDY = "lower optimizer.lr, or set optimizer.clip, and give another --out"


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
        if not math.isfinite(score):
            raise NotFiniteError(f"the validation is not finite at step {step}; {_REMEDY}")
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
            trainer.save_checkpoint(self.path)


class WholeFiles(TorchCheckpointIO):
    """Files to go on from are written beside their place, not in the system's folder for files."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write a file whole or not at all."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        _write(Path(path), content.getvalue())


class Telling(Callback):
    """Tell the step and the loss, and stop where it is no number."""

    def __init__(self, tell: Tell, every: int = 10) -> None:
        self.tell, self.every = tell, every

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell after the optimizer's step, now and then: reading the loss waits for the device."""
        if _stepped(trainer, batch_idx) and trainer.global_step % self.every == 0:
            loss = float(outputs["loss"])  # of one of the accumulated batches, for its share
            # All processes stop at once: one that waited for another would wait for ever.
            if not trainer.strategy.reduce_boolean_decision(math.isfinite(loss)):
                raise NotFiniteError(
                    f"the loss is not finite at step {trainer.global_step}; {_REMEDY}"
                )
            self.tell(trainer.global_step, {"loss": loss * trainer.accumulate_grad_batches})


def _stepped(trainer: Trainer, batch_idx: int) -> bool:
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


def _save(model: torch.nn.Module, path: Path) -> None:
    """Write the weights whole or not at all."""
    _write(path, save({k: apart(v) for k, v in model.state_dict().items()}))


def _write(path: Path, content: bytes) -> None:
    try:
        write_bytes(path, content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}; make room, the same command "
            "goes on"
        ) from None

"""One run on Lightning's loop: from the start, or from where it stopped."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from safetensors.torch import load_file

from audit.errors import InputError
from hae.config import RunConfig
from hae.training.callbacks import Saving, Selection, Tell, Telling, WholeFiles
from hae.training.module import LOG_EVERY, Task, Training

RESUME, BEST, LOGS = "resume.ckpt", "best.safetensors", "logs"


@dataclass(frozen=True)
class Fitted:
    """The step with the best validation figure, and that figure. The task holds its weights."""

    best_step: int
    best: float
    is_main: bool
    """Whether this process is the first of several; only that one writes."""


def fit(task: Task, config: RunConfig, out: Path, *, devices: int, tell: Tell) -> Fitted:
    """Train a task, or go on with it from ``out``.

    At the end it has its best weights (in the first process) and is in evaluation mode.

    Raises
    ------
    InputError
        The file to go on from is damaged.
    """
    resume, best = out / RESUME, out / BEST
    selection = Selection(config.validate_every, best, tell)
    module = Training(task, config)
    _prepare(module, config)
    with _quiet():
        trainer = _trainer(config, out, devices, [selection, Telling(tell)], _step_of(resume))
        with _interruptible(trainer):
            trainer.fit(module, ckpt_path=resume if resume.is_file() else None, weights_only=True)
    if trainer.is_global_zero:  # the first process may have removed the file when others come here
        task.model.load_state_dict(load_file(best))
    task.model.to(trainer.strategy.root_device).eval()  # the trainer leaves it on the CPU
    return Fitted(selection.best_step, selection.best, is_main=trainer.is_global_zero)


def _prepare(module: Training, config: RunConfig) -> None:
    if torch.cuda.is_available() and config.compile:
        module.model.backbone.compile()  # type: ignore[union-attr]


def _step_of(resume: Path) -> int:
    """The step that a run goes on from."""
    if not resume.is_file():
        return 0
    try:
        return int(torch.load(resume, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:  # what a damaged archive raises has no common base
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:120]
        raise InputError(f"{resume}: cannot be read ({reason}); delete it to begin anew") from None


def _trainer(
    config: RunConfig, out: Path, devices: int, callbacks: list[Selection | Telling], start: int
) -> Trainer:
    version = f"from-step-{start:07d}"  # a resumed run must not overwrite what was logged
    return Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        max_epochs=1,
        max_steps=config.steps,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.optimizer.clip or None,
        use_distributed_sampler=False,
        callbacks=[*callbacks, Saving(config.save_every, out / RESUME)],
        logger=[
            CSVLogger(out, name=LOGS, version=version),
            TensorBoardLogger(out, name=LOGS, version=version),
        ],
        log_every_n_steps=LOG_EVERY,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        plugins=[WholeFiles()],
        limit_val_batches=0,
    )


@contextmanager
def _interruptible(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C is KeyboardInterrupt: the trainer exits with 1, and is deaf to further ones."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's chatter, and the warnings of its that this use brings about."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in _EXPECTED:
            warnings.filterwarnings("ignore", message=message)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


_EXPECTED = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    "The `train_dataloader` does not have many workers",
    "The number of training batches .* is smaller than the logging interval",
    "Found .* in eval mode at the start of training",  # a frozen backbone
    "Experiment logs directory .* exists and is not empty",  # stopped before it saved anything
)
"""Beginnings of warnings, as regular expressions."""

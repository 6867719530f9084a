"""A training run from the command line: its config, its progress, its last words."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress, TaskID

from audit.configs import checked, read_toml
from audit.errors import InputError
from hae.checkpoint import Header, read_header
from hae.cli.options import pairs_of
from hae.cli.progress import bars
from hae.cli.record import TRAINING, versions
from hae.config import CHECKPOINT, RunConfig
from hae.data.readers import read_data
from hae.settings import with_settings
from hae.training.fit import RESUME
from hae.training.run import CACHE, Order
from hae.training.store import locked

LOCK = ".lock"


def order_of(
    data: str,
    split: str | None,
    val_split: str | None,
    map_: Sequence[str] | None,
    config: Path | None,
    set_: Sequence[str] | None,
    out: Path,
    init: Path | None,
    cache: Path | None,
    devices: int,
) -> Order:
    """Read config and data; what is wrong with them is said before the long work."""
    place = " and ".join([*([config.name] if config else []), *(["--set"] if set_ else [])])
    content = with_settings(read_toml(config, "a config") if config else {}, set_ or ())
    settings = checked(RunConfig, content, place or "the config")
    if val_split is not None and val_split == split:
        raise InputError(f"--val-split {val_split}: is the training split; give another")
    mapping = pairs_of(map_, "--map", "OURS=THEIRS")
    _check_devices(devices)
    for folder in (out, *out.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"--out {out}: {folder} is a file; give a folder")
    return Order(
        train=read_data(data, split, mapping),
        validation=read_data(data, val_split, mapping) if val_split is not None else None,
        config=settings,
        out=out,
        cache=cache or out / CACHE,
        init=init,
        devices=devices,
        versions=versions(TRAINING),
    )


def _check_devices(wanted: int) -> None:
    there = torch.cuda.device_count()
    if torch.cuda.is_available() and wanted > there:
        raise InputError(f"--devices {wanted}: this machine has {there} GPU; give at most {there}")


def run_training(work: Callable[[Order, Any], Path], order: Order) -> None:
    """Run the work with bars on stderr, and say what came of it."""
    main = os.environ.get("LOCAL_RANK", "0") == "0"
    finished = (order.out / CHECKPOINT).is_file()
    with bars(quiet=not main, field="figures") as bar:
        try:
            # the other processes of several belong to the first
            with locked(order.out / LOCK, wait=False) if main else nullcontext():
                report = Bars(bar, order.config.steps, loud=main)
                path = work(order, report)
                if finished:
                    report.notice(f"{path}: is finished already; give another --out to train again")
                if main:
                    (order.out / LOCK).unlink()
        except KeyboardInterrupt:
            kept = (order.out / RESUME).is_file()
            text = "the same command goes on from the last saved step" if kept else "nothing saved"
            if main:
                print(f"hae-audit: interrupted; {text}", file=sys.stderr)
            raise
    if main and path.is_file():
        print(f"{path}: {described(read_header(path))}")


def described(header: Header) -> str:
    """One line on what a checkpoint is and how good it was on the people held out."""
    made = header.provenance
    return (
        f"step {made.best_step:,} of {made.steps:,} was best; {figures(header.metrics)} on "
        f"{made.validation_faces:,} held-out faces of {made.validation_people:,} people"
        f"{', whom the first weights have seen' if made.validation_seen else ''}"
    )


def figures(metrics: Mapping[str, float]) -> str:
    """``mae 5.32 [4.9, 5.81], ...``, of metrics whose ends stand beside them."""
    return ", ".join(
        f"{name} {value:.3g} {_interval(metrics, name)}"
        for name, value in metrics.items()
        if not name.endswith(("_low", "_high"))
    )


def _interval(metrics: Mapping[str, float], name: str) -> str:
    if f"{name}_low" not in metrics:
        return "(no interval)"  # too few people
    return f"[{metrics[f'{name}_low']:.3g}, {metrics[f'{name}_high']:.3g}]"


class Bars:
    """Progress bars, and lines where there is no terminal; fulfils ``Report``."""

    def __init__(self, bar: Progress, steps: int, *, loud: bool) -> None:
        self.bar, self.steps, self.loud = bar, steps, loud
        self.running: TaskID | None = None
        self.judged = ""

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        """Open a bar for a piece of work."""
        task = self.bar.add_task(text, total=total, figures="")
        return lambda done: self.bar.advance(task, done)

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        """Move the bar of the steps; a validation also prints a line."""
        if self.running is None:
            self.running = self.bar.add_task("steps", total=self.steps, figures="")
        text = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        if "loss" not in figures:
            self.judged = f"validation {text}"
            if self.loud:
                print(f"step {step:,}: {self.judged}", file=sys.stderr)
            text = ""
        shown = "  ".join(part for part in (text, self.judged) if part)
        self.bar.update(self.running, completed=step, figures=shown)

    def notice(self, text: str) -> None:
        """Print a line."""
        if self.loud:
            print(f"hae-audit: {text}", file=sys.stderr)

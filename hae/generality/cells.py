"""A cell of the grid: trained, judged on the test faces, recorded; a failure is a record too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch

from audit.errors import InputError
from audit.files import write_text
from audit.result import FileHash
from audit.tables import file_hash
from hae.checkpoint import read_checkpoint
from hae.config import CHECKPOINT, Strict
from hae.data.core import Manifest, state_hash
from hae.generality.attention import Attention
from hae.generality.cache import claim, described
from hae.generality.clock import Clock
from hae.generality.cost import Cost, cost_of
from hae.generality.grid import Cell, Mode, TaskName, label
from hae.generality.judged import judge_ages, judge_expressions
from hae.parts import write_parquet
from hae.training.callbacks import NotFiniteError
from hae.training.fit import RESUME
from hae.training.run import Order, Report
from hae.training.train_age import train_age
from hae.training.train_expression import train_expression

RECORD, PREDICTIONS = "cell.json", "predictions.parquet"
Status = Literal["done", "out_of_memory", "diverged", "refused", "failed"]


class CellRecord(Strict):
    """What became of a cell. ``metrics`` of the test faces, in years where they have a unit.

    ``bin_width``: None for expressions.
    """

    key: str
    backbone: str
    aggregator: str
    head: str
    k: int
    bin_width: float | None
    seed: int
    task: TaskName
    mode: Mode = "frozen"
    status: Status
    reason: str | None = None
    metrics: dict[str, float]
    best_step: int | None = None
    cost: Cost | None = None
    predictions: FileHash | None = None
    attention: tuple[Attention, ...] = ()
    fingerprint: str


@dataclass(frozen=True, eq=False)
class Bench:
    """What all cells share: people to train, select and judge on, and where things lie."""

    train: Manifest
    validation: Manifest
    test: Manifest
    out: Path
    cache: Path
    versions: Mapping[str, str]


def run_cell(cell: Cell, weights: Path | None, bench: Bench, report: Report) -> CellRecord:
    """Run a cell, or read what it said when it was run before.

    A record of another config, data or weights does not count; one of a failure is tried again. An
    interrupted cell goes on where it stopped.

    Parameters
    ----------
    weights : Path, optional
        The backbone's, where it learned in a first stage.
    """
    folder = bench.out / cell.key
    print_ = fingerprint(cell, weights, bench)
    found = read_record(folder / RECORD)
    if found is not None and found.status == "done" and found.fingerprint == print_:
        return found
    try:
        worked = _worked(cell, weights, bench, folder, report)
        record = CellRecord.model_validate(_named(cell, print_) | worked)
    except (ValueError, MemoryError, RuntimeError, ArithmeticError) as error:
        # what one cell cannot do must not cost the others; Ctrl-C and bugs in types go through
        record = failed(cell, print_, error)
    write_text(folder / RECORD, record.model_dump_json(indent=1) + "\n")
    return record


def failed(cell: Cell, print_: str, error: Exception) -> CellRecord:
    """The record of a cell that could not be."""
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    told = {"status": status_of(error), "reason": reason, "metrics": {}}
    return CellRecord.model_validate(_named(cell, print_) | told)


def _named(cell: Cell, print_: str) -> dict[str, object]:
    return {
        "key": cell.key,
        "backbone": cell.backbone.label,
        "aggregator": label(cell.aggregator),
        "head": cell.head,
        "k": cell.k,
        "bin_width": cell.bin_width,
        "seed": cell.seed,
        "task": cell.task,
        "mode": cell.mode,
        "fingerprint": print_,
    }


def status_of(error: Exception) -> Status:
    """What a failure is called."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "alloc" in str(error).lower():
        return "out_of_memory"
    if isinstance(error, NotFiniteError):
        return "diverged"
    return "refused" if isinstance(error, InputError) else "failed"


def read_record(path: Path) -> CellRecord | None:
    """A cell's record; None where there is none that can be read."""
    try:
        return CellRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def fingerprint(cell: Cell, weights: Path | None, bench: Bench) -> str:
    """SHA-256 of all that a cell's numbers depend on, but for the versions."""
    told = {
        "config": cell.run_config().model_dump(mode="json"),
        "weights": file_hash(weights).sha256 if weights else None,
        "data": [state_hash(m) for m in (bench.train, bench.validation, bench.test)],
    }
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _worked(
    cell: Cell, weights: Path | None, bench: Bench, folder: Path, report: Report
) -> dict[str, object]:
    """Train, estimate the test faces, write both; what the record says of it."""
    learned = weights if cell.backbone.init == "random" else None
    config = cell.run_config(str(learned) if learned else None)
    order = Order(
        train=bench.train,
        validation=bench.validation,
        config=config,
        out=folder / "run",
        cache=bench.cache,
        init=None,
        devices=1,
        versions=bench.versions,
    )
    if cell.mode == "frozen":
        claim(bench.cache, described(config, weights))
    begun = any((order.out / name).exists() for name in (RESUME, CHECKPOINT))
    clock = Clock(report)
    if cell.task == "age":
        found = read_checkpoint(train_age(order, clock, stored_only=True))
    else:
        found = read_checkpoint(train_expression(order, clock))
    seconds = None if begun else clock.seconds
    judge = judge_ages if cell.task == "age" else judge_expressions
    judged = judge(found, bench.test, order, report)
    frame = bench.test.frame.drop(columns="path").assign(**judged.columns)
    write_parquet(frame, folder / PREDICTIONS)
    return {
        "status": "done",
        "metrics": judged.metrics,
        "attention": judged.attention,
        "best_step": found.header.provenance.best_step,
        "cost": cost_of(judged.model, config.batch_size, seconds),
        "predictions": file_hash(folder / PREDICTIONS),
    }

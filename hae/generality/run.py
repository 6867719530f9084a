"""The whole grid: every backbone learns once, then cell after cell on what it saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from audit.errors import InputError
from audit.files import write_text
from hae.config import BackboneConfig, RunConfig
from hae.data.core import Manifest
from hae.generality.cells import Bench, CellRecord, failed, run_cell
from hae.generality.grid import OF_EXPRESSIONS, GridConfig, cells
from hae.inference import AgeEstimates
from hae.training.faces import Faces, check_apart, load_faces
from hae.training.labels import IntArray, read_labels
from hae.training.run import Order, Report
from hae.training.train_age import train_age, validation_metrics
from hae.training.train_expression import train_expression
from hae.zoo import model_path

CELLS = "cells.json"
Tell = Callable[[CellRecord], object]
"""Told of each cell that is finished."""


def run_grid(
    grid: GridConfig, bench: Bench, others: Manifest | None, report: Report, tell: Tell
) -> list[CellRecord]:
    """Run every cell, or find it; write ``cells.json`` with all records, in the grid's order.

    Beside them stand the figures of the best constant of each task on the test faces.

    A backbone that cannot learn costs its own cells only.

    Parameters
    ----------
    others : Manifest, optional
        People whom backbones without weights learn from; not those of ``bench``. End to end
        such backbones may also begin at random weights, the same for all cells of a seed.

    Raises
    ------
    InputError
        The parts share people, faces have no labels of a task or other classes in one part than in
        another, or a frozen backbone has no weights and nobody to learn from.
    """
    needy = [backbone.label for backbone in grid.backbones if backbone.init == "random"]
    if needy and others is None and grid.mode == "frozen":
        raise InputError(
            f"backbone {needy[0]!r}: has no weights and nobody to learn from; name its init, or "
            "data of other people"
        )
    constant = checked_constants(grid, bench, others if needy else None)
    records: list[CellRecord] = []
    learned: dict[str, Path | Exception | None] = {}
    for cell in cells(grid):
        name = cell.backbone.label
        if name not in learned:
            learned[name] = _weights(grid, cell.backbone, bench, others, report)
        found = learned[name]
        if isinstance(found, Exception):
            record = failed(cell, "-", found)
        else:
            record = run_cell(cell, found, bench, report)
        tell(record)
        records.append(record)
    rows = [record.model_dump(mode="json") for record in records]
    table = {"constant": constant, "cells": rows}
    write_text(bench.out / CELLS, json.dumps(table, indent=1) + "\n")
    return records


def checked_constants(grid: GridConfig, bench: Bench, others: Manifest | None) -> dict[str, float]:
    """Figures of the best constant of each task; what a task lacks is said before the work."""
    ages = "age" in grid.tasks
    train, _, test, *_ = checked_faces(grid.base, bench, others, (ages, grid.tasks[0] == "age"))
    found = best_constant(train, test) if ages else {}
    if "expression" in grid.tasks:
        labels = read_labels(bench.train)
        read_labels(bench.validation, labels.classes)
        tested = read_labels(bench.test, labels.classes)
        if others is not None and grid.tasks[0] == "expression":
            read_labels(others)
        found |= best_class(labels.of(train.sample), tested.of(test.sample))
    return found


def best_class(train: IntArray, test: IntArray) -> dict[str, float]:
    """The share of the test faces that show the training faces' most frequent expression.

    ``train`` and ``test`` hold class indices.
    """
    return {"accuracy": float((test == np.bincount(train).argmax()).mean())}


def best_constant(train: Faces, test: Faces) -> dict[str, float]:
    """Figures of the test faces for the one age that is nearest to the training faces, in years.

    It has the least mean distance to their ages or bands: the median where ages are exact.
    """
    ends = np.unique(np.concatenate([train.low, train.high]))
    ends = ends[np.isfinite(ends)]
    below = np.array([np.maximum(train.low - age, 0).mean() for age in ends])
    above = np.array([np.maximum(age - train.high, 0).mean() for age in ends])
    age = np.full(len(test), ends[np.argmin(below + above)], dtype=np.float32)
    return validation_metrics(AgeEstimates(age, np.zeros_like(age), None), test)


def checked_faces(
    base: RunConfig, bench: Bench, others: Manifest | None, ages: Sequence[bool] = (True, True)
) -> list[Faces]:
    """Faces of training, validation, test and of the first stage.

    ``ages``: whether they must be known, of the bench and of the first stage.

    Raises
    ------
    InputError
        Two of these share people.
    """
    model, cache = base.model, bench.cache
    parts = [bench.train, bench.validation, bench.test, *([others] if others else [])]
    truth = [ages[0]] * 3 + [ages[1]]
    faces = [
        load_faces(part, model.size, model.keep, cache, truth=known).faces
        for part, known in zip(parts, truth, strict=False)
    ]
    for i, first in enumerate(faces):
        for second, manifest in zip(faces[i + 1 :], parts[i + 1 :], strict=True):
            check_apart(first, second, manifest, parts[i])
    return faces


def _weights(
    grid: GridConfig,
    backbone: BackboneConfig,
    bench: Bench,
    others: Manifest | None,
    report: Report,
) -> Path | Exception | None:
    """The file of what a backbone learned, here from one view of other people, or before.

    None for published or random weights.
    """
    if backbone.init != "random" or others is None:
        named = model_path(backbone.init)
        return named if named.is_file() else None
    base = grid.base.model_dump(mode="json")
    base["model"] |= {"backbone": backbone.model_dump(mode="json") | {"frozen": False}}
    base["model"]["aggregator"] = {"name": "single"}
    base["model"]["views"]["k"] = 1
    base["expression"] |= {"aggregate": False} | OF_EXPRESSIONS["softmax"]
    base["optimizer"]["warmup"] = min(base["optimizer"]["warmup"], grid.stage_one // 10)
    more = {"embed_views": 0, "selection_views": 1, "steps": grid.stage_one}
    order = Order(
        train=others,
        validation=None,
        config=RunConfig.model_validate(base | more | {"name": f"{backbone.label}-first"}),
        out=bench.out / f"{backbone.label}-first",
        cache=bench.cache,
        init=None,
        devices=1,
        versions=bench.versions,
    )
    try:
        return (train_age if grid.tasks[0] == "age" else train_expression)(order, report)
    except (ValueError, MemoryError, RuntimeError) as error:
        return error

"""Training an expression model: labels, noise on purpose, fit, checkpoint, record of the cure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from audit.errors import InputError
from audit.hashing import text_keys
from audit.predictions import predictions_from_frame
from audit.run import audit
from hae.checkpoint import Header, write_checkpoint
from hae.config import CHECKPOINT, ExpressionConfig
from hae.data.label_noise import difficulty_of, flip_labels, sharpness_of, vote_entropy
from hae.inference import ExpressionScores
from hae.models.expression import ExpressionModel
from hae.training.batches import Plan
from hae.training.cure_table import write_cure
from hae.training.evolve import evolve
from hae.training.expression import ExpressionTask
from hae.training.faces import Faces
from hae.training.fit import fit
from hae.training.labels import IntArray, Labels, read_labels
from hae.training.prepare import prepare
from hae.training.relabels import Relabels
from hae.training.run import (
    Order,
    Report,
    begin,
    close_run,
    load_parts,
    open_run,
    provenance,
    stored,
)
from hae.training.stored import embedded
from hae.training.train_age import test_views, view_tensors

FIGURES = ("accuracy", "balanced_accuracy")
"""Figures that a checkpoint keeps."""
AMBIGUITY = "ambiguity"
"""Column of drawn faces: how much of another expression is mixed in, 0 to 1."""
CHUNK = 1024


def train_expression(order: Order, report: Report) -> Path:
    """Train an expression model, or go on with its training, and write its checkpoint.

    Beside it ``training.parquet`` says of every training face what became of its label, and
    ``relabels.csv`` lists the changes; see :mod:`hae.training.cure_table`. The validation people
    keep their labels: noise on purpose is for the training faces alone.

    Raises
    ------
    InputError
        The folder holds another run, a face has no expression, the classes of the two parts
        disagree, votes sum to zero, a part is empty or shares people with the other, the first
        weights do not fit, or the config asks for what only an age model does.
    """
    path = order.out / CHECKPOINT
    if open_run(order, "expression"):
        return path
    labels = read_labels(order.train)
    judged = labels
    if order.validation is not None:
        judged = read_labels(order.validation, labels.classes)
    settings, config = order.config.expression, order.config
    if config.embed_views and not settings.aggregate:
        raise InputError(
            "embed_views: an expression model of one view trains on images; set it to 0, or "
            "expression.aggregate to true"
        )
    if settings.soft_labels and labels.votes is None:
        raise InputError(
            f"expression.soft_labels: data set {order.train.label} has no votes "
            f"(votes_{labels.classes[0]}, ...); set it to false"
        )
    parts = load_parts(order, report, truth=False)
    plan = Plan(parts.train.sample, config.batch_size, config.seed, order.devices)
    _tell_epochs(plan, order, report)
    true = labels.of(parts.train.sample)
    given = noisy(true, parts.train, labels, order)
    torch.manual_seed(config.seed)
    model = ExpressionModel(config.model, settings, len(labels.classes))
    init = begin(model, model.backbone, order, report)
    prepare(model, parts.train, order, report)
    parent = order.parent
    if parent is not None and parent.task == "expression" and parent.classes != labels.classes:
        report.notice(
            f"first weights {init.source}: told {', '.join(parent.classes)}; here the classes are "
            f"{', '.join(labels.classes)}, in this order: the classifier has to learn them anew"
        )
    relabels = Relabels.of(_target(given, labels, parts.train, settings), torch.from_numpy(given))
    truth = judged.of(parts.validation.sample)
    fixed = test_views(config) if settings.aggregate else None
    kept = None if fixed is None else embedded(order, model, parts, fixed, report)
    more = (relabels, truth, fixed, kept)
    task = ExpressionTask(model, config, parts.train, parts.validation, *more)
    fitted = fit(task, config, order.out, devices=order.devices, tell=report.step)
    if fitted.is_main:
        evolve(task, order, report)
        tensors = stored(model.state_dict(), config.storage)
        model.load_state_dict({k: v.to(model.state_dict()[k].dtype) for k, v in tensors.items()})
        device = next(model.parameters()).device
        # from the images: stored features are rounded
        found = replace(task, embedded=None).judged(device)
        header = Header(
            task="expression",
            config=config,
            classes=labels.classes,
            metrics=validation_metrics(found, task.truth, parts.validation, labels.classes),
            provenance=provenance(order, parts, best_step=fitted.best_step, init=init),
        )
        seen = task.learned(device)
        write_cure(order, header, parts.train, relabels, (true, given), seen)
        views = {} if fixed is None else view_tensors(fixed)
        named = {f"model.{name}": v for name, v in tensors.items()}
        write_checkpoint(path, header, {**named, **views})
        close_run(order)
    return path


def _tell_epochs(plan: Plan, order: Order, report: Report) -> None:
    """Say so where the run ends before the first label may change."""
    settings, config = order.config.expression, order.config
    epochs = -(-config.steps * config.accumulate // plan.per_epoch)
    if settings.cure and settings.relabel != "off" and epochs < settings.relabel_from:
        report.notice(
            f"labels may change from epoch {settings.relabel_from} on (expression.relabel_from), "
            f"but the run ends in epoch {epochs} ({plan.per_epoch:,} steps each): none will change"
        )


def noisy(true: IntArray, faces: Faces, labels: Labels, order: Order) -> IntArray:
    """The labels that are given to the network: the true ones, or some flipped on purpose."""
    settings = order.config.expression
    if not settings.label_noise:
        return true.copy()
    difficulty = None
    if settings.noise == "instance":
        difficulty = _difficulty(faces, labels, order)
    return flip_labels(
        true,
        faces.sample,
        len(labels.classes),
        settings.label_noise,
        settings.noise,
        order.config.seed,
        difficulty,
    )


def _difficulty(faces: Faces, labels: Labels, order: Order) -> npt.NDArray[np.float64]:
    """How hard each training face is to label, by blur, and by votes or what was drawn."""
    size = range(0, len(faces), CHUNK)
    sharp = np.concatenate([sharpness_of(faces.pixels(slice(i, i + CHUNK))) for i in size])
    votes, frame = labels.votes_of(faces.sample), order.train.frame
    if votes is not None:
        return difficulty_of(sharp, vote_entropy(votes))
    if AMBIGUITY not in frame.columns:
        return difficulty_of(sharp)
    keys = text_keys(frame["sample_id"].tolist(), "sample")
    by_key = np.argsort(keys, kind="stable")
    place = by_key[np.searchsorted(keys[by_key], faces.sample)]
    drawn = pd.to_numeric(frame[AMBIGUITY], errors="coerce").to_numpy(np.float64)[place]
    wrong = (drawn < 0) | (drawn > 1)
    if wrong.any():
        raise InputError(
            f"data set {order.train.label}: its column {AMBIGUITY!r} holds {drawn[wrong][0]:g}, "
            "must be 0 to 1 (how much of another expression a face shows; noise 'instance' reads "
            "it); rename the column"
        )
    return difficulty_of(sharp, drawn)


def _target(
    given: IntArray, labels: Labels, faces: Faces, settings: ExpressionConfig
) -> torch.Tensor:
    votes = labels.votes_of(faces.sample)
    if settings.soft_labels and votes is not None:
        return torch.from_numpy(votes)
    codes = torch.from_numpy(given)
    return torch.nn.functional.one_hot(codes, len(labels.classes)).float()


def validation_metrics(
    found: ExpressionScores, truth: IntArray, faces: Faces, classes: tuple[str, ...]
) -> dict[str, float]:
    """Overall figures of the validation people, by the audit's own engine, with intervals."""
    names = np.array(classes, dtype=object)
    frame = pd.DataFrame(
        {
            "sample_id": [f"{key:016x}" for key in faces.sample.tolist()],
            "subject_id": [f"{key:016x}" for key in faces.person.tolist()],
            "expression": names[truth],
            "expression_pred": names[found.logits.argmax(axis=1)],
        }
    )
    table = predictions_from_frame(frame, task="expression", classes=list(classes))
    figures: dict[str, float] = {}
    for row in audit(table, n_boot=0).metrics:
        if row.metric in FIGURES and not row.group and row.value is not None:
            figures[row.metric] = row.value
            if row.low is not None and row.high is not None:
                figures |= {f"{row.metric}_low": row.low, f"{row.metric}_high": row.high}
    return figures

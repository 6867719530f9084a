"""Training an age model: first weights, views or embeddings, fit, temperature, checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from audit.errors import InputError
from audit.run import audit
from hae.checkpoint import Header, write_checkpoint
from hae.config import CHECKPOINT, RunConfig
from hae.heads.distribution import fit_temperature
from hae.heads.target import AgeTarget, check_target
from hae.inference import AgeEstimates
from hae.models.age import AgeModel
from hae.training.age import AgeTask
from hae.training.batches import Plan
from hae.training.evolve import evolve
from hae.training.faces import Faces
from hae.training.fit import fit
from hae.training.prepare import prepare
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
from hae.views import ViewParams, fixed_views, plain_view

EXACT, BANDS = ("mae", "bias", "cs5"), ("band_distance", "within_band_accuracy")
"""Figures that a checkpoint keeps, by how the ages are known."""


def train_age(order: Order, report: Report, *, stored_only: bool = False) -> Path:
    """Train an age model, or go on with its training, and write its checkpoint.

    ``stored_only``: the temperature and the figures of a model on stored features are of these too,
    which are rounded, and of the backbone before its weights were; default: of the images.

    Raises
    ------
    InputError
        The folder holds another run, a face has no age or one that no bin holds, a part of the
        split is empty or shares people with the other, or the first weights do not fit.
    """
    path = order.out / CHECKPOINT
    if open_run(order, "age"):
        return path
    parts = load_parts(order, report, truth=True)
    # Too large a batch is said before the long work.
    Plan(parts.train.sample, order.config.batch_size, order.config.seed, order.devices)
    for faces in (parts.train, parts.validation):
        check_target(_target(faces), order.config.model.head)
    torch.manual_seed(order.config.seed)
    model = AgeModel(order.config.model)
    init = begin(model, model.backbone, order, report)
    prepare(model, parts.train, order, report)
    views = test_views(order.config)
    stored_views = embedded(order, model, parts, views, report)
    task = AgeTask(model, order.config, parts.train, parts.validation, views, stored_views)
    fitted = fit(task, order.config, order.out, devices=order.devices, tell=report.step)
    if fitted.is_main:
        evolve(task, order, report)
        made = provenance(order, parts, best_step=fitted.best_step, init=init)
        tensors = stored(model.state_dict(), order.config.storage)
        model.load_state_dict({k: v.to(model.state_dict()[k].dtype) for k, v in tensors.items()})
        last = task if stored_only else replace(task, embedded=None)
        found = last.estimates(next(model.parameters()).device)
        header = Header(
            task="age",
            config=order.config,
            temperature=_temperature(found, parts.validation, order.config),
            metrics=validation_metrics(found, parts.validation),
            provenance=made,
        )
        write_checkpoint(path, header, {**_named("model", tensors), **view_tensors(views)})
        close_run(order)
    return path


def test_views(config: RunConfig) -> ViewParams:
    """The views of validation and prediction: K fixed ones, or the plain face for a single view.

    One view drawn at random may lack a corner or be turned; nothing averages that out, and the
    paper's network of one view is judged on the plain face too.
    """
    if config.model.aggregator.name == "single":
        return plain_view()
    return fixed_views(config.model.views, seed=config.seed_of_views)


def view_tensors(views: ViewParams) -> dict[str, torch.Tensor]:
    """The fixed views, as a checkpoint stores them."""
    return _named("views", {"theta": views.theta, "colour": views.colour, "box": views.box})


def _named(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def _target(faces: Faces) -> AgeTarget:
    return AgeTarget(torch.from_numpy(faces.low), torch.from_numpy(faces.high))


def _temperature(found: AgeEstimates, faces: Faces, config: RunConfig) -> float:
    if found.logits is None:
        return 1.0
    return fit_temperature(
        torch.from_numpy(found.logits),
        torch.from_numpy(found.age),
        torch.from_numpy(faces.low),
        torch.from_numpy(faces.high),
        config.model.head,
    )


def validation_metrics(found: AgeEstimates, faces: Faces) -> dict[str, float]:
    """Overall figures of the validation people, by the audit's own engine, with their intervals.

    ``mae`` and ``bias`` in years and the share within 5 years, or for bands the distance to the
    band in years and the share within it.
    """
    exact = bool((faces.low == faces.high).all())
    shown = EXACT if exact else BANDS
    truth = (
        {"age": faces.low.astype(np.float64)}
        if exact
        else {"age_low": faces.low.astype(np.float64), "age_high": faces.high.astype(np.float64)}
    )
    frame = pd.DataFrame(
        {
            "sample_id": [f"{key:016x}" for key in faces.sample.tolist()],
            "subject_id": [f"{key:016x}" for key in faces.person.tolist()],
            "age_pred": found.age.astype(np.float64),
            **truth,
        }
    )
    result = audit(frame, task="age", by=(), n_boot=0)  # overall figures alone
    figures: dict[str, float] = {}
    for row in result.metrics:
        if row.metric in shown and not row.group and row.value is not None:
            figures[row.metric] = row.value
            if row.low is not None and row.high is not None:
                figures |= {f"{row.metric}_low": row.low, f"{row.metric}_high": row.high}
    if not figures:
        raise InputError("the validation faces give no figure; give more people")
    return figures

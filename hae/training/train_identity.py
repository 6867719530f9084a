"""Training a backbone on identities: first weights, fit, checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from audit.errors import InputError
from audit.predictions import predictions_from_frame
from audit.run import audit
from hae.checkpoint import Header, write_checkpoint
from hae.config import CHECKPOINT
from hae.models.identity import IdentityModel
from hae.training.faces import Faces
from hae.training.fit import fit
from hae.training.identity import IdentityTask, hold_out_photos
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

ERROR = "identification_error"


def train_identity(order: Order, report: Report) -> Path:
    """Train a backbone to tell people apart, or go on with it, and write its checkpoint.

    It is judged on held-out photos of the people that it learns: the paper splits images here.

    Raises
    ------
    InputError
        The folder holds another run, the backbone is frozen, a validation split is named, fewer
        than two people have two photos, or the first weights do not fit.
    """
    if order.validation is not None:
        raise InputError(
            f"--val-split {order.validation.split}: identity is judged on other photos of the "
            "people that it learns; leave it out"
        )
    if order.config.model.backbone.frozen:
        raise InputError(
            "model.backbone.frozen: identity training is for the backbone; set it to false"
        )
    path = order.out / CHECKPOINT
    if open_run(order, "identity"):
        return path
    parts = load_parts(order, report, truth=False, split=hold_out_photos)
    config = order.config
    torch.manual_seed(config.seed)
    model = IdentityModel(config.model, config.identity, parts.train.people)
    init = begin(model, model.backbone, order, report)
    task = IdentityTask(model, config, parts.train, parts.validation)
    fitted = fit(task, config, order.out, devices=order.devices, tell=report.step)
    if fitted.is_main:
        tensors = stored(model.state_dict(), config.storage)
        model.load_state_dict({k: v.to(model.state_dict()[k].dtype) for k, v in tensors.items()})
        model.eval()
        found = task.mistaken(next(model.parameters()).device)
        header = Header(
            task="identity",
            config=config,
            metrics=identity_metrics(found, parts.validation),
            provenance=provenance(order, parts, best_step=fitted.best_step, init=init),
        )
        write_checkpoint(path, header, {f"model.{name}": v for name, v in tensors.items()})
        close_run(order)
    return path


def identity_metrics(mistaken: npt.NDArray[np.bool_], faces: Faces) -> dict[str, float]:
    """Share of photos taken for another person, with the audit's interval by person.

    One minus the accuracy of a classifier whose truth is always the first of two classes.
    """
    frame = pd.DataFrame(
        {
            "sample_id": [f"{key:016x}" for key in faces.sample.tolist()],
            "subject_id": [f"{key:016x}" for key in faces.person.tolist()],
            "expression": "own",
            "expression_pred": np.where(mistaken, "another", "own"),
        }
    )
    table = predictions_from_frame(frame, task="expression", classes=["own", "another"])
    result = audit(table, n_boot=0)
    row = next(row for row in result.metrics if row.metric == "accuracy" and not row.group)
    figures = {ERROR: float(mistaken.mean())}
    if row.low is not None and row.high is not None:
        figures |= {f"{ERROR}_low": 1 - row.high, f"{ERROR}_high": 1 - row.low}
    return figures

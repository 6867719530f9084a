"""What a trained cell says of the test faces: columns of its table, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax

from audit.hashing import text_keys
from hae.adapters.checkpoint import age_model, expression_model
from hae.checkpoint import Checkpoint
from hae.data.core import Manifest, state_hash
from hae.generality.attention import Attention, attention_of
from hae.generality.cost import Model
from hae.inference import estimate_faces, score_faces
from hae.training.faces import Faces, load_faces
from hae.training.labels import read_labels
from hae.training.run import Order, Report
from hae.training.stored import Stored, store_views, stored_estimates, stored_scores
from hae.training.train_age import validation_metrics
from hae.training.train_expression import validation_metrics as expression_metrics
from hae.views import ViewParams


@dataclass(frozen=True, eq=False)
class Judged:
    """``columns`` in the order of the test table; ``metrics`` of the readable faces.

    ``attention`` of an age model on stored views.
    """

    model: Model
    columns: Mapping[str, npt.NDArray[np.generic]]
    metrics: dict[str, float]
    attention: tuple[Attention, ...] = ()


def judge_ages(found: Checkpoint, test: Manifest, order: Order, report: Report) -> Judged:
    """Estimate the ages of the test faces."""
    model = age_model(found, order.out).to(_device())
    faces, views = _faces(model, test, order, report, truth=True), _views(found)
    seen = _seen(model, faces, found, test, order, report)
    looked: tuple[Attention, ...] = ()
    if seen is None:
        ages = estimate_faces(model, faces.pixels, len(faces), views, _device())
    else:
        ages = stored_estimates(model, seen, _device())
        looked = attention_of(model, seen, faces, _device())
    place = _places(test, faces)
    column = np.where(place < 0, np.nan, ages.age.astype(np.float64)[place])
    return Judged(model, {"age_pred": column}, validation_metrics(ages, faces), looked)


def judge_expressions(found: Checkpoint, test: Manifest, order: Order, report: Report) -> Judged:
    """Tell the expressions of the test faces."""
    model, classes = expression_model(found, order.out).to(_device()), found.header.classes
    truth = read_labels(test, classes)
    faces, views = _faces(model, test, order, report, truth=False), _views(found)
    seen = _seen(model, faces, found, test, order, report)
    if seen is None:
        scores = score_faces(model, faces.pixels, len(faces), _device(), views)
    else:
        scores = stored_scores(model, seen, _device())
    place = _places(test, faces)
    names = np.array(classes, dtype=object)[scores.scaled.argmax(axis=1)]
    proba = softmax(scores.scaled.astype(np.float64), axis=1)[place]
    proba[place < 0] = np.nan
    told: npt.NDArray[np.object_] = names[place]
    told[place < 0] = None
    columns = {"expression_pred": told}
    columns |= {f"prob_{name}": proba[:, c] for c, name in enumerate(classes)}
    metrics = expression_metrics(scores, truth.of(faces.sample), faces, classes)
    return Judged(model, columns, metrics)


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _views(found: Checkpoint) -> ViewParams:
    return ViewParams(**found.part("views"))


def _faces(model: Model, test: Manifest, order: Order, report: Report, *, truth: bool) -> Faces:
    done, config = report.stage(f"faces of {test.label}", len(test)), model.config
    return load_faces(test, config.size, config.keep, order.cache, truth=truth, progress=done).faces


def _seen(
    model: Model, faces: Faces, found: Checkpoint, test: Manifest, order: Order, report: Report
) -> Stored | None:
    """Stored views of the test faces, which frozen cells share; None for others."""
    run, state = found.header.config, state_hash(test)
    if not run.embed_views:
        return None
    views = _views(found)
    return store_views(model, faces, "test", state, views, run, order.cache, report.stage)


def _places(test: Manifest, faces: Faces) -> npt.NDArray[np.int64]:
    """Each row's place among the readable faces; -1 where its image could not be read."""
    keys = text_keys(test.frame["sample_id"].tolist(), "sample")
    place = np.searchsorted(faces.sample, keys).clip(0, len(faces) - 1)
    return np.where(faces.sample[place] == keys, place, -1)

"""What a frozen backbone saw of some faces, stored once: to train on, and to judge with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hae.config import RunConfig
from hae.inference import (
    AgeEstimates,
    ExpressionScores,
    chunk_size,
    filled_seen,
    in_chunks,
    scores_in_chunks,
)
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel, Scores
from hae.models.neck import Seen
from hae.training.embed import (
    Features,
    Kind,
    Network,
    choose_views,
    embed,
    kept_features,
    kept_regions,
)
from hae.training.faces import Faces
from hae.training.run import Order, Parts, Report
from hae.views import ViewParams, draw_views, plain_view

IntArray = npt.NDArray[np.int64]
Stage = Callable[[str, int], Callable[[int], object]]
"""Told that a piece of work begins; the answer is told of further parts done."""


@dataclass(frozen=True, eq=False)
class Stored:
    """Features (n, V, d_b), and regions where the aggregator uses them, of n faces.

    Those of the plain face (n, 1, r, c), or ``each`` view's own (n, V, r, c).
    """

    features: Features
    regions: Features | None = None
    each: bool = False

    def of(self, rows: IntArray, views: IntArray) -> Seen:
        """Views (b, k) of some faces (b,), on the CPU in float32."""
        seen = None
        if self.regions is not None:
            chosen = self.regions[rows[:, None], views] if self.each else self.regions[rows, 0]
            seen = _tensor(chosen)
        return Seen(_tensor(self.features[rows[:, None], views]), seen)


@dataclass(frozen=True, eq=False)
class Embedded:
    """The training faces in V views, and the validation faces in the fixed ones."""

    train: Stored
    validation: Stored

    def drawn(self, faces: Faces, rows: IntArray, epoch: int, config: RunConfig) -> Seen:
        """K of the V views of some training faces, as an epoch draws them."""
        n_views, k = config.embed_views, config.model.views.k
        return self.train.of(rows, choose_views(faces, rows, epoch, config.seed, n_views, k))


def as_batch(seen: Seen) -> dict[str, Tensor]:
    """What was seen, as part of a batch."""
    found = {"features": seen.features}
    return found if seen.regions is None else found | {"regions": seen.regions}


def of_batch(batch: Mapping[str, Tensor]) -> Seen | None:
    """What a batch holds of it; None for one of images."""
    return Seen(batch["features"], batch.get("regions")) if "features" in batch else None


def embedded(
    order: Order, model: Network, parts: Parts, views: ViewParams, report: Report
) -> Embedded | None:
    """Every face through the frozen backbone once: V views for training, the fixed ones to judge.

    None where the config does not ask for it.
    """
    config = order.config
    if not config.embed_views:
        return None
    model.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    more = (config, order.cache, report.stage)
    return Embedded(
        store_views(model, parts.train, "training", order.states[0], None, *more),
        store_views(model, parts.validation, "validation", order.states[-1], views, *more),
    )


def store_views(
    model: Network,
    faces: Faces,
    name: str,
    state: str,
    fixed: ViewParams | None,
    config: RunConfig,
    cache: Path,
    stage: Stage,
) -> Stored:
    """Every face through the frozen backbone, or what was stored of it.

    Parameters
    ----------
    model : Network
        On its device.
    faces : Faces
        Whom to look at; ``name`` is what to call them, ``state`` the hash of the data they are of.
    fixed : ViewParams, optional
        The views; none: the ``embed_views`` random ones of each face.
    """
    device = next(model.parameters()).device
    mode = model.training
    model.eval()

    def run(what: str, own: ViewParams | None, kind: Kind) -> Features:
        done = stage(f"embedding {what} of the {name} faces", len(faces))
        if own is not None:
            recipe = f"fixed {_print_of(own)} {state}"
            return embed(model, faces, lambda keys: own, own.k, recipe, cache, device, done, kind)
        many = config.model.views.model_copy(update={"k": config.embed_views})
        seed = config.seed_of_views
        text = json.dumps([many.model_dump(mode="json"), seed], sort_keys=True)

        def drawn(keys: IntArray) -> ViewParams:
            return draw_views(torch.from_numpy(keys), many, seed=seed, epoch=0)

        recipe = f"drawn {text} {state}"
        return embed(model, faces, drawn, config.embed_views, recipe, cache, device, done, kind)

    kind = config.model.aggregator.regions
    features, regions = run("views", fixed, kept_features(model)), None
    if kind != "none":
        regions = run("regions", plain_view() if kind == "face" else fixed, kept_regions(model))
    model.train(mode)
    return Stored(features, regions, each=kind == "view")


def stored_estimates(
    model: AgeModel, stored: Stored, device: torch.device, k: int | None = None
) -> AgeEstimates:
    """Estimates of stored faces from their first k views (default: all)."""
    n = len(stored.features)
    return in_chunks(model, _first_views(stored, device, k), n, chunk_size(device))


def stored_scores(
    model: ExpressionModel, stored: Stored, device: torch.device, k: int | None = None
) -> ExpressionScores:
    """Expression scores of stored faces from their first k views (default: all)."""
    seen, chunk = _first_views(stored, device, k), chunk_size(device)

    def scores(start: int, stop: int) -> Scores:
        return model.from_seen(filled_seen(seen(start, stop), stop - start, chunk))

    return scores_in_chunks(scores, len(stored.features), chunk)


def _first_views(stored: Stored, device: torch.device, k: int | None) -> Callable[[int, int], Seen]:
    views = stored.features.shape[1]
    first = np.arange(views if k is None else min(k, views))[None]

    def seen(start: int, stop: int) -> Seen:
        found = stored.of(np.arange(start, stop), first)
        regions = None if found.regions is None else found.regions.to(device)
        return Seen(found.features.to(device), regions)

    return seen


def _tensor(found: Features) -> Tensor:
    return torch.from_numpy(found.astype(np.float32))


def _print_of(views: ViewParams) -> str:
    parts = (views.theta, views.colour, views.box)
    return sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()

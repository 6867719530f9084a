"""The task of telling expressions, as the loop wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hae.config import RunConfig
from hae.inference import ExpressionScores, network_input, score_faces
from hae.models.expression import ExpressionModel, Scores
from hae.training.batches import Batches, FloatArray, run_batches
from hae.training.faces import Faces
from hae.training.relabels import Relabels
from hae.training.stored import Embedded, as_batch, of_batch, stored_scores
from hae.views import ViewParams, draw_views, first_views

IntArray = npt.NDArray[np.int64]


@dataclass(eq=False)
class ExpressionTask:
    """A network, its faces and their labels, of which the training faces' may change.

    Each step sees every face of its batch in one random view, the first of the config's K;
    validation sees the face as it is. With ``fixed`` views the model combines K of them: random
    ones in each step, these in validation. With ``embedded`` the steps draw K of the V stored
    views.
    """

    model: ExpressionModel
    config: RunConfig
    train: Faces
    validation: Faces
    relabels: Relabels
    """The labels of the training faces, in their order."""
    truth: IntArray
    """The classes of the validation faces."""
    fixed: ViewParams | None = None
    embedded: Embedded | None = None

    def __post_init__(self) -> None:
        self.drawn = self.config.model.views
        if self.fixed is None:
            self.drawn = self.drawn.model_copy(update={"k": 1})
        self.weights: FloatArray | None = None
        if self.config.expression.balanced:
            # once: a resumed run draws its faces by the labels of the beginning, as the whole one
            label = self.relabels.label.cpu().numpy()
            self.weights = 1.0 / np.bincount(label)[label]

    def batches(self, world: int, rank: int) -> Batches:
        """The training batches of one process."""
        return run_batches(self.train.sample, self.fetch, self.config, world, rank, self.weights)

    def fetch(self, rows: IntArray, epoch: int) -> dict[str, Any]:
        """The batch of some training faces."""
        faces = self.train
        batch = {"row": torch.from_numpy(np.ascontiguousarray(rows)), "epoch": epoch}
        if self.embedded is not None:
            return batch | as_batch(self.embedded.drawn(faces, rows, epoch, self.config))
        return batch | {
            "pixels": torch.from_numpy(faces.pixels(rows)),
            "key": torch.from_numpy(faces.sample[rows].view(np.int64)),
        }

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The terms of the loss; afterwards labels may have changed."""
        rows, settings = batch["row"], self.config.expression
        self.relabels.to(rows.device)
        scores = self._scores(batch)
        target = self.relabels.target[rows]
        if settings.label_smoothing:
            even = settings.label_smoothing / target.shape[1]
            target = (1 - settings.label_smoothing) * target + even
        terms = self.model.losses(scores, target)
        if settings.cure:
            self.relabels.see(rows, scores, batch["epoch"], settings)
        return terms

    def costs(self, batch: dict[str, Any]) -> Tensor:
        """Cross-entropy of each face with its label as it is now, (b,)."""
        target = self.relabels.target.to(batch["row"].device)[batch["row"]]
        return self.model.costs(self._scores(batch), target)

    def _scores(self, batch: dict[str, Any]) -> Scores:
        seen = of_batch(batch)
        if seen is not None:
            return self.model.from_seen(seen)
        views = draw_views(batch["key"], self.drawn, seed=self.config.seed, epoch=batch["epoch"])
        images, plain = network_input(self.config.model, batch["pixels"], views)
        several = self.fixed is not None
        found: Scores = self.model(images, plain) if several else self.model(images.flatten(0, 1))
        return found

    def validate(self, device: torch.device) -> dict[str, float]:
        """Share of the validation faces that are taken for another class."""
        found = self.judged(device, self.config.selection_views)
        wrong = found.logits.argmax(axis=1) != self.truth
        return {"error": float(wrong.mean())}

    def judged(self, device: torch.device, k: int | None = None) -> ExpressionScores:
        """Scores of the validation faces as they are, or from the first k of the fixed views."""
        if self.embedded is not None:
            return stored_scores(self.model, self.embedded.validation, device, k)
        return self._of(self.validation, device, k)

    def learned(self, device: torch.device) -> ExpressionScores:
        """The same of the training faces; of stored ones from the first K of their own views."""
        if self.embedded is not None:
            k = self.config.model.views.k
            return stored_scores(self.model, self.embedded.train, device, k)
        return self._of(self.train, device)

    def _of(self, faces: Faces, device: torch.device, k: int | None = None) -> ExpressionScores:
        views = None if self.fixed is None else first_views(self.fixed, k)
        return score_faces(self.model, faces.pixels, len(faces), device, views)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know beyond its weights."""
        return self.relabels.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take it up again."""
        self.relabels.load_state_dict(state)

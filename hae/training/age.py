"""The task of estimating age, as the loop wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hae.config import RunConfig
from hae.heads.target import AgeTarget
from hae.inference import AgeEstimates, estimate_faces, network_input
from hae.models.age import AgeModel, Output
from hae.training.batches import Batches, run_batches
from hae.training.faces import Faces
from hae.training.stored import Embedded, as_batch, of_batch, stored_estimates
from hae.views import ViewParams, draw_views, first_views

IntArray = npt.NDArray[np.int64]


@dataclass(eq=False)
class AgeTask:
    """A network, its faces, and how it is trained and judged on them.

    With ``embedded`` the steps draw K of the V stored views; else views are made in each step.
    """

    model: AgeModel
    config: RunConfig
    train: Faces
    validation: Faces
    views: ViewParams
    """The fixed views of validation and prediction."""
    embedded: Embedded | None = None

    def batches(self, world: int, rank: int) -> Batches:
        """The training batches of one process."""
        return run_batches(self.train.sample, self.fetch, self.config, world, rank)

    def fetch(self, rows: IntArray, epoch: int) -> dict[str, Any]:
        """The batch of some training faces."""
        faces = self.train
        batch: dict[str, Any] = {
            "low": torch.from_numpy(faces.low[rows]),
            "high": torch.from_numpy(faces.high[rows]),
            "epoch": epoch,
        }
        if self.embedded is None:
            batch["pixels"] = torch.from_numpy(faces.pixels(rows))
            batch["key"] = torch.from_numpy(faces.sample[rows].view(np.int64))
        else:
            batch |= as_batch(self.embedded.drawn(faces, rows, epoch, self.config))
        return batch

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """The terms of the loss; ``total`` is minimised."""
        return self.model.losses(self._output(batch), AgeTarget(batch["low"], batch["high"]))

    def costs(self, batch: dict[str, Any]) -> Tensor:
        """|error| / 5 years of each face, (b,)."""
        return self.model.costs(self._output(batch), AgeTarget(batch["low"], batch["high"]))

    def _output(self, batch: dict[str, Any]) -> Output:
        seen = of_batch(batch)
        if seen is not None:
            return self.model.from_seen(seen)
        drawn = draw_views(
            batch["key"], self.config.model.views, seed=self.config.seed, epoch=batch["epoch"]
        )
        found: Output = self.model(*network_input(self.config.model, batch["pixels"], drawn))
        return found

    def validate(self, device: torch.device) -> dict[str, float]:
        """Mean distance in years from the estimate to the truth, 0 inside a band."""
        k = min(self.config.selection_views, self.views.k)
        return {"distance": float(distance(self.estimates(device, k), self.validation).mean())}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: all is in the weights."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""

    def estimates(self, device: torch.device, k: int | None = None) -> AgeEstimates:
        """Estimates of the validation faces from the first k of the fixed views (default: all)."""
        few = first_views(self.views, k)
        if self.embedded is None:
            faces = self.validation
            return estimate_faces(self.model, faces.pixels, len(faces), few, device)
        return stored_estimates(self.model, self.embedded.validation, device, k)


def distance(estimates: AgeEstimates, faces: Faces) -> npt.NDArray[np.float32]:
    """Years from each estimate to the truth: |error| for an exact age, 0 inside a band."""
    below, above = faces.low - estimates.age, estimates.age - faces.high
    outside: npt.NDArray[np.float32] = np.maximum(np.maximum(below, above), 0.0)
    return outside

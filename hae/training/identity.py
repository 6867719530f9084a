"""The task of telling people apart, as the loop wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from audit.errors import InputError
from audit.hashing import Keys, uniforms
from hae.config import RunConfig, ViewsConfig
from hae.inference import chunk_size, filled, view_tensor
from hae.models.identity import IdentityModel
from hae.precision import exact
from hae.training.batches import Batches, run_batches
from hae.training.faces import Faces
from hae.views import ViewParams, draw_views, plain_view

IntArray = npt.NDArray[np.int64]
LEAST = 2
"""People with several photos, and photos of each, without which there is nothing to tell apart."""


@dataclass(eq=False)
class IdentityTask:
    """A network, the people it learns, and other photos of them to judge it by.

    Each step sees every photo of its batch in one random view, the first of the config's K;
    validation sees the face as it is.
    """

    model: IdentityModel
    config: RunConfig
    train: Faces
    validation: Faces

    def __post_init__(self) -> None:
        self.people: Keys = np.unique(self.train.person)
        self.one_view: ViewsConfig = self.config.model.views.model_copy(update={"k": 1})

    def batches(self, world: int, rank: int) -> Batches:
        """The training batches of one process."""
        return run_batches(self.train.sample, self._fetch, self.config, world, rank)

    def _fetch(self, rows: IntArray, epoch: int) -> dict[str, Any]:
        faces = self.train
        return {
            "pixels": torch.from_numpy(faces.pixels(rows)),
            "key": torch.from_numpy(faces.sample[rows].view(np.int64)),
            "person": torch.from_numpy(self._classes(faces.person[rows])),
            "epoch": epoch,
        }

    def _classes(self, person: Keys) -> IntArray:
        """The number of each person among those that are learned."""
        return np.searchsorted(self.people, person)

    def losses(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """ArcFace's loss as ``total``."""
        views = draw_views(batch["key"], self.one_view, seed=self.config.seed, epoch=batch["epoch"])
        return {"total": self.model(self._images(batch["pixels"], views), batch["person"]).loss}

    def _images(self, pixels: Tensor, views: ViewParams) -> Tensor:
        """Normalised images (b, 3, size, size) of faces (b, s, s, 3) uint8, one view of each."""
        return view_tensor(self.config.model, pixels, views).flatten(0, 1)

    def validate(self, device: torch.device) -> dict[str, float]:
        """Share of the validation photos whose nearest centre is another person's."""
        return {"identification_error": float(self.mistaken(device).mean())}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: all is in the weights."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""

    @torch.inference_mode()
    def mistaken(self, device: torch.device) -> npt.NDArray[np.bool_]:
        """Whether the nearest centre is another person's, for each validation photo."""
        faces, chunk, parts = self.validation, chunk_size(device), []
        people, view = torch.from_numpy(self._classes(faces.person)), plain_view().to(device)
        for start in range(0, len(faces), chunk):
            part = slice(start, min(start + chunk, len(faces)))
            pixels = filled(torch.from_numpy(faces.pixels(part)).to(device), chunk)
            own = filled(people[part].to(device), chunk)
            with exact():
                nearest = self.model(self._images(pixels, view), own).logits.argmax(dim=1)
            parts.append((nearest != own)[: part.stop - start].cpu().numpy())
        return np.concatenate(parts)


def hold_out_photos(faces: Faces, share: float, seed: int, place: str) -> tuple[Faces, Faces]:
    """Split by photo: about ``share`` of the photos go to the second part, never a person's last.

    Which are held out is a hash of the photo and the seed: rows may come in any order.

    Raises
    ------
    InputError
        Fewer than two people have two photos, or no photo is held out.
    """
    _, person, photos = np.unique(faces.person, return_inverse=True, return_counts=True)
    several = int((photos >= LEAST).sum())
    if several < LEAST:
        raise InputError(
            f"{place}: {several} of {len(photos):,} people have {LEAST} photos or more, identity "
            f"needs {LEAST} such people; say whose face it is with --map subject_id=COLUMN, or "
            "take other data"
        )
    draws = uniforms(faces.sample, seed, 0)
    last = np.zeros(len(photos))
    np.maximum.at(last, person, draws)  # each person's largest draw stays
    out = (draws < share) & (draws < last[person])
    if not out.any():
        raise InputError(
            f"{place}: holding out {share:g} of {len(faces)} photos leaves no validation photo; "
            "give more photos or a larger share (validation)"
        )
    return faces.take(~out), faces.take(out)

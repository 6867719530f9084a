"""Faces through a trained network: what prediction, validation and selection share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hae.config import AgeModelConfig
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel, Scores
from hae.models.neck import Seen
from hae.precision import exact
from hae.views import ViewParams, apply_views, plain_view

CPU_CHUNK, CUDA_CHUNK = 16, 64
CPU_VIEWS, CUDA_VIEWS = 32, 1024
"""Faces, and views, that a run of the network takes at most: a CPU's cache holds 32 views, and 256
are a third slower. It is always filled up, so that a face's numbers do not depend on how the faces
are grouped: the kernels choose their order of summation by the size."""
FloatArray = npt.NDArray[np.float32]
Pixels = Callable[[slice], npt.NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class AgeEstimates:
    """What the network says of n faces.

    ``age`` (n,) in years; ``view_std`` (n,): SD over the K views of the estimate from each alone;
    ``logits`` (n, g, C): what the head says of its classes, for every prediction that is averaged;
    None for a plain regression.
    """

    age: FloatArray
    view_std: FloatArray
    logits: FloatArray | None

    def __len__(self) -> int:
        return len(self.age)


@dataclass(frozen=True, eq=False)
class ExpressionScores:
    """``logits`` (n, C), unscaled, and ``importance`` (n,); ``scaled`` (n, C) is their product."""

    logits: FloatArray
    importance: FloatArray

    @property
    def scaled(self) -> FloatArray:
        """Logits whose softmax is what the model says."""
        return self.importance[:, None] * self.logits


@torch.inference_mode()
def score_faces(
    model: ExpressionModel,
    pixels: Pixels,
    n: int,
    device: torch.device,
    views: ViewParams | None = None,
) -> ExpressionScores:
    """Expression scores of n faces as they are, in fp32; ``pixels`` as in ``estimate_faces``.

    ``views``: the fixed ones that a model with an aggregator combines.
    """
    view = (plain_view() if views is None else views).to(device)
    chunk = chunk_size(device, view.k)

    def scores(start: int, stop: int) -> Scores:
        part = torch.from_numpy(pixels(slice(start, stop))).to(device)
        images, plain = network_input(model.config, filled(part, chunk), view)
        found: Scores = model(images.flatten(0, 1)) if views is None else model(images, plain)
        return found

    return scores_in_chunks(scores, n, chunk)


@torch.inference_mode()
def scores_in_chunks(scores: Callable[[int, int], Scores], n: int, chunk: int) -> ExpressionScores:
    """Expression scores from ``scores(start, stop)``, a chunk of faces at a time."""
    logits, importance = [], []
    with exact():
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            found = scores(start, stop)
            logits.append(_array(found.logits)[: stop - start])
            importance.append(_array(found.importance)[: stop - start])
    return ExpressionScores(np.concatenate(logits), np.concatenate(importance))


def chunk_size(device: torch.device, k: int = 1) -> int:
    """Faces per run of the network on a device."""
    if device.type == "cuda":
        return min(CUDA_CHUNK, max(1, CUDA_VIEWS // k))
    return min(CPU_CHUNK, max(1, CPU_VIEWS // k))


@torch.inference_mode()
def estimate_faces(
    model: AgeModel, pixels: Pixels, n: int, views: ViewParams, device: torch.device
) -> AgeEstimates:
    """Estimate the ages of n faces from fixed views, in fp32.

    ``pixels(rows)`` gives some of them, (b, s, s, 3) uint8 RGB.
    """
    on_device, chunk = views.to(device), chunk_size(device, views.k)

    def seen(start: int, stop: int) -> Seen:
        faces = filled(torch.from_numpy(pixels(slice(start, stop))).to(device), chunk)
        return model.see(*network_input(model.config, faces, on_device))

    return in_chunks(model, seen, n, chunk)


def filled(rows: Tensor, n: int) -> Tensor:
    """The rows and zeros below, n in all."""
    return torch.cat([rows, rows.new_zeros(n - len(rows), *rows.shape[1:])])


def view_tensor(config: AgeModelConfig, faces: Tensor, views: ViewParams) -> Tensor:
    """Views (b, k, 3, size, size) of faces (b, s, s, 3) uint8, as the network wants them."""
    return apply_views(
        faces.permute(0, 3, 1, 2),
        views,
        size=config.size,
        mean=config.mean,
        std=config.std,
        channels_last=True,
    )


def network_input(
    config: AgeModelConfig, faces: Tensor, views: ViewParams
) -> tuple[Tensor, Tensor | None]:
    """Views (b, k, 3, size, size) and, for an aggregator that uses their regions, plain faces."""
    images = view_tensor(config, faces, views)
    if config.aggregator.regions != "face":
        return images, None
    return images, view_tensor(config, faces, plain_view().to(faces.device))


@torch.inference_mode()
def in_chunks(
    model: AgeModel, seen: Callable[[int, int], Seen], n: int, chunk: int
) -> AgeEstimates:
    """Estimate ages from ``seen(start, stop)``, a chunk of faces at a time; more are left out."""
    parts = []
    with exact():
        for start in range(0, n, chunk):
            stop = min(start + chunk, n)
            parts.append(_of_seen(model, seen(start, stop), stop - start, chunk))
    return _joined(parts)


def filled_seen(found: Seen, b: int, chunk: int) -> Seen:
    """What was seen of the first b faces, and zeros below."""
    regions = None if found.regions is None else filled(found.regions[:b], chunk)
    return Seen(filled(found.features[:b], chunk), regions)


def _of_seen(model: AgeModel, found: Seen, b: int, chunk: int) -> AgeEstimates:
    whole = filled_seen(found, b, chunk)
    output = model.from_seen(whole)
    logits = output.raw.get("logits")
    alone = model.view_ages(whole)  # (b, k)
    return AgeEstimates(
        _array(output.age)[:b],
        _array(alone.std(dim=1, correction=0))[:b],
        None if logits is None else _array(logits.view(chunk, output.groups, -1))[:b],
    )


def _array(values: Tensor) -> FloatArray:
    return values.float().cpu().numpy()


def _joined(parts: list[AgeEstimates]) -> AgeEstimates:
    logits = [part.logits for part in parts if part.logits is not None]
    return AgeEstimates(
        np.concatenate([part.age for part in parts]),
        np.concatenate([part.view_std for part in parts]),
        np.concatenate(logits) if logits else None,
    )

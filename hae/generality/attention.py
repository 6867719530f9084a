"""What a trained model attends to: the mean over faces, as shares of views and of regions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from audit.generality.record import Placed
from hae.aggregate.shares import Over, shares
from hae.backbones.stn import SpatialTransformer
from hae.config import Strict
from hae.inference import chunk_size
from hae.models.age import AgeModel
from hae.models.neck import Seen
from hae.training.faces import Faces
from hae.training.stored import Stored
from hae.where.looks import on_the_face

FEWEST = 20
"""People; a mean over fewer tells of single ones."""
SIDE = 32
FloatArray = npt.NDArray[np.float64]


class Attention(Strict):
    """Shares of the attention, which sum to 1: of each view, or of each region row by row.

    Means over ``n_faces`` faces of ``n_people``. ``placed``: regions are the places of a map of the
    face, of a map of a crop of it (a view, which may be flipped and turned too), or of no map.
    """

    over: Over
    weights: tuple[float, ...]
    n_faces: int
    n_people: int
    placed: Placed = "face"


@torch.inference_mode()
def attention_of(
    model: AgeModel, stored: Stored, faces: Faces, device: torch.device
) -> tuple[Attention, ...]:
    """Mean attention over stored faces; nothing for fewer than 20 people, or without maps."""
    n, people = len(faces), faces.people
    if people < FEWEST:
        return ()
    views = np.arange(stored.features.shape[1])[None]
    sums: dict[Over, FloatArray] = {}
    chunk = chunk_size(device)
    for start in range(0, n, chunk):
        found = stored.of(np.arange(start, min(start + chunk, n)), views)
        regions = None if found.regions is None else found.regions.to(device)
        output = model.from_seen(Seen(found.features.to(device), regions), maps=True)
        for over, share in shares(output.maps).items():
            total = share.double().sum(dim=0).cpu().numpy()
            sums[over] = sums[over] + total if over in sums else total
    return tuple(
        Attention(
            over=over,
            weights=tuple(round(float(x), 5) for x in total / n),
            n_faces=n,
            n_people=people,
            placed=_placed(model),
        )
        for over, total in sums.items()
    )


def _placed(model: AgeModel) -> Placed:
    network = model.backbone.network
    if isinstance(network, SpatialTransformer) and network.n == 1:
        return "crop"
    if on_the_face(model.backbone) is None:
        return "nowhere"
    return "crop" if model.config.aggregator.regions == "view" else "face"


def mean_face(faces: Faces) -> tuple[tuple[int, ...], ...]:
    """The mean of faces as grey levels 0-255, 32 x 32 or smaller, row by row.

    To be asked of drawn faces alone; empty for fewer than 20 people.
    """
    if faces.people < FEWEST:
        return ()
    total = np.zeros(faces.store.shape[1:3])
    for start in range(0, len(faces), 256):
        total += faces.pixels(slice(start, start + 256)).mean(axis=-1).sum(axis=0)
    side = min(SIDE, len(total))
    step = len(total) // side
    whole = total[: side * step, : side * step] / len(faces)
    grey = whole.reshape(side, step, side, step).mean(axis=(1, 3))
    return tuple(tuple(int(x) for x in row) for row in grey.round())

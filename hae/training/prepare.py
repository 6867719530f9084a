"""What a backbone takes from training faces before anything is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from hae.inference import chunk_size, view_tensor
from hae.precision import exact
from hae.training.embed import Network
from hae.training.faces import Faces
from hae.training.run import Order, Report
from hae.views import plain_view

FACES = 256
"""As many are looked at, or all."""


def prepare(model: Network, faces: Faces, order: Order, report: Report) -> None:
    """Show the plain training faces to a network that asks for them (``prepare``), once.

    Which ones is a matter of their ids alone.
    """
    network = model.backbone.network
    if not hasattr(network, "prepare"):
        return
    if order.init is None and order.config.model.backbone.init == "random":
        report.notice(
            f"backbone {model.backbone.name!r}: its filters are grouped before they have learned; "
            "train first, and name the checkpoint with model.backbone.init"
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    rows = np.arange(min(FACES, len(faces)))  # faces stand in the order of a hash of their ids
    done = report.stage("grouping filters", len(rows))
    with exact():
        network.prepare(_images(model, faces, rows, device, done))  # type: ignore[operator]


def _images(
    model: Network,
    faces: Faces,
    rows: np.ndarray,
    device: torch.device,
    done: Callable[[int], object],
) -> Iterator[Tensor]:
    chunk, view = chunk_size(device), plain_view().to(device)
    for start in range(0, len(rows), chunk):
        part = rows[start : start + chunk]
        pixels = torch.from_numpy(faces.pixels(part)).to(device)
        yield view_tensor(model.config, pixels, view).flatten(0, 1)
        done(len(part))

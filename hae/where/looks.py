"""Where a trained model looks on faces as they are: what its parts tell, by source.

A face is given as it is, as the only view: views that are turned and cut would have to be turned
back. What is told is where, not why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from audit.errors import InputError
from hae.aggregate.shares import shares
from hae.backbones.attended import Attended
from hae.backbones.bcnn import BilinearPooling
from hae.backbones.dasnet import DasNet
from hae.backbones.last_map import tapped
from hae.backbones.network import Backbone
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.where.face import Face
from hae.where.gradcam import grad_cam
from hae.where.reduce import CANONICAL, Shares, of_boxes, of_maps

FloatArray = npt.NDArray[np.float64]
Model = AgeModel | ExpressionModel
PARTS = "parts_"
"""What heat maps of parts over the whole input are called."""


def look(model: Model, images: Tensor, face: Face = CANONICAL) -> dict[str, Shares]:
    """Where it looks on normalised faces (n, 3, s, s), by source.

    ``boxes``: those that the network looks into. ``attention``: the mean of its spatial maps and
    gates over the input, each scaled to sum to 1. ``regions``: the aggregator's attention
    to the places of the face. ``gradcam``: see there. Networks that see crops of the face have
    their last map in those crops, so they have neither ``regions`` nor ``gradcam``; of several
    passes over a face the last counts.

    Parameters
    ----------
    model : AgeModel or ExpressionModel
        In evaluation mode.
    face : Face
        Where the canonical face lies in the input.

    Raises
    ------
    InputError
        None of these exist, or captum is not installed.
    """
    found: dict[str, Shares] = {}
    with torch.no_grad():
        attended = model.backbone.attend(images)
        if attended.boxes is not None:
            found["boxes"] = of_boxes(_array(attended.boxes), face)
        own = [of_maps(_array(x), face) for x in _spatial(attended)]
        if own:
            found["attention"] = Shares(
                np.mean([x.regions for x in own], axis=0), np.mean([x.cells for x in own], axis=0)
            )
        network = on_the_face(model.backbone)
        if network is not None:
            attention = _of_aggregator(model, images)
            if attention is not None:
                found["regions"] = of_maps(attention, face)
    if network is not None:
        cam = _cam(model, network, images)
        if cam is not None:
            found["gradcam"] = of_maps(cam, face)
    if not found:
        raise InputError(
            f"--where: backbone {model.backbone.name!r} shows no maps: it has neither boxes, "
            "spatial attention nor a last map of several places; take another backbone, or leave "
            "--where out"
        )
    return found


def _array(x: Tensor) -> FloatArray:
    return np.asarray(x.detach().double().cpu().numpy())


def _spatial(attended: Attended) -> Iterator[Tensor]:
    """Square maps (n, h, w) of the whole input; of several channels their mean.

    The maps of a network with boxes lie within these, but for those of the parts of a face.
    """
    for name, x in attended.maps.items():
        over = attended.boxes is None or name.startswith(PARTS)
        if over and x.ndim in (3, 4) and x.shape[-1] == x.shape[-2] > 1:
            yield x if x.ndim == 3 else x.mean(dim=1)


def on_the_face(backbone: Backbone) -> nn.Module | None:
    """The network whose last map lies over the face itself, not over crops or parts of it."""
    network: nn.Module = backbone.network
    if isinstance(network, BilinearPooling | DasNet):
        network = network.inner.network
    elif hasattr(network, "attend"):
        return None
    return network if hasattr(network, "forward_features") else None


def _of_aggregator(model: Model, images: Tensor) -> FloatArray | None:
    """Attention to the places of the face, (n, h, h), where an aggregator tells it."""
    if isinstance(model, ExpressionModel) and model.aggregator is None:
        return None
    if model.config.aggregator.regions == "none":
        return None
    views = images[:, None]
    seen = model.see(views, views)
    maps: Mapping[str, Tensor] = model.from_seen(seen, maps=True).maps
    given = shares(maps).get("regions")
    side = 0 if given is None else math.isqrt(given.shape[-1])
    if given is None or side < 2 or side**2 != given.shape[-1]:
        return None
    return _array(given).reshape(-1, side, side)


def _cam(model: Model, network: nn.Module, images: Tensor) -> FloatArray | None:
    """Grad-CAM, (n, h, w), or None where the last map has a single place or there is none."""
    with ExitStack() as stack:
        tap = stack.enter_context(tapped(network))
        stack.enter_context(_thawed(model.backbone))
        shapes: list[torch.Size] = []
        hook = tap.register_forward_hook(lambda module, x, y: shapes.append(y.shape))
        with torch.no_grad():
            _answer(model, images[:1])
        hook.remove()
        if not shapes or shapes[-1][-1] < 2 or shapes[-1][-2] < 2:
            return None
        signed = isinstance(model, ExpressionModel)
        with torch.enable_grad():
            return grad_cam(lambda x: _answer(model, x), tap, images, signed=signed)


def _answer(model: Model, images: Tensor) -> Tensor:
    """The estimated age, or the logit of the predicted expression, of each face, (n,)."""
    views = images[:, None]
    if isinstance(model, AgeModel):
        return model(views, views).age  # type: ignore[no-any-return]
    scores = model(images) if model.aggregator is None else model(views, views)
    return scores.logits.max(dim=1).values  # type: ignore[no-any-return]


@contextmanager
def _thawed(backbone: Backbone) -> Iterator[None]:
    """Gradients reach its maps, frozen or not."""
    before, backbone.frozen = backbone.frozen, False
    try:
        yield
    finally:
        backbone.frozen = before

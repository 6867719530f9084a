"""A map in the middle of a network, and whether windows of the image show enough to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from audit.errors import InputError
from hae.backbones.places import FEWEST_PIXELS, window
from hae.config import BackboneConfig

if TYPE_CHECKING:
    from hae.backbones.network import Backbone


def seen(inner: Backbone, images: Tensor, level: int | None) -> tuple[Tensor, Tensor | None]:
    """Features, and the map of a level where one is asked for."""
    if level is None:
        return inner(images), None
    network: Any = inner.network
    last, (middle,) = network.forward_intermediates(images, indices=[level])
    return network.forward_head(last), middle


def middle_level(inner: Backbone, base: int, settings: BackboneConfig) -> tuple[int, int]:
    """Which map places are told from, the deepest as large as the grid, and its channels.

    Raises
    ------
    InputError
        The network shows no maps between, or all are smaller.
    """
    network: Any = inner.network
    place = f"backbone {settings.label!r}"
    if not hasattr(network, "forward_intermediates"):
        raise InputError(f"{place}: {settings.of!r} shows no maps between; take a ResNet")
    mode, grey = network.training, next(inner.parameters()).new_zeros(1, 3, base, base)
    with torch.no_grad():
        maps = network.eval().forward_intermediates(grey, intermediates_only=True)
    network.train(mode)
    sides = [min(found.shape[-2:]) if found.ndim == 4 else 0 for found in maps]
    deep = [i for i, side in enumerate(sides) if side >= settings.grid]
    if not deep:
        raise InputError(
            f"{place}: at {base} px the largest map has {max(sides)} x {max(sides)} places, too "
            f"small for a grid of {settings.grid}; raise base or model.size, or lower grid"
        )
    return deep[-1], maps[deep[-1]].shape[1]


def check_windows(settings: BackboneConfig, size: int, levels: int) -> None:
    """Refuse windows that show nothing, level by level.

    Raises
    ------
    InputError
        A window is too small, or ``base`` exceeds the input.
    """
    place = f"backbone {settings.label!r}"
    if settings.inner_size(size) > size:
        raise InputError(
            f"{place}: base is {settings.base}, the input has {size} px; lower base to at most "
            "that, or raise model.size"
        )
    for _ in range(levels):
        size = window(size, settings.grid, settings.overlap)[0]
        if size < FEWEST_PIXELS:
            raise InputError(
                f"{place}: its places would be {size} px wide; raise overlap or model.size, or "
                "name fewer locations"
            )

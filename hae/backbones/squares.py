"""Squares in an image: of highest response, one in another, cut out with soft edges."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from hae.backbones.stn import crops, upright
from hae.heads.branch import full

SLOPE = 10.0
"""k of the boxcar's logistic edges, per pixel."""
FIRST = 1 / 4
"""Half side of the squares of highest response."""


def highest(places: Tensor) -> Tensor:
    """The square of half the side with the highest sum of |activation|, (n, g^2, c) -> (n, 3)."""
    g = math.isqrt(places.shape[1])
    response = full(places).abs().sum(dim=-1).view(-1, 1, g, g)
    side = max(1, round(2 * FIRST * g))
    sums = functional.avg_pool2d(response, side, stride=1)
    best = sums.flatten(1).argmax(dim=1)
    m = sums.shape[-1]
    corner = torch.stack([best % m, best // m], dim=1)  # x, y
    centre = ((corner + side / 2) / g).clamp(FIRST, 1 - FIRST)
    return torch.cat([centre, torch.full_like(centre[:, :1], FIRST)], dim=1)


def within(square: Tensor, parent: Tensor) -> Tensor:
    """The box (n, 4) in shares of the image, of squares (n, 3) in boxes (n, 4)."""
    corners = torch.cat([square[:, :2] - square[:, 2:], square[:, :2] + square[:, 2:]], dim=1)
    return parent[:, :2].repeat(1, 2) + corners * (parent[:, 2:] - parent[:, :2]).repeat(1, 2)


def boxcar(boxes: Tensor, size: int, slope: float = SLOPE) -> Tensor:
    """[h(x - x0) - h(x - x1)] [h(y - y0) - h(y - y1)], h logistic; (n, 4) -> (n, 1, size, size)."""
    pixel = torch.arange(size, device=boxes.device) + 0.5
    edges = torch.sigmoid(slope * (pixel - boxes[..., None] * size))  # (n, 4, size)
    x, y = (edges[:, :2] - edges[:, 2:]).unbind(1)
    return (y[:, :, None] * x[:, None, :])[:, None]


def zoom(images: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What lies in the boxes (n, 4), at ``side`` pixels; a gradient reaches the boxes."""
    return crops(full(images) * boxcar(boxes, images.shape[-1]), upright(boxes), side)

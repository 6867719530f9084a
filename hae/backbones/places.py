"""Places of a grid: their windows, how some are picked, and how probable the pick was."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

FEWEST_PIXELS = 8
"""Smaller windows show nothing."""


def window(size: int, grid: int, overlap: float) -> tuple[int, int, int]:
    """Side, stride and zero padding before the first window of a grid, in pixels.

    side = round(overlap size), stride = ceil((size - side) / (grid - 1)).
    """
    side = min(size, round(overlap * size))
    stride = math.ceil((size - side) / (grid - 1))
    return side, stride, (stride * (grid - 1) + side - size) // 2


def windows(images: Tensor, grid: int, overlap: float) -> Tensor:
    """A view of all windows, (n, c, s, s) -> (n, grid^2, c, side, side), row by row."""
    size = images.shape[-1]
    side, stride, before = window(size, grid, overlap)
    after = stride * (grid - 1) + side - size - before
    padded = functional.pad(images, (before, after, before, after))
    found = padded.unfold(2, side, stride).unfold(3, side, stride)  # (n, c, g, g, side, side)
    return found.permute(0, 2, 3, 1, 4, 5)


def cut(images: Tensor, chosen: Tensor, grid: int, overlap: float) -> Tensor:
    """The windows of chosen places (n, k) alone, (n * k, c, side, side)."""
    rows = torch.arange(len(images), device=images.device)[:, None]
    found = windows(images, grid, overlap)[rows, chosen // grid, chosen % grid]
    return found.flatten(0, 1)


def cut_at(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """Squares whose upper left pixels are (n, k, 2), x and y; (n * k, c, side, side)."""
    rows = torch.arange(len(images), device=images.device)[:, None]
    found = images.unfold(2, side, 1).unfold(3, side, 1).permute(0, 2, 3, 1, 4, 5)
    return found[rows, corners[..., 1], corners[..., 0]].flatten(0, 1)


def boxes(chosen: Tensor, parents: Tensor, size: int, grid: int, overlap: float) -> Tensor:
    """Boxes of chosen places (n, k) in images whose own boxes are (n, 4), (n, k, 4)."""
    side, stride, before = window(size, grid, overlap)
    corner = torch.stack([chosen % grid, chosen // grid], dim=-1) * stride - before  # x, y
    shares = torch.cat([corner, corner + side], dim=-1) / size  # (n, k, 4) of the parent
    origin, extent = parents[:, None, :2], parents[:, None, 2:] - parents[:, None, :2]
    return origin.repeat(1, 1, 2) + shares * extent.repeat(1, 1, 2)


def resized(images: Tensor, side: int) -> Tensor:
    """Bilinear, with the averaging that shrinking needs."""
    if images.shape[-1] == side:
        return images
    shrinks = images.shape[-1] > side
    with torch.autocast(images.device.type, enabled=False):
        return functional.interpolate(
            images.float(), (side, side), mode="bilinear", align_corners=False, antialias=shrinks
        )


def pick(logs: Tensor, k: int, *, draw: bool) -> Tensor:
    """The k most probable places (n, k), best first; or k drawn without replacement, in order.

    Drawn by Gumbel's trick: the k largest of log p + noise, which are a draw by
    :func:`plackett_luce`.
    """
    logs = logs.detach()
    if draw:
        logs = logs - torch.empty_like(logs).exponential_().log()
    return logs.topk(k, dim=-1).indices


def plackett_luce(logs: Tensor, chosen: Tensor) -> Tensor:
    """Log p_i - log(1 - sum of the p of those before), for each draw, (n, m), (n, k) -> (n, k).

    Their sum is the log-probability of the draws in this order, without replacement.
    """
    left, found = logs, []
    for i in range(chosen.shape[-1]):
        one = chosen[:, i : i + 1]
        found.append((logs.gather(1, one) - left.logsumexp(1, keepdim=True))[:, 0])
        left = left.scatter(1, one, -torch.inf)
    return torch.stack(found, dim=1)

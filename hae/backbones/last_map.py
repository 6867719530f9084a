"""The last map of a network of timm, whatever its layout: places (n, c, h, w)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def prefix_tokens(network: nn.Module, tokens: Tensor) -> int:
    """How many of the tokens (n, t, c) come before those of places, such as a class token."""
    first = getattr(network, "num_prefix_tokens", None)
    if first is not None:
        return int(first)
    # networks that do not tell of a class token have one or none
    return int(tokens.shape[1] == math.isqrt(tokens.shape[1]) ** 2 + 1)


def to_map(network: nn.Module, last: Tensor) -> Tensor | None:
    """What ``forward_features`` gives as a map; None of tokens that form no square."""
    if last.ndim == 4:
        is_last = getattr(network, "output_fmt", None) == "NHWC"
        return last.permute(0, 3, 1, 2) if is_last else last
    places = last[:, prefix_tokens(network, last) :]
    side = math.isqrt(places.shape[1])
    if side**2 != places.shape[1]:
        return None
    return places.transpose(1, 2).unflatten(2, (side, side))  # type: ignore[no-untyped-call, no-any-return]


def _put(network: nn.Module, last: Tensor, places: Tensor) -> Tensor:
    """The inverse of ``to_map``: what was ``last`` with other places."""
    if last.ndim == 4:
        is_last = getattr(network, "output_fmt", None) == "NHWC"
        return places.permute(0, 2, 3, 1) if is_last else places
    found = last.clone()
    found[:, prefix_tokens(network, last) :] = places.flatten(2).transpose(1, 2)
    return found


@contextmanager
def tapped(network: nn.Module) -> Iterator[nn.Identity]:
    """A module that the last map runs through, (n, c, h, w), in all passes within the block.

    Where the answer is read from a class token alone, which the other tokens no longer reach, it
    stands before the last block's attention instead. Nothing is changed outside of the block.
    """
    tap = nn.Identity()

    def through(last: Tensor) -> Tensor:
        places = to_map(network, last)
        return last if places is None else _put(network, last, tap(places))

    before = _before_last(network)
    if before is not None:
        handle = before.register_forward_hook(lambda module, inputs, output: through(output))
        try:
            yield tap
        finally:
            handle.remove()
        return
    plain: Callable[..., Tensor] = network.forward_features  # type: ignore[assignment]

    def forward_features(*inputs: Any, **options: Any) -> Tensor:
        return through(plain(*inputs, **options))

    network.forward_features = forward_features  # type: ignore[assignment]
    try:
        yield tap
    finally:
        del network.forward_features


def _before_last(network: nn.Module) -> nn.Module | None:
    """What the last block of a network with a class token attends with, if that token answers."""
    if getattr(network, "global_pool", None) != "token":
        return None
    blocks = getattr(network, "blocks", None)
    return getattr(blocks[-1], "norm1", None) if isinstance(blocks, nn.Sequential) else None

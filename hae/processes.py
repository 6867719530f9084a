"""What several training processes know together."""

from __future__ import annotations

import torch
from torch import Tensor, distributed


def world() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def gathered(values: Tensor) -> Tensor:
    """The values of all processes one after another, (w n, ...), without a gradient.

    Every process must call it with values of the same shape and kind.
    """
    if world() == 1:
        return values.detach()
    parts = [torch.empty_like(values) for _ in range(world())]
    distributed.all_gather(parts, values.detach().contiguous())
    return torch.cat(parts)


def everybodys(values: Tensor) -> Tensor:
    """The values of all processes, (n,) -> (w n,), with the gradient for one's own.

    It is w times as large as it looks, because the processes' gradients are averaged later: the
    average is then the gradient of one function of the whole batch.
    """
    w = world()
    if w == 1:
        return values
    own = distributed.get_rank() * len(values)
    still = values.detach()
    loud = still + w * (values - still)  # just the values, so that no process ranks them otherwise
    whole = gathered(values)
    return torch.cat([whole[:own], loud, whole[own + len(values) :]])

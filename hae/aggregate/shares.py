"""Attention maps of aggregators as each face's shares of its views and of its regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor

Over = Literal["views", "regions"]


def shares(maps: Mapping[str, Tensor]) -> dict[Over, Tensor]:
    """Each face's shares (b, k) of its views and (b, r) of its regions, of an aggregator's maps.

    Heads, steps, glimpses and levels are averaged; a map of pairs (b, G, r, k) gives both. What a
    map gives to the view as a whole (``han``) or to its own token (``sae``) is left out, and the
    rest scaled to sum to 1. ``guided`` (``mcan``) says what each region asks of the views: no share
    of the whole.
    """
    found: dict[Over, list[Tensor]] = {}
    for name, values in maps.items():
        if name == "pairs":
            found.setdefault("regions", []).append(values.sum(-1))
            found.setdefault("views", []).append(values.sum(-2))
        elif name.endswith("views"):
            found.setdefault("views", []).append(values)
        elif name.endswith("regions"):
            # the regions of each view follow the view as a whole
            own = values[..., 1:] if "views" in maps and values.ndim == 3 else values
            found.setdefault("regions", []).append(own)
    return {over: _mean(parts) for over, parts in found.items()}


def _mean(parts: Iterable[Tensor]) -> Tensor:
    flat = [
        part.float().flatten(1, -2).mean(1) if part.ndim > 2 else part.float() for part in parts
    ]
    total = torch.stack(flat).mean(0)
    return total / total.sum(-1, keepdim=True)

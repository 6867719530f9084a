"""Streams of random faces, and aggregators that are small and the same every time."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hae.aggregate.core import build
from hae.aggregate.streams import Shape, Streams
from hae.config import AggregatorConfig, AggregatorName

DIM, VIEWS, REGIONS = 16, 5, 6
SMALL = {"layers": 2, "heads": 2, "feedforward": 8, "sketch": 32, "width": 8}


def config(name: AggregatorName, **settings: Any) -> AggregatorConfig:
    """A small one; controls are those of ``ban``."""
    partner = {"partner": "ban"} if name.endswith("_mlp") else {}
    return AggregatorConfig.model_validate({"name": name, **SMALL, **partner, **settings})


def made(name: AggregatorName, dim: int = DIM, k: int = VIEWS, **settings: Any) -> nn.Module:
    """An aggregator in evaluation mode."""
    torch.manual_seed(0)
    found = build(Shape(dim, k, dim), config(name, **settings))
    assert isinstance(found, nn.Module)
    return found.eval()


def streams(
    name: AggregatorName,
    b: int = 3,
    k: int = VIEWS,
    r: int = REGIONS,
    dim: int = DIM,
    seed: int = 1,
) -> Streams:
    """Random embeddings, with the regions that an aggregator asks for."""
    draw = torch.Generator().manual_seed(seed)
    views = torch.randn(b, k, dim, generator=draw)
    size = {"none": None, "face": (b, r, dim), "view": (b, k, r, dim)}[config(name).regions]
    return Streams(views, None if size is None else torch.randn(size, generator=draw))

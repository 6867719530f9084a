"""The views side by side through one hidden layer: what order and capacity alone can do."""

from __future__ import annotations

import torch
from torch import nn

from hae.aggregate.streams import Combined, Shape, Streams, zero_filled
from hae.config import AggregatorConfig


class Concat(nn.Module):
    """W2 drop(relu(W1 [e_1, 1; ..; e_K, 1])) with ``width`` hidden units, d / 2 unless stated.

    There are K fixed places of d values, and a bit that is 1 where a view is there: the place of a
    view matters. Fewer views than the K of the config leave places empty, as a mask does.

    Raises
    ------
    ValueError
        There are more than K views.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        self.places = shape.views
        hidden = config.width or max(1, shape.dim // 2)
        self.inner = nn.Linear(self.places * (shape.dim + 1), hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.outer = nn.Linear(hidden, shape.dim)

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d), k at most K."""
        b, k, d = x.views.shape
        if k > self.places:
            raise ValueError(f"aggregator concat: {k} views, was built for {self.places}")
        there = x.views.new_ones(b, k) if x.mask is None else x.mask.to(x.views.dtype)
        filled = x.views.new_zeros(b, self.places, d + 1)
        filled[:, :k] = torch.cat([zero_filled(x.views, x.mask), there[..., None]], dim=-1)
        hidden = self.dropout(torch.relu(self.inner(filled.flatten(1))))
        return Combined(self.outer(hidden)[:, None])

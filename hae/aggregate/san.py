"""Stacked attention (Yang, He, Gao, Deng & Smola, CVPR 2016, arXiv 1511.02274), on faces.

Written from the formulas. The mean view stands where the paper has the question, the regions of the
plain face where it has those of the image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax, weighted
from hae.config import AggregatorConfig

HOPS, WIDTH = 2, 512


class Hop(nn.Module):
    """u + sum_r p_r v_r, p = softmax_r(w . drop(tanh(W_I v_r + W_Q u + b)))."""

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()
        width = config.width or WIDTH
        self.image = nn.Linear(dim, width, bias=False)
        self.query = nn.Linear(dim, width)
        self.score = nn.Linear(width, 1)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, u: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """A query (b, d) and regions (b, r, d) -> the next query and the weights (b, r)."""
        hidden = self.dropout(torch.tanh(self.image(v) + self.query(u)[:, None]))
        weights = softmax(self.score(hidden)[..., 0], mask)
        return u + weighted(weights, v), weights


class StackedAttention(nn.Module):
    """``steps`` hops (2) over the regions from the mean view on; map ``regions`` (b, hops, r)."""

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        self.hops = nn.ModuleList(Hop(shape.dim, config) for _ in range(config.steps or HOPS))

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        u, maps = mean(x.views, x.mask), []
        for hop in self.hops:
            u, weights = hop(u, x.seen_regions, x.region_mask)
            maps.append(weights)
        return Combined(u[:, None], {"regions": torch.stack(maps, dim=1)})

"""Bilinear attention, BAN (Kim, Jun & Zhang, NeurIPS 2018, arXiv 1805.07932), on faces.

Written from the formulas. Views stand where the paper has words: a map says which region of the
face counts in which view. It differs from the released code in that the embedding is the mean of
the views' states, not their sum (the number of views must not set its length), the vector of the
attention is not weight-normalised, and one rate of dropout holds everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from hae.aggregate.streams import Combined, Shape, Streams, mean, zero_filled
from hae.config import AggregatorConfig
from hae.heads.branch import full

RANK = 3
"""Times the joint width, in the attention only."""


class Projection(nn.Module):
    """relu(W drop(x) + b), W weight-normalised as a whole; without relu where it says so."""

    def __init__(self, dim: int, out_dim: int, dropout: float, *, relu: bool = True) -> None:
        super().__init__()
        self.dropout, self.relu = nn.Dropout(dropout), relu
        self.linear = weight_norm(nn.Linear(dim, out_dim), dim=None)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., out_dim)."""
        found: Tensor = self.linear(self.dropout(x))
        return found.relu() if self.relu else found


class BilinearMaps(nn.Module):
    """G maps, each a softmax over all r x k pairs of p_g . (relu(U x_i) * relu(V y_j)) + b_g."""

    def __init__(self, dim: int, width: int, glimpses: int, dropout: float) -> None:
        super().__init__()
        self.regions = Projection(dim, RANK * width, dropout)
        self.views = Projection(dim, RANK * width, dropout)
        self.vector = nn.Parameter(torch.randn(glimpses, RANK * width) / (RANK * width) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(glimpses))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Streams) -> Tensor:
        """(b, G, r, k), each map of sum 1, 0 for what is masked."""
        regions, views = self.dropout(self.regions(x.seen_regions)), self.views(x.views)
        asked = self.vector[:, None] * regions[:, None]  # (b, G, r, m)
        scores = full(asked @ views[:, None].transpose(2, 3)) + self.bias[:, None, None]
        if x.mask is not None:
            scores = scores.masked_fill(~x.mask[:, None, None], -torch.inf)
        if x.region_mask is not None:
            scores = scores.masked_fill(~x.region_mask[:, None, :, None], -torch.inf)
        return scores.flatten(2).softmax(-1).view_as(scores)


class BilinearPooling(nn.Module):
    """sum_ij A_ij relu(U x_i) * relu(V y_j), (b, width)."""

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.regions = Projection(dim, width, dropout)
        self.views = Projection(dim, width, dropout)

    def forward(self, regions: Tensor, views: Tensor, pairs: Tensor) -> Tensor:
        """Regions (b, r, d), views (b, k, d) and a map (b, r, k)."""
        seen = pairs.to(views.dtype).transpose(1, 2) @ self.regions(regions)  # (b, k, m)
        joint: Tensor = (seen * self.views(views)).sum(dim=1)
        return joint


class BilinearAttention(nn.Module):
    """``glimpses`` maps of the first views; q_(g+1) = q_g + W_g BAN_g(x, q_g); mean over views.

    All G maps come from the first streams. Joint ``width`` d unless stated. Map ``pairs``
    (b, G, r, k).
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        d, g, width = shape.dim, config.glimpses, config.width or shape.dim
        self.maps = BilinearMaps(d, width, g, config.dropout)
        self.pool = nn.ModuleList(BilinearPooling(d, width, config.dropout) for _ in range(g))
        self.residual = nn.ModuleList(
            Projection(width, d, config.dropout, relu=False) for _ in range(g)
        )

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        pairs = self.maps(x)
        q = zero_filled(x.views, x.mask)
        regions = zero_filled(x.seen_regions, x.region_mask)
        for g, (pool, residual) in enumerate(zip(self.pool, self.residual, strict=True)):
            q = q + residual(pool(regions, q, pairs[:, g]))[:, None]
        return Combined(mean(q, x.mask)[:, None], {"pairs": pairs})

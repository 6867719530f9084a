"""Low-rank bilinear pooling, MLB (Kim et al., ICLR 2017, arXiv 1610.04325), on faces.

Written from the formulas. The mean view stands where the paper has the question. It differs from
the released code in that U and V have biases, and dropout is after the product only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax
from hae.config import AggregatorConfig

WIDTH = 1200


class LowRank(nn.Module):
    """P drop(s(U x) * s(V y)) + b: with s the identity and enough ``width`` any bilinear map."""

    def __init__(
        self,
        x_dim: int,
        y_dim: int,
        out_dim: int,
        width: int = WIDTH,
        dropout: float = 0.0,
        activation: Callable[[Tensor], Tensor] = torch.tanh,
    ) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(x_dim, width), nn.Linear(y_dim, width)
        self.outer = nn.Linear(width, out_dim)
        self.dropout, self.activation = nn.Dropout(dropout), activation

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., d1) and (..., d2) -> (..., out_dim)."""
        joint = self.activation(self.left(x)) * self.activation(self.right(y))
        found: Tensor = self.outer(self.dropout(joint))
        return found


class LowRankBilinear(nn.Module):
    """The mean view and the regions that it attends to, fused; joint ``width`` 1200.

    ``glimpses`` G maps softmax_r of G scores of the same form pick G sums of regions, which are
    put side by side; with 0 glimpses it is the mean region. Map ``regions`` (b, G, r).
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        d, g, width = shape.dim, config.glimpses, config.width or WIDTH
        self.attention = LowRank(d, d, g, width, config.dropout) if g else None
        self.fusion = LowRank(d, d * max(1, g), d, width, config.dropout)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        u = mean(x.views, x.mask)
        seen, maps = glimpses(self.attention, u, x)
        return Combined(self.fusion(u, seen)[:, None], maps)


def glimpses(
    attention: nn.Module | None, u: Tensor, x: Streams
) -> tuple[Tensor, dict[str, Tensor]]:
    """Regions that a query (b, d) attends to, G side by side (b, G d), or their mean; and the maps.

    ``attention`` gives the scores of G maps, (b, 1, d) and (b, r, d) -> (b, r, G).
    """
    if attention is None:
        return mean(x.seen_regions, x.region_mask), {}
    scores = attention(u[:, None], x.seen_regions).transpose(1, 2)  # (b, G, r)
    mask = None if x.region_mask is None else x.region_mask[:, None]
    weights = softmax(scores, mask)
    seen = weights.to(x.seen_regions.dtype) @ x.seen_regions  # (b, G, d)
    return seen.flatten(1), {"regions": weights}

"""Controls of systems with two streams: as many parameters, no attention.

Without them a gain may be "more parameters", or "more features" for want of the same regions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Shape, Streams, mean
from hae.config import AggregatorConfig


class Control(nn.Module):
    """W2 drop(relu(W1 x + b1)) + b2 of the mean view, or of it beside the mean region.

    The hidden layer is as wide as brings the number of parameters nearest to ``n_parameters``.
    Which of the two it is, ``regions`` says.
    """

    def __init__(
        self, shape: Shape, config: AggregatorConfig, n_parameters: int, *, regions: bool
    ) -> None:
        super().__init__()
        d = shape.dim
        self.regions = regions
        in_dim = 2 * d if regions else d
        hidden = max(1, round((n_parameters - d) / (in_dim + 1 + d)))
        self.inner = nn.Linear(in_dim, hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.outer = nn.Linear(hidden, d)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) where it uses them -> (b, 1, d)."""
        seen: Tensor = mean(x.views, x.mask)
        if self.regions:
            seen = torch.cat([seen, mean(x.seen_regions, x.region_mask)], dim=-1)
        return Combined(self.outer(self.dropout(torch.relu(self.inner(seen))))[:, None])

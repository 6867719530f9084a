"""Attention to scale (Chen, Yang, Wang, Xu & Yuille, CVPR 2016, arXiv 1511.03339), over views.

Written from the formulas. It differs from the paper in that views stand where the paper has
resized inputs, one weight holds for a whole view instead of one per position, and each view is
weighed beside the mean of all.
"""

from __future__ import annotations

import torch
from torch import nn

from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax, weighted
from hae.config import AggregatorConfig


class ScaleAttention(nn.Module):
    """sum_k w_k e_k, w = softmax_k(MLP([e_k; mean e])), with one hidden layer of ``width`` (d).

    Each view also gets a loss of its own (``view_loss``, 1 unless stated), which the paper calls
    essential. Map ``views`` (b, k).
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        hidden = config.width or shape.dim
        self.scores = nn.Sequential(
            nn.Linear(2 * shape.dim, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        centre = mean(x.views, x.mask)[:, None].expand_as(x.views)
        scores = self.scores(torch.cat([x.views, centre], dim=-1))[..., 0]  # (b, k)
        weights = softmax(scores, x.mask)
        return Combined(weighted(weights, x.views)[:, None], {"views": weights})

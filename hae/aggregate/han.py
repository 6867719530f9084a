"""Hierarchical attention (Yang et al., NAACL 2016, doi 10.18653/v1/N16-1174), on faces.

Written from the formulas. Words are the regions of a view, sentences are views. It differs from the
paper in that there is no recurrent layer over words or sentences (views have no order), and in that
the embedding of the whole view is one more word of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.streams import Combined, Shape, Streams, softmax, weighted
from hae.config import AggregatorConfig


class Attend(nn.Module):
    """sum_n a_n h_n with u_n = tanh(W h_n + b), a = softmax_n(u_n . context)."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(dim, width)
        self.context = nn.Parameter(torch.randn(width) / width**0.5)

    def forward(self, h: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """(..., n, d) -> (..., d) and the weights (..., n)."""
        weights = softmax(torch.tanh(self.inner(h)) @ self.context, mask)
        return weighted(weights, h), weights


class HierarchicalAttention(nn.Module):
    """Attention over the regions of each view, then over the views.

    Maps ``regions`` (b, k, 1 + r), the whole view first, and ``views`` (b, k). A view that is not
    there has weights over its regions all the same, but none of its own.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        width = config.width or shape.dim
        self.words = Attend(shape.dim, width)
        self.sentences = Attend(shape.dim, width)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d) with regions of each (b, k, r, d) -> (b, 1, d)."""
        words = torch.cat([x.views[:, :, None], x.seen_regions], dim=2)  # (b, k, 1 + r, d)
        there = x.region_mask
        if there is not None:
            there = functional.pad(there, (1, 0), value=True)
        sentences, within = self.words(words, there)
        if x.mask is not None:
            sentences = sentences.masked_fill(~x.mask[..., None], 0.0)
            within = within.masked_fill(~x.mask[..., None], 0.0)
        z, between = self.sentences(sentences, x.mask)
        return Combined(z[:, None], {"regions": within, "views": between})

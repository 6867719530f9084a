"""The feature weighting of TNet (Papadopoulos, Korus & Memon, NeurIPS 2021, arXiv 2102.10212).

Written from the formulas. Only the weighting of the N features of an image is taken, here of the
K views of a face; where to look (crops of a photo of high resolution) is a matter of a backbone.
"""

from __future__ import annotations

from torch import nn

from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax, weighted
from hae.config import AggregatorConfig

SQUEEZE = 4
"""Ratio of the gate's hidden layer: 0.25 of the width."""


class FeatureWeighting(nn.Module):
    """sum_k w_k e_k, w = softmax_k(v (g * e_k) + c), one gate g = sigmoid(W2 swish(W1 mean e)).

    The views' own losses go with it (``view_loss``, 0.7 / 0.3 unless stated: the released code has
    0.3 on the whole and 0.7 on the mean of the features' losses). Map ``views`` (b, k).
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        inner = max(1, shape.dim // SQUEEZE)
        self.gate = nn.Sequential(
            nn.Linear(shape.dim, inner), nn.SiLU(), nn.Linear(inner, shape.dim), nn.Sigmoid()
        )
        self.scores = nn.Linear(shape.dim, 1)

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        gate = self.gate(mean(x.views, x.mask))[:, None]  # (b, 1, d)
        weights = softmax(self.scores(gate * x.views)[..., 0], x.mask)
        return Combined(weighted(weights, x.views)[:, None], {"views": weights})

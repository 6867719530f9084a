"""Ways to combine views that learn nothing: the controls of self-attention."""

from __future__ import annotations

import torch
from torch import nn

from hae.aggregate.streams import Combined, Shape, Streams, mean
from hae.config import AggregatorConfig


class Mean(nn.Module):
    """Mean of the embeddings: the ablation in the paper's code."""

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        return Combined(mean(x.views, x.mask)[:, None])


class Max(nn.Module):
    """Largest value of every dimension."""

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        e = x.views if x.mask is None else x.views.masked_fill(~x.mask[..., None], -torch.inf)
        return Combined(e.amax(dim=1, keepdim=True))


class Single(nn.Module):
    """The one view.

    Raises
    ------
    ValueError
        There are several.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, x: Streams) -> Combined:
        """(b, 1, d) -> (b, 1, d)."""
        if x.views.shape[1] != 1:
            raise ValueError(
                f"aggregator single: {x.views.shape[1]} views, must be 1; set views.k to 1"
            )
        return Combined(x.views)


class MeanPredictions(nn.Module):
    """Leaves the views apart; the model averages their estimates and probabilities.

    Test-time augmentation as usual: what self-attention over the same K views has to beat.

    Raises
    ------
    ValueError
        There is a mask: nobody leaves the estimate of an absent view out of the mean.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, k, d)."""
        if x.mask is not None:
            raise ValueError("aggregator mean_predictions: takes no mask; use mean, or all views")
        return Combined(x.views)

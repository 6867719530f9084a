"""What an aggregator must offer, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from hae.aggregate.pooling import Max, Mean, MeanPredictions, Single
from hae.aggregate.sae import SelfAttention
from hae.config import AggregatorConfig, AggregatorName


class Aggregator(Protocol):
    """A module from the embeddings of K views to g of them; their order has no effect in eval."""

    def __call__(self, e: Tensor) -> Tensor:
        """(b, k, d) -> (b, g, d): g = 1, or k where every view gets an estimate of its own."""


AGGREGATORS: dict[AggregatorName, Callable[[int, AggregatorConfig], Aggregator]] = {
    "sae": SelfAttention,
    "mean": Mean,
    "max": Max,
    "single": Single,
    "mean_predictions": MeanPredictions,
}
"""From the width of the embedding and the config."""

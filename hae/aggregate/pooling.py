"""Ways to combine views that learn nothing: the controls of self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from hae.config import AggregatorConfig


class Mean(nn.Module):
    """Mean of the embeddings: the ablation in the paper's code."""

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, e: Tensor) -> Tensor:
        """(b, k, d) -> (b, 1, d)."""
        return e.mean(dim=1, keepdim=True)


class Max(nn.Module):
    """Largest value of every dimension."""

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, e: Tensor) -> Tensor:
        """(b, k, d) -> (b, 1, d)."""
        return e.amax(dim=1, keepdim=True)


class Single(nn.Module):
    """The one view.

    Raises
    ------
    ValueError
        There are several.
    """

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, e: Tensor) -> Tensor:
        """(b, 1, d) -> (b, 1, d)."""
        if e.shape[1] != 1:
            raise ValueError(f"aggregator single: {e.shape[1]} views, must be 1; set views.k to 1")
        return e


class MeanPredictions(nn.Module):
    """Leaves the views apart; the model averages their estimates and probabilities.

    Test-time augmentation as usual: what self-attention over the same K views has to beat.
    """

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()

    def forward(self, e: Tensor) -> Tensor:
        """(b, k, d) -> (b, k, d)."""
        return e

"""Rival heads that estimate by the expectation over classes; they differ in what they minimise.

One branch as wide as each of HAE's, so that a comparison is about the loss. The estimate is the
expectation over ``class_years`` for all of them: not the median of the probabilities that other
benchmarks take, nor CORN's count of tasks above 1/2.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from hae.config import HeadConfig, HeadName
from hae.heads.branch import Branch, Raw
from hae.heads.losses import (
    Losses,
    corn_losses,
    cross_entropy_losses,
    dldl_v2_losses,
    mean_variance_losses,
)
from hae.heads.masses import class_masses, expected_age
from hae.heads.target import AgeTarget

LOSSES: dict[HeadName, Callable[[Tensor, AgeTarget, HeadConfig], Losses]] = {
    "expectation": cross_entropy_losses,
    "dldl_v2": dldl_v2_losses,
    "mean_variance": mean_variance_losses,
    "corn": corn_losses,
}


class Classes(nn.Module):
    """Logits of the bins (of the C - 1 tasks for CORN) and the loss that ``config.name`` says."""

    def __init__(self, in_dim: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        n_logits = config.n_bins - (config.name == "corn")
        self.classes = Branch(in_dim, config.hidden, n_logits)

    def forward(self, z: Tensor) -> Raw:
        """``logits`` of embeddings (n, d): (n, C), for CORN (n, C-1)."""
        return {"logits": self.classes(z)}

    def age(self, raw: Raw) -> Tensor:
        """Estimate in years, (n,)."""
        return expected_age(self.masses(raw), self.config)

    def losses(self, raw: Raw, target: AgeTarget) -> Losses:
        """The terms of the loss, and ``total``."""
        return LOSSES[self.config.name](raw["logits"], target, self.config)

    def masses(self, raw: Raw, temperature: float = 1.0) -> Tensor:
        """Probabilities of the bins, (n, C)."""
        return class_masses(raw["logits"], temperature, self.config)

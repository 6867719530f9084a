"""The head of Hiba & Keller (TPAMI 2023, arXiv 2103.09882): soft bins, one regressor in each.

Differs from the released code: the C regressors are one linear layer; ages may be bands, for which
the offsets are kept small (``hae.heads.losses``).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from hae.config import HeadConfig, HeadName
from hae.heads.branch import Branch, Raw
from hae.heads.decoupled import decoupled_losses, partition_losses
from hae.heads.losses import Losses, estimate, hae_losses
from hae.heads.masses import class_masses
from hae.heads.target import AgeTarget

LOSSES: dict[HeadName, Callable[[Tensor, Tensor, AgeTarget, HeadConfig], Losses]] = {
    "hierarchical": hae_losses,
    "decoupled": decoupled_losses,
    "partition": partition_losses,
}


class Hierarchical(nn.Module):
    """sum_i p_i (r_i + c_i): classes and offsets from two branches; nothing bounds an offset.

    What is minimised ``config.name`` says; in ``decoupled`` and ``partition`` classes and offsets
    learn apart.
    """

    def __init__(self, in_dim: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.classes = Branch(in_dim, config.hidden, config.n_bins)
        self.offsets = Branch(in_dim, config.hidden, config.n_bins)

    def forward(self, z: Tensor) -> Raw:
        """``logits`` and ``offsets`` (years), each (n, C), of embeddings (n, d)."""
        return {"logits": self.classes(z), "offsets": self.offsets(z)}

    def age(self, raw: Raw) -> Tensor:
        """Estimate in years, (n,)."""
        return estimate(raw["logits"], raw["offsets"], self.config)

    def losses(self, raw: Raw, target: AgeTarget) -> Losses:
        """The terms of the loss, and ``total``."""
        return LOSSES[self.config.name](raw["logits"], raw["offsets"], target, self.config)

    def masses(self, raw: Raw, temperature: float = 1.0) -> Tensor:
        """softmax(l / T) over the bins, (n, C)."""
        return class_masses(raw["logits"], temperature, self.config)

"""What a head must offer, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from hae.config import HeadConfig, HeadName
from hae.heads.branch import Raw
from hae.heads.classes import Classes
from hae.heads.hierarchical import Hierarchical
from hae.heads.losses import Losses
from hae.heads.regression import Regression
from hae.heads.target import AgeTarget


class AgeHead(Protocol):
    """A module from embeddings (n, d) to ages."""

    def __call__(self, z: Tensor) -> Raw:
        """What the network says, by name, first dimension n, float32."""

    def age(self, raw: Raw) -> Tensor:
        """Estimate in years, (n,)."""

    def losses(self, raw: Raw, target: AgeTarget) -> Losses:
        """Named scalar terms, batch means, among them the ``total`` to minimise."""

    def masses(self, raw: Raw, temperature: float = 1.0) -> Tensor | None:
        """Probabilities of the bins at a temperature, (n, C); None for a head without classes."""


HEADS: dict[HeadName, Callable[[int, HeadConfig], AgeHead]] = {
    "hierarchical": Hierarchical,
    "regression": Regression,
    "expectation": Classes,
    "dldl_v2": Classes,
    "mean_variance": Classes,
    "corn": Classes,
    "decoupled": Hierarchical,
    "partition": Hierarchical,
}
"""From the width of the embedding and the config."""

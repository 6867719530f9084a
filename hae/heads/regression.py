"""One number: the plain rival without classes."""

from __future__ import annotations

from torch import Tensor, nn

from hae.config import HeadConfig
from hae.heads.branch import Branch, Raw
from hae.heads.losses import Losses
from hae.heads.target import AgeTarget, distance


class Regression(nn.Module):
    """age = mid + half f(z), with ``mid`` and ``half`` the middle and half-width of the range.

    The network starts in the middle of the range and moves on its scale; nothing bounds it.
    Minimised is the mean absolute error; for a band the distance to it.
    """

    def __init__(self, in_dim: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.value = Branch(in_dim, config.hidden, 1)

    def forward(self, z: Tensor) -> Raw:
        """``value`` f(z), (n, 1)."""
        return {"value": self.value(z)}

    def age(self, raw: Raw) -> Tensor:
        """Estimate in years, (n,)."""
        low, high = self.config.age_min, self.config.age_max
        return (low + high) / 2 + (high - low) / 2 * raw["value"][:, 0]

    def losses(self, raw: Raw, target: AgeTarget) -> Losses:
        """``mae`` in years, and the same as ``total``."""
        mae = distance(self.age(raw), target).mean()
        return {"mae": mae, "total": mae}

    def masses(self, raw: Raw, temperature: float = 1.0) -> None:
        """None: a number has no distribution."""
        return

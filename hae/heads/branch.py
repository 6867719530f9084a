"""What the heads share: a hidden layer in full precision, and the form of their output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Raw = dict[str, Tensor]
"""What a head computes of n embeddings, by name, float32, first dimension n."""


def full(x: Tensor) -> Tensor:
    """In float32, or float64 if it is: bfloat16 tells ages of 60 apart by a quarter year."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class Branch(nn.Module):
    """Linear, LeakyReLU with slope 0.01, linear: (n, in_dim) -> (n, out_dim), outside autocast."""

    def __init__(self, in_dim: int, hidden: int, out_dim: int) -> None:
        super().__init__()
        self.inner = nn.Linear(in_dim, hidden)
        self.activation = nn.LeakyReLU(0.01)
        self.outer = nn.Linear(hidden, out_dim)

    def forward(self, z: Tensor) -> Tensor:
        """Of embeddings (n, in_dim), shape (n, out_dim)."""
        with torch.autocast(z.device.type, enabled=False):
            hidden = self.activation(self.inner(z.to(self.inner.weight.dtype)))
            return full(self.outer(hidden))

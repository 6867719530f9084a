"""Self-attention over the views (Hiba & Keller, TPAMI 2023, arXiv 2103.09882)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.config import AggregatorConfig


class SelfAttention(nn.Module):
    """BatchNorm(encoder([CLS; e_1 .. e_K])_CLS): a learned token asks all views at once.

    There is no positional code, so the order of the views has no effect.

    Raises
    ------
    ValueError
        A training batch of one face, of which BatchNorm has no variance.
    """

    def __init__(self, dim: int, config: AggregatorConfig) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, dim) * config.token_scale)
        self.encoder = nn.TransformerEncoder(
            _layer(dim, config), config.layers, nn.LayerNorm(dim), enable_nested_tensor=False
        )
        # The encoder's layers are copies of one; each gets a first draw of its own.
        self.encoder.layers = nn.ModuleList(_layer(dim, config) for _ in range(config.layers))
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, e: Tensor) -> Tensor:
        """One embedding of K, (b, k, d) -> (b, 1, d)."""
        if self.training and len(e) == 1:
            raise ValueError("aggregator sae: a training batch of 1 face, BatchNorm needs 2")
        token = self.token.to(e.dtype).expand(len(e), -1, -1)
        tokens = self.encoder(torch.cat([token, e], dim=1))  # (b, 1 + k, d)
        out: Tensor = self.norm(tokens[:, 0])[:, None]
        return out


def _layer(dim: int, config: AggregatorConfig) -> nn.TransformerEncoderLayer:
    """Post-norm with ReLU, as torch has it by default."""
    return nn.TransformerEncoderLayer(
        dim, config.heads, config.feedforward, config.dropout, batch_first=True
    )

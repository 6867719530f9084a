"""Self-attention over the views (Hiba & Keller, TPAMI 2023, arXiv 2103.09882)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.streams import Combined, Shape, Streams
from hae.config import AggregatorConfig


class SelfAttention(nn.Module):
    """BatchNorm(encoder([CLS; e_1 .. e_K])_CLS): a learned token asks all views at once.

    There is no positional code, so the order of the views has no effect. The map ``views``
    (b, heads, k), on request, is what the token takes of each view in the last layer; the rest up
    to 1 it takes of itself.

    Raises
    ------
    ValueError
        A training batch of one face, of which BatchNorm has no variance.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        dim = shape.dim
        self.token = nn.Parameter(torch.randn(1, 1, dim) * config.token_scale)
        self.encoder = nn.TransformerEncoder(
            encoder_layer(dim, config), config.layers, nn.LayerNorm(dim), enable_nested_tensor=False
        )
        # The encoder's layers are copies of one; each gets a first draw of its own.
        self.encoder.layers = nn.ModuleList(
            encoder_layer(dim, config) for _ in range(config.layers)
        )
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: Streams) -> Combined:
        """One embedding of K, (b, k, d) -> (b, 1, d)."""
        e = x.views
        if self.training and len(e) == 1:
            raise ValueError("aggregator sae: a training batch of 1 face, BatchNorm needs 2")
        token = self.token.to(e.dtype).expand(len(e), -1, -1)
        absent = None if x.mask is None else functional.pad(~x.mask, (1, 0), value=False)
        first = torch.cat([token, e], dim=1)  # (b, 1 + k, d)
        tokens = self.encoder(first, src_key_padding_mask=absent)
        out: Tensor = self.norm(tokens[:, 0])[:, None]
        return Combined(out, {"views": self._map(first, absent)} if x.maps else {})

    def _map(self, tokens: Tensor, absent: Tensor | None) -> Tensor:
        *before, last = self.encoder.layers
        for layer in before:
            tokens = layer(tokens, src_key_padding_mask=absent)
        found: Tensor = last.self_attn(
            tokens, tokens, tokens, key_padding_mask=absent, average_attn_weights=False
        )[1]
        return found[:, :, 0, 1:]


def encoder_layer(dim: int, config: AggregatorConfig) -> nn.TransformerEncoderLayer:
    """Post-norm with ReLU, as torch has it by default."""
    return nn.TransformerEncoderLayer(
        dim, config.heads, config.feedforward, config.dropout, batch_first=True
    )

"""Multimodal compact bilinear pooling, MCB (Fukui et al., EMNLP 2016, arXiv 1606.01847), on faces.

Written from the formulas. The mean view stands where the paper has the question. It differs from
the released code in that the scores of attention are one linear layer of the sketch, and the root
has a finite gradient at 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.mlb import glimpses
from hae.aggregate.streams import Combined, Shape, Streams, mean, signed_root
from hae.config import AggregatorConfig


class CountSketch(nn.Module):
    """Psi(x)_j = sum over i with h(i) = j of s(i) x_i; h and s are drawn once and stored."""

    index: Tensor
    sign: Tensor

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("index", torch.randint(size, (dim,)))
        self.register_buffer("sign", 2.0 * torch.randint(2, (dim,)) - 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., size), float32."""
        x = x.float() * self.sign.float()
        return x.new_zeros(*x.shape[:-1], self.size).index_add(-1, self.index, x)


class CompactBilinear(nn.Module):
    """A sketch of the outer product of x and y: IFFT(FFT(Psi_1 x) * FFT(Psi_2 y)), in float32.

    Its inner products are unbiased for (x . x') (y . y'), over draws of the hashes.
    """

    def __init__(self, x_dim: int, y_dim: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.left, self.right = CountSketch(x_dim, size), CountSketch(y_dim, size)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(..., d1) and (..., d2) -> (..., size)."""
        with torch.autocast(x.device.type, enabled=False):
            left, right = torch.fft.rfft(self.left(x)), torch.fft.rfft(self.right(y))
            found: Tensor = torch.fft.irfft(left * right, n=self.size)
            return found


class Scores(nn.Module):
    """Linear scores of the normalised sketch of a query and each region."""

    def __init__(self, dim: int, maps: int, size: int) -> None:
        super().__init__()
        self.sketch = CompactBilinear(dim, dim, size)
        self.outer = nn.Linear(size, maps)

    def forward(self, u: Tensor, v: Tensor) -> Tensor:
        """(b, 1, d) and (b, r, d) -> (b, r, maps)."""
        found: Tensor = self.outer(signed_root(self.sketch(u, v)))
        return found


class CompactBilinearAttention(nn.Module):
    """W drop(normalised root of the sketch of the mean view and the regions it attends to).

    ``sketch`` (4096) is its size; the root is signed and the whole scaled to length 1. ``glimpses``
    and the map ``regions`` as in MLB: the sketch is used for them too.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        d, g, size = shape.dim, config.glimpses, config.sketch
        self.attention = Scores(d, g, size) if g else None
        self.fusion = CompactBilinear(d, d * max(1, g), size)
        self.dropout = nn.Dropout(config.dropout)
        self.outer = nn.Linear(size, d)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        u = mean(x.views, x.mask)
        seen, maps = glimpses(self.attention, u, x)
        joint = signed_root(self.fusion(u, seen))
        return Combined(self.outer(self.dropout(joint))[:, None], maps)

"""Second-order pooling (Lin, RoyChowdhury & Maji, ICCV 2015, arXiv 1504.07889), over views.

Written from the formulas, for one stream. It differs from the paper in that the views of a face
stand where it has the places of an image, the embeddings are reduced to 64
dimensions first, and a linear layer brings the 64 x 64 products back to d.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Shape, Streams, signed_root, zero_filled
from hae.config import AggregatorConfig

WIDTH = 64


class SecondOrder(nn.Module):
    """W root(1/K sum_k f_k f_k') + b with f = V e + c of ``width`` (64) dimensions.

    The root is signed, and the whole scaled to length 1. How much the views disagree is in it.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        width = config.width or min(WIDTH, shape.dim)
        self.inner = nn.Linear(shape.dim, width)
        self.outer = nn.Linear(width * width, shape.dim)

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        products = moments(self.inner(x.views), x.mask)
        return Combined(self.outer(signed_root(products.flatten(1)))[:, None])


def moments(f: Tensor, mask: Tensor | None) -> Tensor:
    """1/K sum_k f_k f_k' over the views that are there, (b, k, w) -> (b, w, w), float32."""
    with torch.autocast(f.device.type, enabled=False):
        f = zero_filled(f, mask).float()
        count = f.shape[1] if mask is None else mask.sum(dim=1)[:, None, None]
        return f.transpose(1, 2) @ f / count

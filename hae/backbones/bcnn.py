"""Bilinear pooling, B-CNN (Lin, RoyChowdhury & Maji, ICCV 2015, arXiv 1504.07889).

Written from the formulas, for one network that is both of the paper's (second-order pooling). It
differs from the paper in that a linear layer brings the places to 64 channels first. The compact
form is Gao et al.'s (CVPR 2016, arXiv 1511.06062) by count sketches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.mcb import CompactBilinear
from hae.aggregate.second_order import moments
from hae.aggregate.streams import signed_root
from hae.backbones.attended import Attended, Judge
from hae.config import BackboneConfig

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

WIDTH = 64
ALL = 1024
"""More places by side than any map has: none are pooled."""


class BilinearPooling(nn.Module):
    """root(sum_l f_l f_l'), f_l = W x_l + b of ``width`` (64) channels at every place l.

    The root is signed, and the whole scaled to length 1. With ``sketch`` = s > 0 the sum is that
    of count sketches of s numbers instead, whose inner products are unbiased.

    Parameters
    ----------
    inner : Backbone
        Gives the places: those of its last map, or its tokens.
    settings : BackboneConfig
        ``width`` and ``sketch``.
    size : int
        Any.
    """

    learns_where = False

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner = inner
        width = settings.width or WIDTH
        self.reduce = nn.Linear(inner.region_dim, width)
        size = settings.sketch
        self.sketch = CompactBilinear(width, width, size) if size else None
        self.num_features = size or width * width
        self.region_dim = inner.region_dim

    def products(self, f: Tensor) -> Tensor:
        """The sum over places of the outer products, or of their sketches, (n, r, w) -> (n, d)."""
        if self.sketch is not None:
            sketches: Tensor = self.sketch(f, f)
            return sketches.sum(dim=1)
        return (moments(f, None) * f.shape[1]).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, d)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions are those of the network inside; nothing is chosen."""
        places = self.inner.with_regions(images, ALL)[1]
        features = signed_root(self.products(self.reduce(places)))
        return Attended(features, _pooled(places, cells))

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """None."""
        return {}


def _pooled(places: Tensor, cells: int) -> Tensor:
    """At most ``cells`` by side, where the places form a square."""
    side = math.isqrt(places.shape[1])
    if side <= cells or side**2 != places.shape[1]:
        return places
    square = places.transpose(1, 2).unflatten(2, (side, side))  # type: ignore[no-untyped-call]
    return functional.adaptive_avg_pool2d(square, cells).flatten(2).transpose(1, 2)

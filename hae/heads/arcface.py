"""Identity head of the paper's first stage: additive angular margin.

Deng et al., "ArcFace", CVPR 2019, arXiv 1801.07698, with the margin 0.5 and scale 64 that the
code of Hiba & Keller uses. Differs from common code in that 1 - cos^2 is kept above 0, where the
gradient of its root is infinite.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.heads.branch import full

_EPS = 1e-7


class Identity(NamedTuple):
    """``loss``: mean cross-entropy. ``logits``: scaled cosines without the margin, (n, classes)."""

    loss: Tensor
    logits: Tensor


class ArcFace(nn.Module):
    """-log softmax of s cos(theta_y + m) among s cos(theta_j), computed in float32.

    Where theta_y + m would pass pi, the cosine is continued by cos(theta_y) - m sin(m), so that
    the loss keeps growing with the angle.
    """

    def __init__(
        self, dim: int, n_classes: int, *, margin: float = 0.5, scale: float = 64.0
    ) -> None:
        super().__init__()
        self.margin = margin
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(n_classes, dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, features: Tensor, labels: Tensor) -> Identity:
        """Of features (n, dim) and classes int64 (n,)."""
        with torch.autocast(features.device.type, enabled=False):
            directions = functional.normalize(full(self.weight), dim=-1)
            cosine = functional.normalize(full(features), dim=-1) @ directions.T  # (n, classes)
        own = cosine.gather(1, labels[:, None])  # (n, 1)
        logits = cosine.scatter(1, labels[:, None], add_margin(own, self.margin))
        loss = functional.cross_entropy(self.scale * logits, labels)
        return Identity(loss, self.scale * cosine)


def add_margin(cosine: Tensor, margin: float) -> Tensor:
    """cos(theta + m) from cos(theta), with finite gradients on [-1, 1]."""
    sine = (1 - cosine**2).clamp_min(_EPS).sqrt()
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - margin * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), turned, beyond)

"""Spatial transformers (Jaderberg, Simonyan & Zisserman, NIPS 2015, arXiv 1506.02025).

Written from the formulas. It differs from the paper in that the transformers stand before the
network alone, all share one small localiser, and a penalty stands where the paper has a small
learning rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.backbones.attended import Attended, Judge
from hae.config import BackboneConfig
from hae.heads.branch import full

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

SEEN = 64
"""Side in pixels of what the localiser looks at."""
GUARD = 0.1
"""Weight of the penalty, in units of the answer's loss: it must hold whether that is of squares of
years or of probabilities."""
AREAS = (0.4**2, 1.2**2)
"""Shares of the image that a transformer may show without a penalty: scales 0.4 to 1.2."""


class SpatialTransformer(nn.Module):
    """T crops x(A_t grid), A_t (2, 3) from a localiser; the features of all in a row.

    At birth all A are the identity, exactly. Term ``transform`` of the loss: 0.1 times that of the
    answer times the mean over faces and t of |A_t - I|^2 + (what det A_t lies outside
    [0.4^2, 1.2^2])^2; a mirror has a det below 0.

    Parameters
    ----------
    inner : Backbone
        Sees the crops, at the size of the image.
    settings : BackboneConfig
        ``transformers`` T.
    size : int
        Any.
    """

    learns_where = True

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner, self.n = inner, settings.transformers
        self.num_features = inner.out_dim * self.n
        self.region_dim = inner.region_dim
        self.localiser = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
            nn.Linear(512, 128), nn.ReLU(),
        )  # fmt: skip
        self.matrix = nn.Linear(128, 6 * self.n)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(self.n))

    def matrices(self, images: Tensor) -> Tensor:
        """A, (n, T, 2, 3), float32."""
        small = functional.interpolate(
            images, (SEEN, SEEN), mode="bilinear", align_corners=False, antialias=True
        )
        hidden = self.localiser(small)
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 tells 1/256 apart
            found: Tensor = self.matrix(full(hidden))
        return found.view(-1, self.n, 2, 3)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, T d)."""
        features: Tensor = self.inner(crops(images, self.matrices(images)))
        return features.reshape(len(images), -1)

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions are the places of every crop, T in a row; boxes hold the crops."""
        matrices = self.matrices(images)
        features, regions = self.inner.with_regions(crops(images, matrices), cells)
        n = len(images)
        return Attended(
            features.reshape(n, -1),
            regions.reshape(n, -1, regions.shape[-1]),
            maps={"transform": matrices},
            boxes=around(matrices),
        )

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``transform``: :func:`penalty` times the loss of the answer, which it does not teach."""
        scale = judge(attended.features[:, None]).loss.detach()
        return {"transform": GUARD * scale * penalty(attended.maps["transform"]).mean()}


def crops(images: Tensor, matrices: Tensor, side: int | None = None) -> Tensor:
    """(n, c, h, w) and (n, T, 2, 3) -> (n * T, c, h, w), bilinear; 0 outside the image.

    ``side``: of the crops, instead of h and w.
    """
    t = matrices.shape[1]
    with torch.autocast(images.device.type, enabled=False):
        many = full(images).repeat_interleave(t, dim=0)
        size = [*many.shape[:2], *(many.shape[2:] if side is None else (side, side))]
        places = functional.affine_grid(matrices.flatten(0, 1), size, align_corners=False)
        return functional.grid_sample(many, places, align_corners=False)


def penalty(matrices: Tensor) -> Tensor:
    """(n, T, 2, 3) -> (n,); see the class."""
    identity = torch.eye(2, 3, device=matrices.device)
    a, b, c, d = matrices[..., :2].flatten(-2).unbind(-1)
    area = a * d - b * c
    outside = (AREAS[0] - area).clamp_min(0) ** 2 + (area - AREAS[1]).clamp_min(0) ** 2
    return (((matrices - identity) ** 2).sum((-2, -1)) + outside).mean(-1)


def around(matrices: Tensor) -> Tensor:
    """The upright boxes around the crops, (n, T, 4), in shares of the image."""
    reach = matrices[..., :2].abs().sum(-1)  # of the corners (+-1, +-1) from the centre
    centre = matrices[..., 2]
    return (torch.cat([centre - reach, centre + reach], dim=-1) + 1) / 2


def upright(boxes: Tensor) -> Tensor:
    """The matrices (n, 1, 2, 3) whose crops are boxes (n, 4) in shares of the image."""
    x0, y0, x1, y1 = boxes.unbind(1)
    none = torch.zeros_like(x0)
    rows = [x1 - x0, none, x0 + x1 - 1, none, y1 - y0, y0 + y1 - 1]
    return torch.stack(rows, dim=1).view(-1, 1, 2, 3)

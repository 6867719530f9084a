"""Residual attention networks (Wang et al., CVPR 2017, arXiv 1704.06904).

Written from the formulas. It differs from the paper in that masks are enlarged to the size of what
they meet, so that any input size will do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = (256, 512, 1024)
DEPTHS = (3, 2, 1)
"""How often the mask of each stage is halved, at 224 px to 7 x 7."""
TRUNK = 2


class Unit(nn.Module):
    """x + W3 f(W2 f(W1 f(x))), f = ReLU(BatchNorm); where sizes change W0 f(x) + ...

    Inside there are ``squeeze`` times fewer channels than at its end.
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1, squeeze: int = 4) -> None:
        super().__init__()
        inner = c_out // squeeze
        self.before = nn.Sequential(nn.BatchNorm2d(c_in), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(c_in, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU(),
            nn.Conv2d(inner, c_out, 1, bias=False),
        )  # fmt: skip
        same = c_in == c_out and stride == 1
        self.skip = None if same else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c_in, h, w) -> (n, c_out, h / stride, w / stride)."""
        active = self.before(x)
        out: Tensor = self.body(active)
        return out + (x if self.skip is None else self.skip(active))


class Mask(nn.Module):
    """Units between max-pools and enlargement, ``depth`` deep, with a unit as each skip."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.down, self.up = Unit(channels, channels), Unit(channels, channels)
        self.skip = Unit(channels, channels) if depth > 1 else None
        self.deeper = Mask(channels, depth - 1) if depth > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same."""
        low = self.down(functional.max_pool2d(x, 3, 2, 1))
        if self.deeper is not None and self.skip is not None:
            low = self.skip(low) + self.deeper(low)
        return functional.interpolate(
            self.up(low), x.shape[-2:], mode="bilinear", align_corners=False
        )


class Attention(nn.Module):
    """u((1 + M(v)) T(v)), v = u(x): trunk T of two units, mask M in (0, 1) at every place."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first, self.last = Unit(channels, channels), Unit(channels, channels)
        self.trunk = nn.Sequential(*(Unit(channels, channels) for _ in range(TRUNK)))
        self.mask = Mask(channels, depth)
        self.scores = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1, bias=False),
        )  # fmt: skip
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same."""
        v = self.first(x)
        out: Tensor = self.last((1 + self.gate(self.scores(self.mask(v)))) * self.trunk(v))
        return out


class ResidualAttention(nn.Module):
    """Stages of 256, 512 and 1024 ``channels`` with attention, then three units of 2048.

    ``modules``: of attention in each stage; 1, 1, 1 make 29.8 million parameters (Attention-56) and
    1, 2, 3 make 50.4 (Attention-92). ``size``: any. The last units have twice the channels of the
    last stage. Masks are gates (n, c, h, w); see
    ``attended.gates``.
    """

    def __init__(
        self,
        modules: tuple[int, int, int],
        size: int = 224,
        channels: tuple[int, int, int] = CHANNELS,
    ) -> None:
        super().__init__()
        del size
        self.num_features = width = 2 * channels[-1]
        stages: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]  # fmt: skip
        before = 64
        for i, (c, depth, count) in enumerate(zip(channels, DEPTHS, modules, strict=True)):
            stages += [Unit(before, c, 1 if i == 0 else 2)]
            stages += [Attention(c, depth) for _ in range(count)]
            before = c
        stages += [Unit(before, width, 2), Unit(width, width), Unit(width, width)]
        self.stages = nn.Sequential(*stages, nn.BatchNorm2d(width), nn.ReLU())
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map, (n, 2048, h / 32, w / 32)."""
        last: Tensor = self.stages(images)
        return last

    def forward_head(self, last: Tensor) -> Tensor:
        """Its mean over places."""
        return torch.mean(last, dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 2048)."""
        return self.forward_head(self.forward_features(images))

"""Stacked hourglasses (Newell, Yang & Deng, ECCV 2016, arXiv 1603.06937) as finders of parts.

Written from the formulas. It differs from the paper in that
- nobody says where the parts are: heat maps are learned from the answer and from a penalty on
  parts that overlap, and are shares of the places, not pictures of key points;
- the depth fits the input, and stacks are few and narrow unless asked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.backbones.resattn import Unit
from hae.config import BackboneConfig
from hae.heads.branch import full

WIDTH, PARTS = 128, 8
DEEPEST, COARSEST = 4, 4
"""Most halvings of a map, and the fewest places by side that these leave."""
FEWEST_PIXELS = 32
"""Its map of 8 x 8 places can be halved once."""
DIVERSITY = 0.1
"""Weight of the overlap, in units of the answer's loss: parts must come apart whether that is of
squares of years or of probabilities."""


class Scales(nn.Module):
    """U(x) + enlarge(U(U..(U(pool(x))))), ``depth`` deep: max-pool down, nearest place up."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.skip, self.down, self.up = (Unit(width, width, squeeze=2) for _ in range(3))
        self.inner = Scales(width, depth - 1) if depth > 1 else Unit(width, width, squeeze=2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same."""
        low: Tensor = self.up(self.inner(self.down(functional.max_pool2d(x, 2))))
        skipped: Tensor = self.skip(x)
        return skipped + functional.interpolate(low, x.shape[-2:], mode="nearest")


class Stack(nn.Module):
    """A map y and scores of the parts at its places; what the next stack sees."""

    def __init__(self, width: int, parts: int, depth: int, *, last: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            Scales(width, depth), Unit(width, width, squeeze=2),
            nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        )  # fmt: skip
        self.scores = nn.Conv2d(width, parts, 1)
        self.back = None if last else nn.Conv2d(width + parts, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, c, h, w) -> y of the same shape, scores (n, p, h, w), x + W (y, scores)."""
        y = self.body(x)
        scores = self.scores(y)
        after = x if self.back is None else x + self.back(torch.cat([y, scores], dim=1))
        return y, scores, after


class Hourglass(nn.Module):
    """P parts of a face: m_p = softmax over places of a heat map, r_p = sum_l m_p(l) y(l).

    ``features`` are the r_1 ... r_P of the last stack in a row, ``regions`` the same apart. Parts
    that overlap cost, see :meth:`losses`, and the features of every stack before the last have a
    loss of their own, of the same weight as the answer's.

    Parameters
    ----------
    settings : BackboneConfig
        ``stacks``, ``parts``, ``width``; the paper's are 8, one for each key point, and 256.
    size : int
        Side of the input. Its map has size / 4 places by side, and is halved (4 times at most) as
        long as 4 are left: once at 32 px, twice at 64 and 112, three times at 224, 4 times at 256.

    Raises
    ------
    InputError
        The input is too small.
    """

    learns_where = True

    def __init__(self, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        if size < FEWEST_PIXELS:
            raise InputError(
                f"backbone 'hourglass': the input has {size} px, must be at least {FEWEST_PIXELS}, "
                "so that its map of a quarter of the side can be halved; raise model.size"
            )
        width, parts = settings.width or WIDTH, settings.parts or PARTS
        half = max(4, width // 2)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            Unit(64, half, squeeze=2), nn.MaxPool2d(2),
            Unit(half, half, squeeze=2), Unit(half, width, squeeze=2),
        )  # fmt: skip
        deep, last = depth(-(-size // 2) // 2), settings.stacks - 1
        self.stacks = nn.ModuleList(
            Stack(width, parts, deep, last=i == last) for i in range(settings.stacks)
        )
        self.region_dim, self.num_features = width, parts * width

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, P c)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Maps ``parts_1`` ... of the stacks, (n, P, h, w); boxes as wide as the last are spread.

        ``cells`` is of no use: parts form no map.
        """
        x, found, maps = self.stem(images), [], {}
        for i, stack in enumerate(self.stacks):
            y, scores, x = stack(x)
            shares = full(scores).flatten(2).softmax(dim=-1)
            found.append(pooled(shares, y))
            maps[f"parts_{i + 1}"] = shares.unflatten(2, y.shape[-2:])  # type: ignore[no-untyped-call]
        regions = found[-1]
        earlier = [r.flatten(1) for r in found[:-1]]
        return Attended(
            regions.flatten(1),
            regions,
            maps,
            spread(maps[f"parts_{len(maps)}"]),
            parts=torch.stack(earlier, dim=1) if earlier else None,
        )

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``stacks``: the sum of the losses of the stacks before the last; ``overlap``.

        That is the mean of :func:`overlap` over images and stacks times the loss of the features
        alone, which is not learned by this.
        """
        shared = torch.stack([overlap(m) for m in attended.maps.values()]).mean()
        scale = judge(attended.features[:, None]).loss.detach()
        terms = {"overlap": DIVERSITY * scale * shared}
        if attended.parts is not None:
            terms["stacks"] = attended.parts.shape[1] * judge(attended.parts).loss
        return terms


def depth(side: int) -> int:
    """How often a map is halved: at most 4 times, while 4 places by side are left."""
    return max(d for d in range(1, DEEPEST + 1) if d == 1 or side >> d >= COARSEST)


def pooled(shares: Tensor, y: Tensor) -> Tensor:
    """Sum_l m_p(l) y(l) in float32, (n, p, h w) and (n, c, h, w) -> (n, p, c)."""
    with torch.autocast(y.device.type, enabled=False):
        return shares @ full(y).flatten(2).transpose(1, 2)


def overlap(maps: Tensor) -> Tensor:
    """2 / (P (P - 1)) sum_(p < q) <m_p, m_q> / (|m_p| |m_q|), (n, P, h, w) -> (n,).

    0 where no two parts share a place, 1 where all maps are one; unlike the plain product it does
    not fall as maps become flat.
    """
    rows = functional.normalize(maps.flatten(2), dim=-1)
    p = rows.shape[1]
    total = rows.sum(dim=1).square().sum(dim=-1) - rows.square().sum(dim=(1, 2))
    return total / (p * (p - 1))


def spread(maps: Tensor) -> Tensor:
    """Boxes whose even filling has each map's mean and variance, (n, P, h, w) -> (n, P, 4).

    In shares of the image, and cut at its edges. One place gives its cell, an even map the whole.
    """
    ends = []
    for axis in (-1, -2):  # x, y
        shares = maps.sum(dim=-3 - axis)  # over the other one
        n = shares.shape[-1]
        at = (torch.arange(n, device=maps.device) + 0.5) / n
        mean = (shares * at).sum(-1)
        variance = (shares * (at - mean[..., None]) ** 2).sum(-1) + 1 / (12 * n**2)
        reach = (3 * variance).sqrt()
        ends.append(torch.stack([mean - reach, mean + reach], dim=-1).clamp(0, 1))
    across, down = ends
    return torch.stack([across, down], dim=-1).flatten(-2)

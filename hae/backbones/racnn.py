"""Recurrent attention CNN, RA-CNN (Fu, Zheng & Mei, "Look closer to see better", CVPR 2017).

Written from the formulas. It differs from the paper in that
- one network sees all three scales, and their features are averaged, not concatenated;
- both kinds of training happen in every step, and neither reaches the weights of the other: the
  paper alternates between them until each has converged;
- the third scale is cut out of the full image too, and the earlier scale is a fixed mark that the
  next one has to beat;
- squares always lie in the image and have a third to two thirds of its side: left free, they soon
  grew to the whole; a small layer brings the places to 32 channels before they propose one;
- the rank term compares errors in units of five years for ages; for expressions 1 - p of the truth,
  which is the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.backbones.squares import highest, within, zoom
from hae.config import BackboneConfig
from hae.heads.branch import full

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

SCALES = 3
SMALLEST, LARGEST = 1 / 6, 1 / 3
"""Half sides of squares, in shares of what they lie in."""
MARGIN = 0.05
CELLS, REDUCED, WIDTH = 7, 32, 128


class Proposal(nn.Module):
    """Squares from the places of a map, (n, r, c) -> (n, 3): centre x, y and half side, in shares.

    Linear to 32 channels, linear over all places, tanh, linear, sigmoid -> (u, v, t); the half side
    is (1 + t) / 6 and the centre so that the square moves from end to end as u and v do.
    """

    def __init__(self, channels: int, places: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, REDUCED)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(REDUCED * places, width), nn.Tanh(), nn.Linear(width, 3)
        )

    def forward(self, places: Tensor) -> Tensor:
        """Float32: bfloat16 tells places 1/256 apart."""
        with torch.autocast(places.device.type, enabled=False):
            found = self.layers(self.reduce(full(places))).sigmoid()
        half = SMALLEST + (LARGEST - SMALLEST) * found[:, 2:]
        return torch.cat([half + (1 - 2 * half) * found[:, :2], half], dim=1)


class RecurrentAttention(nn.Module):
    """Features of the whole, of a square in it and of a square in that one; their mean.

    The whole is seen at its own size, the squares at ``base`` pixels (half of it unless stated). In
    the first ``proposal_steps`` batches of training the squares shown are those of
    :func:`highest`, and the proposals learn to sit on them (penalty ``proposal``). From then on
    they learn by rank.

    Parameters
    ----------
    inner : Backbone
        Sees everything; it must take both sizes.
    settings : BackboneConfig
        ``base``, ``width``, ``proposal_steps``.
    size : int
        Side of the input.

    Raises
    ------
    InputError
        The network takes one size alone, or has too few places to propose a square from.
    """

    learns_where = True
    batches: Tensor

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner, self.settings = inner, settings
        self.side = settings.base or -(-size // 2)
        self.num_features = self.region_dim = inner.out_dim
        self.proposals = nn.ModuleList(
            Proposal(inner.region_dim, _places(inner, settings, seen), settings.width or WIDTH)
            for seen in (size, *[self.side] * (SCALES - 2))
        )
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, s, s) -> (n, d)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions are the features of each scale; boxes the whole and the two squares."""
        first = self.training and int(self.batches) < self.settings.proposal_steps
        learns = self.training and not first and torch.is_grad_enabled()
        box = images.new_tensor([0.0, 0, 1, 1]).expand(len(images), 4)
        boxes, features, squares, marks, missed, seen = [box], [], [], [], [], images
        for proposal in self.proposals:
            found, places = self.inner.with_regions(seen, CELLS)
            features.append(full(found))
            square, target = proposal(places.detach()), highest(places.detach())
            missed.append((square - target).square().sum(dim=1))
            squares.append(square)
            # the answer's gradient ends at the mark, which is where that of the rank is read
            marks.append(target if first else square.detach().requires_grad_(learns))
            box = within(marks[-1], box.detach())
            boxes.append(box.detach())
            seen = zoom(images, box, self.side)
        features.append(full(self.inner(seen)))
        parts = torch.stack(features, dim=1)
        return Attended(
            parts.mean(dim=1),
            parts,
            boxes=torch.stack(boxes, dim=1),
            penalties={"proposal": torch.stack(missed).sum(dim=0)} if first else {},
            parts=parts,
            steer=_steer(parts, marks, squares) if learns else None,
        )

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``scales``: the sum of the losses of each scale alone; ``ranking``: :func:`ranked`.

        The first is learned by the network alone, the second by the proposals alone.
        """
        if attended.parts is None:
            return {}
        alone = judge(attended.parts)
        terms = {"scales": SCALES * alone.loss}
        if self.training:
            self.batches += 1
        if attended.steer is not None:
            rank = ranked(alone.error)
            (slope,) = torch.autograd.grad(rank, attended.parts, retain_graph=True)
            pull = attended.steer(slope)
            terms["ranking"] = rank.detach() + pull - pull.detach()
        return terms


def ranked(error: Tensor) -> Tensor:
    """sum_s max(0, e_(s+1) - e_s + 0.05), mean over images, of (n, s); e_s is not learned."""
    return (error[:, 1:] - error[:, :-1].detach() + MARGIN).clamp_min(0).sum(dim=1).mean()


def _steer(parts: Tensor, marks: list[Tensor], squares: list[Tensor]) -> Callable[[Tensor], Tensor]:
    def steer(slope: Tensor) -> Tensor:
        pulls = torch.autograd.grad(parts[: len(slope)], marks, slope, retain_graph=True)
        products = [(pull * square).sum() for pull, square in zip(pulls, squares, strict=True)]
        return torch.stack(products).sum()

    return steer


def _places(inner: Backbone, settings: BackboneConfig, size: int) -> int:
    """How many places an image of a size has to propose a square from."""
    place = f"backbone {settings.label!r}"
    try:
        n = inner.n_regions(size, CELLS)
    except (AssertionError, RuntimeError) as error:
        raise InputError(
            f"{place}: {settings.of!r} takes no images of {size} px beside others; set base to "
            f"model.size, or take a ResNet ({error})"
        ) from None
    if n < 4 or math.isqrt(n) ** 2 != n:
        raise InputError(
            f"{place}: at {size} px the last map of {settings.of!r} has {n} places, must be a "
            "square of at least 2 x 2; raise model.size or base, or take a network of less stride"
        )
    return n

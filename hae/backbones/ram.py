"""Glimpses: RAM (Mnih et al., NIPS 2014, arXiv 1406.6247), DRAM (Ba et al., ICLR 2015, 1412.7755).

Written from the formulas. They differ from the papers in that
- the first glimpse of RAM is drawn too, about a place that is learned; the papers' is anywhere;
- in DRAM the state that tells the answer gives the locations no gradient back: glimpses and first
  LSTM learn from the answer alone, context, second LSTM and locations by reward alone;
- its convolutions have strides, and its context sees the image at the size of a glimpse;
- the reward is graded: exp(-|error| / 5 years) of an age, the probability of the true expression;
- evaluation looks at the mean locations.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.backbones.glimpse import Deep, Recurrent, about, retina
from hae.backbones.places import FEWEST_PIXELS, resized
from hae.config import BackboneConfig
from hae.reinforce import reinforce

POLICY = 0.01
"""Weight of REINFORCE, whose draws are summed over a face's glimpses."""


class Glimpses(nn.Module):
    """The state after T ``glimpses`` of an image.

    A glimpse is ``patches`` k patches about one place, of g, 2g, 4g ... pixels, all seen at g
    pixels: ``glimpse``, a quarter of the input's side unless stated. Places l lie in [-1, 1]^2,
    beyond the image is the mean colour. l ~ N(m, ``sigma``^2), m = tanh(W h + b), brought into the
    square; evaluation takes m.

    Parameters
    ----------
    core : Recurrent or Deep, the class
        Glimpse network and states.
    settings : BackboneConfig
        ``glimpses``, ``patches``, ``glimpse``, ``sigma``.
    size : int
        Side of the input.

    Raises
    ------
    InputError
        A glimpse shows too little, or is larger than the input.
    """

    learns_where = True

    def __init__(
        self, core: Callable[[int, int], Recurrent | Deep], settings: BackboneConfig, size: int
    ) -> None:
        super().__init__()
        self.settings = settings
        self.side = _checked(settings, size)
        self.core = core(self.side, settings.patches)
        self.num_features = self.region_dim = self.core.width
        self.mean, self.value = nn.Linear(self.core.width, 2), nn.Linear(self.core.width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, s, s) -> (n, d)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions are the glimpses; boxes their finest patches."""
        levels = [
            resized(images, max(1, round(images.shape[-1] / 2**i)))
            for i in range(self.settings.patches)
        ]
        state, reach = self.core.first(images), self.side / images.shape[-1]
        found, boxes, logs, values = [], [], [], []
        for _ in range(self.settings.glimpses):
            with torch.autocast(images.device.type, enabled=False):
                looker = self.core.looker(state)
                mean = torch.tanh(self.mean(looker))
                values.append(self.value(looker.detach())[:, 0])
            place, log = drawn(mean, self.settings.sigma, draw=self.training)
            logs.append(log)
            found.append(self.core.glimpse(retina(levels, place, self.side, reach), place))
            boxes.append(about(place, reach))
            with torch.autocast(images.device.type, enabled=False):
                state = self.core(found[-1], state)
        return Attended(
            state[0],
            torch.stack(found, dim=1),
            boxes=torch.stack(boxes, dim=1),
            logs=torch.stack(logs, dim=1),
            values=torch.stack(values, dim=1),
        )

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """``baseline``: mean (b_t - R)^2; ``policy``: 0.01 sum_t -(R - b_t) log p_t, mean."""
        if attended.logs is None or attended.values is None:
            return {}
        reward = judge(attended.features[:, None]).score.detach().expand_as(attended.values)
        baseline = functional.mse_loss(attended.values, reward)
        mean = reinforce(attended.logs, reward, attended.values)
        return {"baseline": baseline, "policy": POLICY * attended.logs.shape[1] * mean}


def drawn(mean: Tensor, sigma: float, *, draw: bool) -> tuple[Tensor, Tensor]:
    """Places in [-1, 1]^2 about means (n, 2), and log N(x; m, sigma^2) of x before it is clamped.

    A gradient reaches the means through the second alone.
    """
    still = mean.detach()
    place = still + sigma * torch.randn_like(still) if draw else still
    logs = -((place - mean) ** 2).sum(dim=1) / (2 * sigma**2) - math.log(2 * math.pi * sigma**2)
    return place.clamp(-1, 1), logs


def _checked(settings: BackboneConfig, size: int) -> int:
    """Side of a glimpse in pixels."""
    side = settings.glimpse or size // 4
    place = f"backbone {settings.label!r}"
    if side > size:
        raise InputError(
            f"{place}: glimpse is {side}, the input has {size} px; lower glimpse to at most that, "
            "or raise model.size"
        )
    if side < FEWEST_PIXELS:
        raise InputError(
            f"{place}: glimpses of {side} px of an input of {size} px show nothing, must be at "
            f"least {FEWEST_PIXELS}; set glimpse, or raise model.size"
        )
    return side

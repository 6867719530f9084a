"""What is known of the age of each face: a number, or an interval that holds it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audit.errors import InputError
from hae.config import HeadConfig

# Ages come in float32: (30.1 - 0) / 0.1 must not fall into the bin below 301.
_SLACK = 1e-4


@dataclass(frozen=True, eq=False)
class AgeTarget:
    """Known intervals [low, high) in years, float32 of shape (b,).

    An exact age has ``low == high``; ``high`` is infinite for a band with an open top.
    """

    low: Tensor
    high: Tensor

    @property
    def exact(self) -> Tensor:
        """Where the age itself is known, bool (b,)."""
        return self.low == self.high

    def to(self, device: torch.device | str) -> AgeTarget:
        """The same on another device."""
        return AgeTarget(self.low.to(device), self.high.to(device))

    def repeat(self, times: int) -> AgeTarget:
        """Each face ``times`` times in a row, shape (b * times,)."""
        return AgeTarget(self.low.repeat_interleave(times), self.high.repeat_interleave(times))


def check_target(target: AgeTarget, config: HeadConfig) -> None:
    """Refuse ages that no bin holds; a band must reach into the range.

    Raises
    ------
    InputError
        Not a number, an interval upside down, or outside the head's range.
    """
    low, high = target.low, target.high
    if not bool((low <= high).all()):
        raise InputError("ages: low must be at most high and both must be numbers; mend the table")
    top = _top(config)
    below = torch.where(target.exact, low < config.age_min, high <= config.age_min)
    above = torch.zeros_like(below) if config.open_top else low >= top
    wrong = below | above
    if bool(wrong.any()):
        limit = "inf" if config.open_top else f"{top:g}"
        first = int(wrong.nonzero()[0])
        raise InputError(
            f"ages: {int(wrong.sum())} of {len(low)} lie outside the head's range "
            f"[{config.age_min:g}, {limit}), such as {float(low[first]):g}; "
            "widen head.age_min and head.age_max or leave those faces out"
        )


def clip_to_range(low: Tensor, high: Tensor, config: HeadConfig) -> tuple[Tensor, Tensor]:
    """The part of an interval that lies in the range of the bins, in years.

    What lies wholly beyond an end is read as the bin at that end: the top bin is open, and ages
    below the range have been refused before (``check_target``).
    """
    first, last = config.age_min, _top(config) - config.bin_width
    low = low.clamp(first, last)
    return low, high.clamp(first + config.bin_width, last + config.bin_width)


def bin_range(target: AgeTarget, config: HeadConfig) -> tuple[Tensor, Tensor]:
    """First and last bin that the interval reaches into, each int64 (b,); equal for exact ages."""
    low, high = clip_to_range(target.low, target.high, config)
    first = torch.floor(_position(low, config) + _SLACK)
    last = torch.ceil(_position(high, config) - _SLACK) - 1
    last = torch.where(target.exact, first, torch.maximum(first, last))
    return first.long(), last.long()


def overlap(target: AgeTarget, config: HeadConfig) -> Tensor:
    """Share of every bin that the interval covers, in [0, 1], shape (b, C).

    An exact age a covers the whole of bin floor((a - age_min) / bin_width) and no other, so that
    a cross-entropy with these weights is the usual one.
    """
    low, high = clip_to_range(target.low, target.high, config)
    first, last = bin_range(target, config)
    index = torch.arange(config.n_bins, device=low.device)  # (C,)
    begin = _position(low, config)[:, None]  # (b, 1)
    end = _position(high, config)[:, None]
    share = (torch.minimum(end, index + 1.0) - torch.maximum(begin, index)).clamp(0, 1)
    share = torch.where(target.exact[:, None], 1.0, share)
    inside = (index >= first[:, None]) & (index <= last[:, None])
    return torch.where(inside, share, 0.0).float()  # (b, C)


def distance(age: Tensor, target: AgeTarget) -> Tensor:
    """How far an estimate lies outside the interval, in years, 0 inside; |e| for exact ages."""
    return (target.low - age).clamp_min(0) + (age - target.high).clamp_min(0)


def _position(age: Tensor, config: HeadConfig) -> Tensor:
    """In bins from the lower end, float64."""
    return (age.double() - config.age_min) / config.bin_width


def _top(config: HeadConfig) -> float:
    """Upper edge of the last bin."""
    return config.age_min + config.n_bins * config.bin_width

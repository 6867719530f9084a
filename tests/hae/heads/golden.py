"""The worked examples that the tests of heads and losses share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hae.config import HeadConfig
from hae.heads.target import AgeTarget

# Bins of 10 years from 15: C = 7, centres 20 .. 80. The age 37 is in bin 2, which is 35-45.
DECADES = HeadConfig(age_min=15, age_max=80, bin_width=10)
DECADE_LOGITS = (0.0, 1.0, 3.0, 2.0, 0.0, -1.0, -1.0)
DECADE_OFFSETS = (0.0, 1.0, -2.0, 3.0, 0.0, 0.0, 0.0)

# Five classes that stand for the ages 0 .. 4; label 3.
FIVE = HeadConfig(age_min=0, age_max=4, bin_width=1, open_top=False)
FIVE_LOGITS = (0.0, 1.0, 3.0, 2.0, 0.0)

inf = math.inf


def ages(*values: float) -> AgeTarget:
    return AgeTarget(torch.tensor(values), torch.tensor(values))


def bands(*pairs: tuple[float, float]) -> AgeTarget:
    low, high = zip(*pairs, strict=True)
    return AgeTarget(torch.tensor(low), torch.tensor(high))


def row(values: tuple[float, ...]) -> Tensor:
    """A batch of one, float64, that asks for gradients."""
    return torch.tensor([values], dtype=torch.float64, requires_grad=True)

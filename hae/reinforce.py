"""Learning where to look from rewards: REINFORCE (Williams, 1992) with a moving baseline."""

from __future__ import annotations

import torch
from torch import Tensor

KEPT = 0.9
"""Share of the moving average of rewards that stays at each step."""


def reinforce(log_proba: Tensor, reward: Tensor, baseline: Tensor) -> Tensor:
    """-(R - b) log p, mean over all draws; neither R nor b is learned through it.

    Parameters
    ----------
    log_proba, reward : Tensor
        Of one shape: of the draws, and of what came of them.
    baseline : Tensor
        b, a scalar or of their shape; what does not depend on the draw leaves the gradient
        unbiased.
    """
    return -((reward - baseline).detach() * log_proba).mean()


def moved(baseline: Tensor, reward: Tensor) -> Tensor:
    """The baseline before the rewards of this batch; its average moves on in place.

    b <- 0.9 b + 0.1 mean R.
    """
    before = baseline.clone()
    with torch.no_grad():
        baseline.copy_(KEPT * before + (1 - KEPT) * reward.detach().mean())
    return before

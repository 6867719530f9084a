"""What moves the weights: Ranger as in the paper, AdamW, and the course of the learning rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from audit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR

    from hae.config import OptimizerName


def build_optimizer(
    params: Iterable[Any], name: OptimizerName, lr: float, weight_decay: float = 0.0
) -> Optimizer:
    """An optimiser over parameters, or over groups of them as torch takes them.

    ``ranger``: rectified Adam with gradient centralisation, and Lookahead every 6 steps with half
    the way (betas .95 and .999, eps 1e-5). It counts its steps per group: parameters that are
    unfrozen later belong in a new group. ``adamw``: torch's, with its defaults.

    Raises
    ------
    InputError
        Ranger with weight decay.
    """
    if name == "adamw":
        from torch.optim import AdamW

        return AdamW(params, lr=lr, weight_decay=weight_decay)
    if weight_decay != 0:
        raise InputError(
            f"ranger: weight_decay is {weight_decay:g}, must be 0, since the library's Ranger does "
            "not scale it as the published one; take adamw or set it to 0"
        )
    from pytorch_optimizer import Ranger

    # Without degenerated_to_sgd this Ranger climbs during its first five steps: its rectified
    # step size is -1 there, and nothing stops it.
    ranger: Optimizer = Ranger(
        params,
        lr=lr,
        betas=(0.95, 0.999),
        alpha=0.5,
        k=6,
        eps=1e-5,
        weight_decay=0.0,
        use_gc=True,
        degenerated_to_sgd=True,
    )
    return ranger


def warmup_cosine(optimizer: Optimizer, warmup: int, steps: int) -> LambdaLR:
    """Rate times (t + 1) / warmup for t < warmup, then a half cosine to 0 at t = ``steps``.

    ``t`` counts the steps already made, so the first step is not one of rate 0; beyond ``steps``
    the rate stays 0. Called once a step.

    Raises
    ------
    ValueError
        The warm-up is not shorter than the training.
    """
    if not 0 <= warmup < steps:
        raise ValueError(f"warmup is {warmup}, must be at least 0 and below the {steps} steps")
    from torch.optim.lr_scheduler import LambdaLR

    def factor(t: int) -> float:
        if t < warmup:
            return (t + 1) / warmup
        done = min(1.0, (t - warmup) / (steps - warmup))
        return (1 + math.cos(math.pi * done)) / 2

    return LambdaLR(optimizer, factor)

"""Classes and regressors that learn apart: two losses for the form of HAE's head.

``decoupled`` after Mask R-CNN (He, Gkioxari, Dollar & Girshick, ICCV 2017, arXiv 1703.06870), which
has a mask for each class and a loss for that of the true class alone. ``partition`` after the
networks (GRSL 2017, doi 10.1109/LGRS.2017.2727515) whose shallow layers learn only where the deep
ones fire. Written from the ideas: bins of age stand for classes, years for masks, and the gate of
``partition`` is the probability of the true bin, not whether it is the largest.
"""

from __future__ import annotations

from torch import Tensor

from hae.config import HeadConfig
from hae.heads.branch import full
from hae.heads.losses import Losses, band_cross_entropy, centres
from hae.heads.target import AgeTarget, distance, overlap


def decoupled_losses(
    logits: Tensor, offsets: Tensor, target: AgeTarget, config: HeadConfig
) -> Losses:
    """CE + (c_y + r_y - a)^2: the regressors of the other bins get no gradient, nor do classes.

    A band [low, high) has the mean over its bins, by the share of each that it covers, of the
    squared distance to it.
    """
    shares = overlap(target, config)
    squares = _distances(offsets, target, config) ** 2
    terms = {
        "ce": band_cross_entropy(full(logits).log_softmax(-1), target, config).mean(),
        "own": ((shares * squares).sum(-1) / shares.sum(-1)).mean(),
    }
    return {**terms, "total": terms["ce"] + terms["own"]}


def partition_losses(
    logits: Tensor, offsets: Tensor, target: AgeTarget, config: HeadConfig
) -> Losses:
    """CE + p_y |c_y + r_y - a|, p held fixed: a face counts where its bin has been found.

    A band has the sum over its bins, by the share of each that it covers.
    """
    log_proba = full(logits).log_softmax(-1)
    gate = overlap(target, config) * log_proba.detach().exp()
    terms = {
        "ce": band_cross_entropy(log_proba, target, config).mean(),
        "fine": (gate * _distances(offsets, target, config)).sum(-1).mean(),
    }
    return {**terms, "total": terms["ce"] + terms["fine"]}


def _distances(offsets: Tensor, target: AgeTarget, config: HeadConfig) -> Tensor:
    """Years from c_i + r_i of every bin to the truth, (n, C)."""
    ages = full(offsets) + centres(config, offsets.device)
    each = AgeTarget(target.low[:, None], target.high[:, None])
    return distance(ages, each)

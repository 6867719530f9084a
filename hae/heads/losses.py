"""The formulas that are minimised, in float32: logits and targets -> named scalars.

Every term is a mean over the batch; ``total`` is their weighted sum. p = softmax(l) over the bins
i = 0 .. C-1, m = sum_i i p_i, v = sum_i p_i (i - m)^2.

Truth that is a band [low, high) enters as what it says and no more: the cross-entropy is
-log sum_i p_i w_i with w_i the share of bin i that the band covers, a point term is the distance
to the band (0 inside), the mean term the distance of m to the bins that the band reaches into,
and the variance term leaves the face out (it counts 0 in the mean). A band of exactly one bin has
the cross-entropy of that bin.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hae.config import HeadConfig
from hae.heads.branch import full
from hae.heads.target import AgeTarget, bin_range, distance, overlap

OFFSET_WEIGHT = 0.01
"""Of the penalty on the offsets of faces whose age is a band, per year^2."""

Losses = dict[str, Tensor]


def centres(config: HeadConfig, device: torch.device) -> Tensor:
    """c_i in years, float32 (C,)."""
    index = torch.arange(config.n_bins, device=device, dtype=torch.float64)
    return (index * config.bin_width + (config.age_min + config.bin_width / 2)).float()


def class_years(config: HeadConfig, device: torch.device) -> Tensor:
    """The age that class i stands for in heads without offsets, in years, float32 (C,).

    The mean of the whole years in bin i: age_min + i s + max(s - 1, 0) / 2. Labels are whole
    years, so with s = 1 class 30 is the label 30; its centre 30.5 would make every estimate half a
    year too old.
    """
    return centres(config, device) - config.bin_width / 2 + max(config.bin_width - 1, 0) / 2


def estimate(logits: Tensor, offsets: Tensor, config: HeadConfig) -> Tensor:
    """sum_i p_i (r_i + c_i) in years, from (n, C) and (n, C), shape (n,)."""
    proba = full(logits).softmax(-1)
    return (proba * (full(offsets) + centres(config, logits.device))).sum(-1)


def band_cross_entropy(log_proba: Tensor, target: AgeTarget, config: HeadConfig) -> Tensor:
    """-log sum_i p_i w_i of every face, from log p (n, C), shape (n,)."""
    return -torch.logsumexp(log_proba + overlap(target, config).log(), -1)


def mean_variance_terms(
    logits: Tensor, target: AgeTarget, config: HeadConfig
) -> tuple[Tensor, Tensor]:
    """(m - y)^2 and v of every face, each (n,), in ``config.mean_units``.

    With ``pan_half`` the first is halved, as published (Pan et al., CVPR 2018,
    doi 10.1109/CVPR.2018.00554); the paper of HAE's code does without.
    """
    proba = full(logits).softmax(-1)
    index = torch.arange(config.n_bins, device=logits.device, dtype=torch.float32)
    mean = (proba * index).sum(-1)
    variance = (proba * (index - mean[:, None]) ** 2).sum(-1)
    first, last = bin_range(target, config)
    gap = (first - mean).clamp_min(0) + (mean - last).clamp_min(0)
    unit = config.bin_width**2 if config.mean_units == "years" else 1.0
    half = 0.5 if config.pan_half else 1.0
    return half * unit * gap**2, unit * torch.where(target.exact, variance, 0.0)


def hae_losses(logits: Tensor, offsets: Tensor, target: AgeTarget, config: HeadConfig) -> Losses:
    """MSE + CE + mean_weight (m - y)^2 + variance_weight v, and a penalty for bands.

    ``mse`` is the squared distance of the estimate to the truth in years^2, without 1/2. Inside a
    band nothing identifies the offsets; ``offset`` = sum_i p_i r_i^2 of such faces (p held fixed)
    times ``OFFSET_WEIGHT`` keeps them near 0. Exact ages do not enter it.
    """
    log_proba = full(logits).log_softmax(-1)
    mean, variance = mean_variance_terms(logits, target, config)
    squares = (log_proba.detach().exp() * full(offsets) ** 2).sum(-1)
    terms = {
        "mse": (distance(estimate(logits, offsets, config), target) ** 2).mean(),
        "ce": band_cross_entropy(log_proba, target, config).mean(),
        "mean": mean.mean(),
        "variance": variance.mean(),
        "offset": torch.where(target.exact, 0.0, squares).mean(),
    }
    total = terms["mse"] + terms["ce"] + config.mean_weight * terms["mean"]
    total = total + config.variance_weight * terms["variance"] + OFFSET_WEIGHT * terms["offset"]
    return {**terms, "total": total}


def cross_entropy_losses(logits: Tensor, target: AgeTarget, config: HeadConfig) -> Losses:
    """-log p_y, as in DEX (Rothe, Timofte, Van Gool, IJCV 2018, doi 10.1007/s11263-016-0940-3)."""
    ce = band_cross_entropy(full(logits).log_softmax(-1), target, config).mean()
    return {"ce": ce, "total": ce}


def mean_variance_losses(logits: Tensor, target: AgeTarget, config: HeadConfig) -> Losses:
    """CE + mean_weight (m - y)^2 + variance_weight v (Pan et al., CVPR 2018)."""
    mean, variance = mean_variance_terms(logits, target, config)
    terms = {
        "ce": band_cross_entropy(full(logits).log_softmax(-1), target, config).mean(),
        "mean": mean.mean(),
        "variance": variance.mean(),
    }
    total = terms["ce"] + config.mean_weight * terms["mean"]
    return {**terms, "total": total + config.variance_weight * terms["variance"]}


def dldl_v2_losses(logits: Tensor, target: AgeTarget, config: HeadConfig) -> Losses:
    """KL(q || p) + |sum_i p_i y_i - a|, with q_i ~ exp(-(y_i - a)^2 / (2 sigma^2)).

    DLDL-v2 (Gao et al., IJCAI 2018), with weight 1 on the second term. y_i are ``class_years``, q
    is normalised over the bins. A band has no such q: it gets its cross-entropy instead, and the
    distance of the expectation to it.
    """
    log_proba = full(logits).log_softmax(-1)
    years = class_years(config, logits.device)
    age = torch.where(target.exact, target.low, 0.0)[:, None]
    log_q = (-((years - age) ** 2) / (2 * config.sigma**2)).log_softmax(-1)  # (n, C)
    divergence = (log_q.exp() * (log_q - log_proba)).sum(-1)
    band = band_cross_entropy(log_proba, target, config)
    expected = (log_proba.exp() * years).sum(-1)
    terms = {
        "kl": torch.where(target.exact, divergence, band).mean(),
        "mae": distance(expected, target).mean(),
    }
    return {**terms, "total": terms["kl"] + terms["mae"]}


def corn_log_proba(logits: Tensor) -> Tensor:
    """Log p of C classes from C - 1 conditional logits l_k = logit P(y > k | y >= k).

    p_i = sigma(-l_i) prod_{j < i} sigma(l_j), the last without its first factor. (n, C-1)
    -> (n, C).
    """
    logits = full(logits)
    beyond = functional.pad(functional.logsigmoid(logits).cumsum(-1), (1, 0))  # log P(y >= i)
    return beyond + functional.pad(functional.logsigmoid(-logits), (0, 1))


def corn_losses(logits: Tensor, target: AgeTarget, config: HeadConfig) -> Losses:
    """Sum of the conditional binary cross-entropies over the tasks that apply, per task.

    Shi, Cao, Raschka (2021, arXiv 2111.08851). Task k applies where y >= k, so the tasks of one
    face add up to -log p_y; a band takes -log sum_i p_i w_i and counts the tasks up to its last
    bin.
    """
    surprise = band_cross_entropy(corn_log_proba(logits), target, config)
    tasks = (bin_range(target, config)[1] + 1).clamp_max(logits.shape[-1])
    loss = surprise.sum() / tasks.sum()
    return {"bce": loss, "total": loss}

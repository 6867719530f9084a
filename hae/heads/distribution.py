"""From class probabilities to a predictive distribution of the age.

The probabilities of a head's bins are not one by themselves: its estimate may lie off their mean
(HAE adds an offset in every bin), and their spread is not calibrated. Here the distribution is
defined as the density that spreads the mass p_i(T) of every bin evenly over the bin, shifted by
delta = estimate - sum_i p_i(T) c_i, so that its mean is the estimate. T is fitted on faces that
were not trained on. Nothing here needs a gradient.
"""

from __future__ import annotations

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from hae.config import HeadConfig
from hae.heads.losses import centres
from hae.heads.masses import class_masses
from hae.heads.target import clip_to_range

FLOOR = 1e-4
"""Share of a uniform distribution over the range in ``log_score``: no face costs more than its
log, whatever a model claims."""
T_LIMIT = 20.0


def shift(masses: Tensor, estimate: Tensor, config: HeadConfig) -> Tensor:
    """The delta = estimate - sum_i p_i c_i in years, from (n, C) and (n,), shape (n,)."""
    return estimate.to(masses.dtype) - (masses * centres(config, masses.device)).sum(-1)


def distribution(masses: Tensor, estimate: Tensor, config: HeadConfig) -> Tensor:
    """Mass of the shifted density on the head's own bins, (n, C) and (n,) -> (n, C).

    Shifted bins fall on two neighbours in proportion to their overlap, which keeps the mean at the
    estimate; the bins at the ends collect what falls beyond them, and there the mean gives way.
    """
    steps = shift(masses, estimate, config)[:, None] / config.bin_width  # (n, 1)
    whole = steps.floor()
    share = steps - whole
    index = torch.arange(config.n_bins, device=masses.device)
    # A far-off estimate must not overflow the index: beyond C bins all is at an end.
    moved = index + whole.clamp(-config.n_bins - 1, config.n_bins + 1).long()  # (n, C)
    out = torch.zeros_like(masses)
    out.scatter_add_(1, moved.clamp(0, config.n_bins - 1), masses * (1 - share))
    return out.scatter_add_(1, (moved + 1).clamp(0, config.n_bins - 1), masses * share)


def spread(masses: Tensor, config: HeadConfig) -> Tensor:
    """SD of the density in years, with s^2 / 12 within the bins, (n, C) -> (n,).

    A shift does not change it, so the estimate is not asked for.
    """
    years = centres(config, masses.device)
    mean = (masses * years).sum(-1, keepdim=True)
    variance = (masses * (years - mean) ** 2).sum(-1)
    return (variance + config.bin_width**2 / 12).sqrt()


def log_score(
    masses: Tensor, estimate: Tensor, low: Tensor, high: Tensor, config: HeadConfig
) -> Tensor:
    """Log-probability of what is known of the age, higher is better, (n,).

    Parameters
    ----------
    masses : Tensor
        p(T) over the bins, (n, C).
    estimate, low, high : Tensor
        In years, (n,). An exact age a (``low == high``) counts as [a - 1/2, a + 1/2). With an
        open top, an interval that reaches the upper edge of the range has no upper end. One that
        reaches the lower edge has no lower end: what falls below belongs to the first bin.
    config : HeadConfig
        The bins.

    Notes
    -----
    log((1 - FLOOR) P + FLOOR u), with u the share of the range that the interval covers, at least
    one bin.
    """
    low, high = _known(low, high)
    inside_low, inside_high = clip_to_range(low, high, config)
    width = config.n_bins * config.bin_width
    uniform = (inside_high - inside_low) / width
    if config.open_top:
        high = torch.where(high >= config.age_min + width, torch.inf, high)
        low = torch.minimum(low, inside_low)
    low = torch.where(low <= config.age_min, -torch.inf, low)
    delta = shift(masses, estimate, config)
    mass = _below(high - delta, masses, config) - _below(low - delta, masses, config)
    return ((1 - FLOOR) * mass.clamp(0, 1) + FLOOR * uniform).log()


def fit_temperature(
    logits: Tensor, estimate: Tensor, low: Tensor, high: Tensor, config: HeadConfig
) -> float:
    """The T in [1/20, 20] of the largest mean ``log_score``, by Brent's method on log T.

    In float64 on the CPU: the same numbers give the same T.

    Parameters
    ----------
    logits : Tensor
        Of every face (n, C), or (n, g, C) where g predictions are averaged; for CORN C - 1.
    estimate, low, high : Tensor
        In years, (n,), as in ``log_score``.
    config : HeadConfig
        The head.

    Raises
    ------
    ValueError
        There is no face.
    """
    if len(logits) == 0:
        raise ValueError("temperature: no face to fit it on, must be at least one")
    logits, estimate, low, high = (
        x.detach().to("cpu", torch.float64) for x in (logits, estimate, low, high)
    )

    def loss(log_t: float) -> float:
        masses = class_masses(logits, math.exp(log_t), config)
        masses = masses.mean(dim=1) if masses.ndim == 3 else masses
        return -float(log_score(masses, estimate, low, high, config).mean())

    limit = math.log(T_LIMIT)
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    return math.exp(float(found.x))


def _known(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Intervals, with half a year on either side of an exact age."""
    exact = low == high
    return torch.where(exact, low - 0.5, low), torch.where(exact, high + 0.5, high)


def _below(age: Tensor, masses: Tensor, config: HeadConfig) -> Tensor:
    """P(density < age) before the shift, (n,)."""
    edges = centres(config, masses.device) - config.bin_width / 2
    share = ((age[:, None] - edges) / config.bin_width).clamp(0, 1)  # (n, C)
    return (masses * share).sum(-1)

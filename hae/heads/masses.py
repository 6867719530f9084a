"""Probabilities of the bins from logits, at a temperature."""

from __future__ import annotations

from torch import Tensor

from hae.config import HeadConfig
from hae.heads.branch import full
from hae.heads.losses import class_years, corn_log_proba


def class_masses(logits: Tensor, temperature: float, config: HeadConfig) -> Tensor:
    """p(T) over the bins: softmax(l / T); for CORN the differences of its cumulative products.

    Logits (..., C), for CORN (..., C-1); gives (..., C).
    """
    scaled = full(logits) / temperature
    if config.name == "corn":
        return corn_log_proba(scaled).exp()
    return scaled.softmax(-1)


def expected_age(masses: Tensor, config: HeadConfig) -> Tensor:
    """sum_i p_i y_i in years over ``class_years``, from (n, C), shape (n,)."""
    return (masses * class_years(config, masses.device)).sum(-1)

"""Separable natural evolution strategy, SNES (Schaul, Glasmachers & Schmidhuber, GECCO 2011).

Wierstra et al., JMLR 2014, arXiv 1106.4487, have the same with its defaults. Written from the
formulas; no library that this package needs anyway has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

FIRST_SPREAD = 0.1
Fitness = Callable[[Tensor], float]
"""Numbers (d,) -> how good they are; larger is better."""


@dataclass(frozen=True, eq=False)
class Search:
    """Where a search stands: N(``mean``, diag ``spread``^2), both (d,), and how often it moved.

    That is all: the draws of a generation are a function of the seed and its number.
    """

    mean: Tensor
    spread: Tensor
    generation: int = 0


def begin(mean: Tensor, spread: float = FIRST_SPREAD) -> Search:
    """A search about a first mean."""
    first = mean.detach().double().cpu().clone()
    return Search(first, torch.full_like(first, spread))


def utilities(n: int) -> Tensor:
    """What the best, second best ... of n candidates are worth, (n,), sum 0.

    u_k = max(0, log(n / 2 + 1) - log k) / sum_j max(0, log(n / 2 + 1) - log j) - 1 / n.
    """
    rank = torch.arange(1, n + 1, dtype=torch.float64)
    worth = (math.log(n / 2 + 1) - rank.log()).clamp_min(0)
    return worth / worth.sum() - 1 / n


def step(search: Search, fitness: Fitness, candidates: int, seed: int) -> Search:
    """One generation: z_k = m + s x_k, x_k ~ N(0, I), ranked by fitness with utilities u_k.

    m <- m + s sum_k u_k x_k; s <- s exp(eta / 2 sum_k u_k (x_k^2 - 1)),
    eta = (3 + log d) / (5 sqrt d). Only ranks count; of equal ones the first drawn is the better.
    What is not finite is the worst.
    """
    d = len(search.mean)
    rng = np.random.default_rng((seed, search.generation))
    draws = torch.from_numpy(rng.standard_normal((candidates, d)))
    found = [fitness(search.mean + search.spread * x) for x in draws]
    worth = torch.tensor([x if math.isfinite(x) else -math.inf for x in found])
    ranked = draws[worth.argsort(descending=True, stable=True)]
    u, eta = utilities(candidates), (3 + math.log(d)) / (5 * math.sqrt(d))
    return replace(
        search,
        mean=search.mean + search.spread * (u @ ranked),
        spread=search.spread * (eta / 2 * (u @ (ranked.square() - 1))).exp(),
        generation=search.generation + 1,
    )

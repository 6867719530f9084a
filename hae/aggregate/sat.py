"""Show, attend and tell (Xu et al., ICML 2015, arXiv 1502.03044), soft and hard, over views.

Written from the formulas. It differs from the paper in that the memory is the K views of a face,
a set, and nothing is told: T steps look at them, and the last hidden state is the embedding; the
gate on what is seen belongs to soft attention alone; in evaluation mode hard attention takes the
most probable view.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Policy, Shape, Streams, mean, softmax, weighted
from hae.config import AggregatorConfig
from hae.reinforce import moved, reinforce

STEPS = 4
COVERAGE = 1.0
"""Lambda of sum_k (1 - sum_t a_tk)^2."""
ENTROPY, EXPECTED = 0.002, 0.5
"""Weight of the entropy; share of the training faces that are given the expectation instead of a
draw."""


class Additive(nn.Module):
    """Scores w . tanh(W_a a_i + W_h h + b) of memory places for a state."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.memory = nn.Linear(dim, width)
        self.state = nn.Linear(dim, width, bias=False)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, keys: Tensor, h: Tensor) -> Tensor:
        """``self.memory(a)`` (b, n, width) and a state (b, d) -> (b, n)."""
        scores: Tensor = self.score(torch.tanh(keys + self.state(h)[:, None]))
        return scores[..., 0]


class Recurrent(nn.Module):
    """An LSTM whose first states are tanh(W m + b) of a summary m."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.hidden, self.cell = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.step = nn.LSTMCell(dim, dim)

    def first(self, summary: Tensor) -> tuple[Tensor, Tensor]:
        """States before the first step, each (b, d)."""
        return torch.tanh(self.hidden(summary)), torch.tanh(self.cell(summary))


class ShowAttendTell(nn.Module):
    """T ``steps`` (4) of attention over the views by an LSTM; its last state, (b, 1, d).

    Map ``views`` (b, T, k). ``kind`` soft: what is seen is b_t sum_k a_tk e_k, b_t = sigmoid(h),
    with the penalty ``coverage`` sum_k (1 - sum_t a_tk)^2. Hard: one view is drawn, and learned
    by REINFORCE (:meth:`reinforce`).
    """

    baseline: Tensor

    def __init__(
        self, shape: Shape, config: AggregatorConfig, kind: Literal["soft", "hard"]
    ) -> None:
        super().__init__()
        self.kind, self.steps = kind, config.steps or STEPS
        self.attention = Additive(shape.dim, config.width or max(1, shape.dim // 2))
        self.recurrent = Recurrent(shape.dim)
        self.gate = nn.Linear(shape.dim, 1) if kind == "soft" else None
        self.dropout = nn.Dropout(config.dropout)
        if kind == "hard":
            self.register_buffer("baseline", torch.zeros(()))

    def forward(self, x: Streams) -> Combined:
        """(b, k, d) -> (b, 1, d)."""
        keys = self.attention.memory(x.views)
        h, c = self.recurrent.first(mean(x.views, x.mask))
        whole = torch.rand(len(h), device=h.device) < EXPECTED if self.training else None
        maps: list[Tensor] = []
        log_proba, entropy = torch.zeros(len(h), device=h.device), torch.zeros_like(h[:, 0])
        for _ in range(self.steps):
            weights = softmax(self.attention(keys, h), x.mask)  # (b, k)
            if self.gate is not None:
                seen = torch.sigmoid(self.gate(h)) * weighted(weights, x.views)
            else:
                taken, chosen = _draw(weights, whole)
                seen = weighted(taken, x.views)
                logs = weights.clamp_min(1e-12).log()
                drawn = logs.gather(1, chosen[:, None])[:, 0]
                # nothing was drawn where the expectation was taken
                log_proba = log_proba + (drawn if whole is None else drawn.masked_fill(whole, 0.0))
                entropy = entropy - (weights * logs).sum(1)
            h, c = self.recurrent.step(seen, (h, c))
            maps.append(weights)
        found = torch.stack(maps, dim=1)
        z = self.dropout(h)[:, None]
        if self.gate is None:
            return Combined(z, {"views": found}, policy=Policy(log_proba, entropy))
        return Combined(z, {"views": found}, {"coverage": COVERAGE * coverage(found, x.mask)})

    def reinforce(self, policy: Policy, reward: Tensor) -> Tensor:
        """-(R - b) log p - 0.002 H, mean over faces; b is a moving average of the rewards.

        In training mode the average moves on.
        """
        before = moved(self.baseline, reward) if self.training else self.baseline
        return reinforce(policy.log_proba, reward, before) - ENTROPY * policy.entropy.mean()


def _draw(weights: Tensor, whole: Tensor | None) -> tuple[Tensor, Tensor]:
    """What is taken of each view (b, k), and the place (b,): drawn in training, else the likeliest.

    ``whole``: faces that take the expectation.
    """
    if whole is None:
        chosen = weights.argmax(dim=1)
    else:
        chosen = torch.multinomial(weights.detach(), 1)[:, 0]
    taken = torch.nn.functional.one_hot(chosen, weights.shape[1]).to(weights.dtype)
    return (taken if whole is None else torch.where(whole[:, None], weights, taken)), chosen


def coverage(maps: Tensor, mask: Tensor | None) -> Tensor:
    """sum_k (1 - sum_t a_tk)^2 over the views that are there, mean over faces; (b, T, k) -> ()."""
    missed = (1 - maps.sum(dim=1)) ** 2
    if mask is not None:
        missed = missed.masked_fill(~mask, 0.0)
    return missed.sum(dim=1).mean()

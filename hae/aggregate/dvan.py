"""Diversified visual attention (Zhao et al., IEEE TMM 2017, arXiv 1606.08572), over views.

Written from the formulas. It differs from the paper in that the canvases are the K views in the
order in which they are drawn (at random, not from coarse to fine), the state before the first step
comes from the mean view, and the states of the steps are averaged where the paper averages their
class scores. The only aggregator beside ``concat`` and ``hiecoatt`` to which order matters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.sat import Additive, Recurrent
from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax, weighted
from hae.config import AggregatorConfig

DIVERSITY = 1.0


class Diversified(nn.Module):
    """Step k attends to the regions of view k; the mean of the LSTM's states, (b, 1, d).

    Penalty ``diversity``: :func:`overlap` of the maps of steps in a row. Map ``regions``
    (b, k, r), 0 for a view that is not there: its step is left out.
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        self.attention = Additive(shape.dim, config.width or max(1, shape.dim // 2))
        self.recurrent = Recurrent(shape.dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d) with regions of each (b, k, r, d) -> (b, 1, d)."""
        regions, there = x.seen_regions, x.region_mask
        b, k = x.views.shape[:2]
        mask = x.views.new_ones(b, k, dtype=torch.bool) if x.mask is None else x.mask
        if there is not None:
            there = there | ~mask[..., None]  # an absent view must not give NaN
        keys = self.attention.memory(regions)
        h, c = self.recurrent.first(mean(x.views, x.mask))
        maps, states = [], []
        for step in range(k):
            cells = None if there is None else there[:, step]
            weights = softmax(self.attention(keys[:, step], h), cells)
            after = self.recurrent.step(weighted(weights, regions[:, step]), (h, c))
            here = mask[:, step, None]
            h, c = torch.where(here, after[0], h), torch.where(here, after[1], c)
            maps.append(weights.masked_fill(~here, 0.0))
            states.append(h)
        found = torch.stack(maps, dim=1)
        z = self.dropout(mean(torch.stack(states, dim=1), mask))[:, None]
        return Combined(z, {"regions": found}, {"diversity": DIVERSITY * overlap(found, mask)})


def overlap(maps: Tensor, mask: Tensor) -> Tensor:
    """1/(T-1) sum_t sum_i l_(t-1)i l_ti over the steps that were made, mean over faces.

    Maps (b, k, r); 0 for one step. Disjoint maps give 0, the same place every time 1.
    """
    total, last = maps.new_zeros(len(maps)), torch.zeros_like(maps[:, 0])
    for step in range(maps.shape[1]):
        total = total + (maps[:, step] * last).sum(dim=1)  # an absent step's map is 0
        last = torch.where(mask[:, step, None], maps[:, step], last)
    return (total / (mask.sum(dim=1) - 1).clamp_min(1)).mean()

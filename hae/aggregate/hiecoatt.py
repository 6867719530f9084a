"""Hierarchical co-attention (Lu, Yang, Batra & Parikh, NIPS 2016, arXiv 1606.00061), on faces.

Written from the formulas of its parallel form. Views stand where the paper has words, the regions
of the plain face where it has those of the image. It differs from the paper in that the third level
adds the mean phrase to each phrase instead of running an LSTM over them, for views have no order.
The phrases are convolutions over 1, 2 and 3 views in a row: the order of views matters there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hae.aggregate.streams import Combined, Shape, Streams, mean, softmax, weighted, zero_filled
from hae.config import AggregatorConfig

SPANS = (1, 2, 3)
LEVELS = ("word", "phrase", "question")


class CoAttention(nn.Module):
    """Attended views and regions by their affinity C = tanh(Q W_b V').

    H_v = tanh(W_v V + C' (W_q Q)), H_q = tanh(W_q Q + C (W_v V)), a = softmax(w . H) of each.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.affinity = nn.Linear(dim, dim, bias=False)
        self.views = nn.Linear(dim, width, bias=False)
        self.regions = nn.Linear(dim, width, bias=False)
        self.view_score, self.region_score = nn.Linear(width, 1), nn.Linear(width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, q: Tensor, x: Streams) -> tuple[Tensor, Tensor, Tensor]:
        """Views (b, k, d) -> attended views + regions (b, d), and maps (b, k) and (b, r)."""
        v = zero_filled(x.seen_regions, x.region_mask)
        affinity = torch.tanh(self.affinity(q) @ v.transpose(1, 2))  # (b, k, r)
        views, regions = self.views(q), self.regions(v)
        h_v = self.dropout(torch.tanh(regions + affinity.transpose(1, 2) @ views))
        h_q = self.dropout(torch.tanh(views + affinity @ regions))
        a_q = softmax(self.view_score(h_q)[..., 0], x.mask)
        a_v = softmax(self.region_score(h_v)[..., 0], x.region_mask)
        return weighted(a_q, q) + weighted(a_v, v), a_q, a_v


class HierarchicalCoAttention(nn.Module):
    """Co-attention at three levels; h_1 = tanh(W_1 s_1), h_l = tanh(W_l [s_l; h_(l-1)]), (b, 1, d).

    s_l is the sum of what level l attends to. Maps ``<level>_views`` (b, k) and
    ``<level>_regions`` (b, r) for word, phrase and question. Attention of ``width`` (d).
    """

    def __init__(self, shape: Shape, config: AggregatorConfig) -> None:
        super().__init__()
        d, width = shape.dim, config.width or shape.dim
        self.phrases = nn.ModuleList(nn.Conv1d(d, d, span) for span in SPANS)
        self.levels = nn.ModuleList(CoAttention(d, width, config.dropout) for _ in LEVELS)
        self.join = nn.ModuleList(nn.Linear(d if i == 0 else 2 * d, d) for i in range(len(LEVELS)))

    def forward(self, x: Streams) -> Combined:
        """Views (b, k, d), regions (b, r, d) -> (b, 1, d)."""
        words = zero_filled(x.views, x.mask)
        phrases = zero_filled(self._phrases(words), x.mask)
        questions = zero_filled(phrases + mean(phrases, x.mask)[:, None], x.mask)
        maps: dict[str, Tensor] = {}
        parts: list[Tensor] = []
        for name, level, join, q in zip(
            LEVELS, self.levels, self.join, (words, phrases, questions), strict=True
        ):
            found, maps[f"{name}_views"], maps[f"{name}_regions"] = level(q, x)
            parts = [torch.tanh(join(torch.cat([found, *parts], dim=-1)))]
        return Combined(parts[0][:, None], maps)

    def _phrases(self, words: Tensor) -> Tensor:
        """Largest of the spans' tanh in every dimension, (b, k, d); beyond the ends there is 0."""
        across = words.transpose(1, 2)
        found = [
            torch.tanh(conv(nn.functional.pad(across, ((span - 1) // 2, span // 2))))
            for span, conv in zip(SPANS, self.phrases, strict=True)
        ]
        return torch.stack(found).amax(dim=0).transpose(1, 2)

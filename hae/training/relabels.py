"""Labels that may change while a network learns, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hae.config import ExpressionConfig
from hae.heads.cure import doubted, low_group
from hae.models.expression import Scores
from hae.processes import gathered

LOG = ("row", "epoch", "from", "to", "importance")
"""What is noted of each change."""


@dataclass(eq=False)
class Relabels:
    """The labels of n training faces as they stand, on the device and outside of all workers.

    ``target`` (n, C): what is learned, one distribution per face; ``label`` int64 (n,): its class.
    A changed label is one class. ``visits`` and ``lows`` int64 (n,): how often a face was in a
    batch, and in the low group of it. ``log`` (m, 5) float64: the changes, with columns ``LOG``.
    Every process holds the same.
    """

    target: Tensor
    label: Tensor
    visits: Tensor
    lows: Tensor
    log: list[Tensor]

    @staticmethod
    def of(target: Tensor, label: Tensor) -> Relabels:
        """Labels that nothing has happened to, as copies: they will change."""
        none = torch.zeros(len(label), dtype=torch.int64)
        return Relabels(target.clone(), label.clone(), none, none.clone(), [])

    def to(self, device: torch.device) -> None:
        """Move the labels, once."""
        if self.label.device != device:
            for name in ("target", "label", "visits", "lows"):
                setattr(self, name, getattr(self, name).to(device))

    @torch.no_grad()
    def see(self, rows: Tensor, scores: Scores, epoch: int, settings: ExpressionConfig) -> None:
        """Count who was in the low group of a batch, and change its doubted labels.

        ``rows`` int64 (b,) of this process; the batch is that of all processes. ``epoch`` counts
        from 0. A face that is drawn twice is taken as it came last.
        """
        proposal = torch.softmax(scores.scaled.detach().double(), dim=1)
        share = torch.cat([scores.importance.detach().double()[:, None], proposal], dim=1)
        everyone, everything = gathered(rows), gathered(share)
        importance, probabilities = everything[:, 0], everything[:, 1:]
        low = low_group(importance, settings.high_share)
        one = torch.ones_like(everyone)
        self.visits.index_add_(0, everyone, one)
        self.lows.index_add_(0, everyone, low.to(torch.int64))
        if settings.relabel == "off" or epoch + 1 < settings.relabel_from:
            return
        among = low if settings.relabel == "low_group" else torch.ones_like(low)
        place = torch.arange(len(everyone), device=everyone.device)
        last = torch.full_like(self.visits, -1).scatter_reduce(0, everyone, place, "amax")
        among = among & (last[everyone] == place)
        before = self.label[everyone]
        changes, best = doubted(probabilities, before, among, settings.relabel_margin)
        self._change(everyone[changes], before[changes], best[changes], importance[changes], epoch)

    def _change(self, rows: Tensor, before: Tensor, to: Tensor, why: Tensor, epoch: int) -> None:
        if not len(rows):
            return
        self.label[rows] = to
        self.target[rows] = torch.nn.functional.one_hot(to, self.target.shape[1]).to(
            self.target.dtype
        )
        at = torch.full_like(why, epoch + 1)
        self.log.append(torch.stack([rows.double(), at, before.double(), to.double(), why], dim=1))

    def changes(self) -> Tensor:
        """The whole log, (m, 5)."""
        empty = torch.zeros(0, len(LOG), dtype=torch.float64)
        return torch.cat([empty, *(part.cpu() for part in self.log)])

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run must know."""
        names = ("target", "label", "visits", "lows")
        return {name: getattr(self, name).cpu() for name in names} | {"log": self.changes()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take it up again."""
        for name in ("target", "label", "visits", "lows"):
            getattr(self, name).copy_(state[name])
        self.log = [state["log"]] if len(state["log"]) else []

"""Hierarchical attention age estimation: K views -> embeddings -> one embedding -> an age.

Hiba & Keller, "Hierarchical Attention-Based Age Estimation and Bias Analysis", IEEE TPAMI 45(12),
2023, doi 10.1109/TPAMI.2023.3319472, arXiv 2103.09882. Written from the formulas. It differs from
the paper's released code in that
- the backbone is any network of timm, not a VGG16 trained on identities first (``arcface.py`` has
  that loss);
- age range and bin width are settings (0-100 with an open top, not 15-80), and ages may be bands;
- the C regressors of the head are one linear layer, which computes the same;
- each layer of the encoder has its own first draw, where torch's encoder copies one;
- head and losses are computed in float32 under autocast;
- dropout is off in evaluation mode, and a batch of one face works there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from hae.aggregate.sat import ShowAttendTell
from hae.aggregate.streams import Combined
from hae.backbones.attended import Attended, Judged
from hae.backbones.network import Backbone
from hae.config import AgeModelConfig
from hae.heads.branch import Raw
from hae.heads.core import HEADS
from hae.heads.losses import Losses
from hae.heads.target import AgeTarget, distance
from hae.models.neck import Seen, combine, features_of, make_neck, project, see

REWARD_YEARS = 5.0
"""tau of the reward exp(-|error| / tau) of hard attention."""


@dataclass(frozen=True, eq=False)
class Output:
    """What the model says of b faces.

    ``raw``: the head's output with first dimension b * ``groups``, the groups of a face in a row.
    ``groups``: embeddings per face, 1 unless predictions are averaged. ``age``: estimate in years,
    (b,), the mean over the groups. ``combined``: what the aggregator made. ``alone``: the head's
    output of each view alone, first dimension b * k, where it has a loss of its own.
    """

    raw: Raw
    groups: int
    age: Tensor
    combined: Combined
    alone: Raw | None = None
    attended: Attended | None = None
    """What the backbone looked at in each view, (b * k), where its training asks for it."""

    @property
    def maps(self) -> Mapping[str, Tensor]:
        """Attention by name, first dimension b; see the aggregator."""
        return self.combined.maps


class AgeModel(nn.Module):
    """Backbone, projection e = L2norm(LeakyReLU(W f + b)), aggregator and head of a config.

    All weights are drawn at random, from torch's global generator; ``backbone.network`` is the
    timm network that published weights are loaded into.

    Raises
    ------
    InputError
        The backbone's name is unknown, or it has no regions and the aggregator needs them.
    """

    def __init__(self, config: AgeModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, size=config.size)
        self.projection, self.aggregator, self.region_projection = make_neck(config, self.backbone)
        self.head = HEADS[config.head.name](config.embedding, config.head)

    def forward(self, views: Tensor, plain: Tensor | None = None) -> Output:
        """Of normalised views (b, k, 3, h, w), and the plain faces (b, 1, 3, h, w) for regions."""
        return self.from_seen(self.see(views, plain))

    def see(self, views: Tensor, plain: Tensor | None = None) -> Seen:
        """The backbone alone: features, and regions where the aggregator uses them."""
        return see(self.backbone, self.config.aggregator, views, plain)

    def features(self, views: Tensor) -> Tensor:
        """The backbone alone, (b, k, 3, h, w) -> (b, k, d_b), all views in one pass."""
        return features_of(self.backbone, views)

    def from_features(self, features: Tensor) -> Output:
        """All but the backbone, of (b, k, d_b), for an aggregator that uses no regions."""
        return self.from_seen(Seen(features))

    def from_seen(self, seen: Seen, *, maps: bool = False) -> Output:
        """All but the backbone; ``maps`` asks for attention maps that cost a pass of their own."""
        e, combined = combine(
            self.projection, self.aggregator, self.region_projection, seen, maps=maps
        )
        z = combined.embedding  # (b, g, d)
        b, g = z.shape[:2]
        raw = self.head(z.flatten(0, 1))
        own = self.training and self.config.aggregator.own_loss > 0
        alone = self.head(e.flatten(0, 1)) if own else None
        age = self.head.age(raw).view(b, g).mean(dim=1)
        return Output(raw, g, age, combined, alone, seen.attended)

    def losses(self, output: Output, target: AgeTarget) -> Losses:
        """Terms of the head's loss, means over faces (and their groups), with ``total``.

        To it come ``views``, the loss of each view alone, the aggregator's penalties and
        ``policy``, and what the backbone's looking costs, where there are any; the terms are given
        as they enter the total.
        """
        terms = self.head.losses(output.raw, target.repeat(output.groups))
        more = dict(output.combined.penalties)
        if output.alone is not None:
            k = len(next(iter(output.alone.values()))) // len(output.age)
            own = self.head.losses(output.alone, target.repeat(k))["total"]
            more["views"] = self.config.aggregator.own_loss * own
        if output.combined.policy is not None and isinstance(self.aggregator, ShowAttendTell):
            reward = torch.exp(-distance(output.age, target) / REWARD_YEARS)
            more["policy"] = self.aggregator.reinforce(output.combined.policy, reward)
        if output.attended is not None:
            more |= self.backbone.losses(output.attended, partial(self._judged, target=target))
        if not more:
            return terms
        return {**terms, **more, "total": terms["total"] + sum(more.values())}

    def costs(self, output: Output, target: AgeTarget) -> Tensor:
        """|error| / 5 years of each face, (b,): -log of the reward of looking."""
        return distance(output.age, target) / REWARD_YEARS

    def _judged(self, features: Tensor, target: AgeTarget) -> Judged:
        """Features (b * k, p, d_b) of the backbone, each as the only view of its face."""
        n, p = features.shape[:2]
        raw = self.head(project(self.projection, features.flatten(0, 1)))
        each = target.repeat(n * p // len(target.low))
        error = (distance(self.head.age(raw), each) / REWARD_YEARS).view(n, p)
        return Judged(self.head.losses(raw, each)["total"], torch.exp(-error), error)

    def masses(self, output: Output, temperature: float = 1.0) -> Tensor | None:
        """Probabilities of the bins at a temperature, (b, C), the mean over the groups.

        These are no predictive distribution yet: see ``hae.heads.distribution``. None for a head
        without classes.
        """
        masses = self.head.masses(output.raw, temperature)
        if masses is None:
            return None
        return masses.view(len(output.age), output.groups, -1).mean(dim=1)

    def view_ages(self, seen: Seen | Tensor) -> Tensor:
        """The estimate from each view alone, (b, k), in years, in evaluation mode.

        Of what the backbone says, or of its features (b, k, d_b) where no regions are used. Its
        standard deviation over the views says how much the estimate hangs on the crop.
        """
        seen = Seen(seen) if isinstance(seen, Tensor) else seen
        return self.from_seen(seen.apart()).age.view(seen.features.shape[:2])

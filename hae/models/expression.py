"""The Self-Cure Network: an expression, and how far a face's label is to be trusted.

Wang, Peng, Yang, Lu & Qiao, "Suppressing Uncertainties for Large-Scale Facial Expression
Recognition", CVPR 2020, arXiv 2002.10392. Written from the formulas. It differs from the paper's
released code in that
- only the uncertain part of a batch is relabelled, as the paper says (``relabel = whole_batch`` is
  what the code does), and relabels hold from the next step on, in every process;
- the loss is (1 - gamma) cross-entropy + gamma rank term, not their sum, which is twice as large
  at gamma = 1/2;
- weights are chosen on validation people, never on test faces;
- the backbone is any network of timm, and first weights that do not fit are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from hae.aggregate.core import Aggregator
from hae.aggregate.sat import ShowAttendTell
from hae.aggregate.streams import Combined
from hae.backbones.attended import Attended, Judged
from hae.backbones.network import Backbone
from hae.config import AgeModelConfig, ExpressionConfig
from hae.heads.branch import full
from hae.heads.cure import rank_regularisation, weighted_cross_entropy
from hae.models.neck import Seen, combine, make_neck, project, see
from hae.processes import everybodys


@dataclass(frozen=True, eq=False)
class Scores:
    """``logits`` z, (n, C), unscaled; ``importance`` a, (n,), ones for a baseline.

    ``combined``: what the aggregator made, if there is one; ``alone`` (n, k, C): logits of each
    view alone, where it has a loss of its own.
    """

    logits: Tensor
    importance: Tensor
    combined: Combined | None = None
    alone: Tensor | None = None
    attended: Attended | None = None
    """What the backbone looked at in each image, where its training asks for it."""

    @property
    def scaled(self) -> Tensor:
        """The a z, whose softmax is what the model says; its greatest is that of z."""
        return self.importance[:, None] * self.logits

    @property
    def maps(self) -> Mapping[str, Tensor]:
        """Attention by name, first dimension n; see the aggregator."""
        return {} if self.combined is None else self.combined.maps


class ExpressionModel(nn.Module):
    """Backbone, classifier z = W f + b, and importance a = sigmoid(v f + c).

    With ``expression.aggregate`` f is the embedding that the aggregator makes of K views; where it
    leaves them apart, their logits and importance are averaged.

    Parameters
    ----------
    config : AgeModelConfig
        Backbone and input; projection and aggregator if they are asked for.
    expression : ExpressionConfig
        Cure or baseline.
    n_classes : int
        C.

    Raises
    ------
    InputError
        The backbone's name is unknown, or it has no regions and the aggregator needs them.
    """

    def __init__(
        self, config: AgeModelConfig, expression: ExpressionConfig, n_classes: int
    ) -> None:
        super().__init__()
        self.config, self.expression = config, expression
        self.backbone = Backbone(config.backbone, size=config.size)
        width = self.backbone.out_dim
        self.aggregator: Aggregator | None = None
        if expression.aggregate:
            self.projection, self.aggregator, self.region_projection = make_neck(
                config, self.backbone
            )
            width = config.embedding
        self.classifier = nn.Linear(width, n_classes)
        self.importance = nn.Linear(width, 1) if expression.cure else None
        learned = torch.tensor(expression.rank_margin)
        self.margin = nn.Parameter(learned) if expression.learn_margin else None

    def forward(self, images: Tensor, plain: Tensor | None = None) -> Scores:
        """Scores of normalised images (n, 3, h, w); to aggregate, of views (n, k, 3, h, w).

        ``plain`` faces (n, 1, 3, h, w) for an aggregator that uses their regions.
        """
        if self.aggregator is None:
            if not (self.backbone.learns_where and self.training):
                return self._scores(full(self.backbone(images)))
            attended = self.backbone.attend(images)
            return replace(self._scores(full(attended.features)), attended=attended)
        return self.from_seen(self.see(images, plain))

    def see(self, views: Tensor, plain: Tensor | None = None) -> Seen:
        """The backbone alone, for a model that aggregates; as in :class:`AgeModel`."""
        return see(self.backbone, self.config.aggregator, views, plain)

    def from_seen(self, seen: Seen, *, maps: bool = False) -> Scores:
        """All but the backbone, for a model that aggregates; ``maps`` as in :class:`AgeModel`."""
        assert self.aggregator is not None
        e, combined = combine(
            self.projection, self.aggregator, self.region_projection, seen, maps=maps
        )
        n, g = combined.embedding.shape[:2]
        whole = self._scores(combined.embedding.flatten(0, 1))
        logits, importance = whole.logits.view(n, g, -1), whole.importance.view(n, g)
        own = self.training and self.config.aggregator.own_loss > 0
        alone = self._scores(e.flatten(0, 1)).logits.view(n, e.shape[1], -1) if own else None
        return Scores(logits.mean(dim=1), importance.mean(dim=1), combined, alone, seen.attended)

    def _scores(self, features: Tensor) -> Scores:
        logits = full(self.classifier(features))
        if self.importance is None:
            return Scores(logits, torch.ones_like(logits[:, 0]))
        return Scores(logits, torch.sigmoid(full(self.importance(features))[:, 0]))

    def losses(self, scores: Scores, target: Tensor) -> dict[str, Tensor]:
        """``total`` and its terms; the rank term is that of the batches of all processes.

        ``target`` (n, C): a distribution for each face.
        """
        terms, more = self._cured(scores, target), self._aggregated(scores, target)
        if scores.attended is not None:
            more |= self.backbone.losses(scores.attended, partial(self._judged, target=target))
        return {**terms, **more, "total": terms["total"] + sum(more.values())} if more else terms

    def costs(self, scores: Scores, target: Tensor) -> Tensor:
        """Cross-entropy of each face, (n,)."""
        return -(scores.logits.log_softmax(-1) * target).sum(-1)

    def _aggregated(self, scores: Scores, target: Tensor) -> dict[str, Tensor]:
        """What the aggregator adds: penalties, the views' own loss, and that of hard attention."""
        if scores.combined is None:
            return {}
        more, policy = dict(scores.combined.penalties), scores.combined.policy
        if scores.alone is not None:
            surprise = -(scores.alone.log_softmax(-1) * target[:, None]).sum(-1)  # (n, k)
            more["views"] = self.config.aggregator.own_loss * surprise.mean()
        if policy is not None and isinstance(self.aggregator, ShowAttendTell):
            reward = (scores.logits.softmax(-1) * target).sum(-1)
            more["policy"] = self.aggregator.reinforce(policy, reward)
        return more

    def _judged(self, features: Tensor, target: Tensor) -> Judged:
        """Features (m, p, d_b) of the backbone, each as if it were all that is seen of a face."""
        m, p = features.shape[:2]
        flat = full(features.flatten(0, 1))
        if self.aggregator is not None:
            flat = project(self.projection, flat)
        logits = full(self.classifier(flat)).view(m, p, -1)
        each = target.repeat_interleave(m // len(target), dim=0)[:, None]
        loss = -(logits.log_softmax(-1) * each).sum(-1).mean()
        score = (logits.softmax(-1) * each).sum(-1)
        return Judged(loss, score, 1 - score)

    def _cured(self, scores: Scores, target: Tensor) -> dict[str, Tensor]:
        settings = self.expression
        cross_entropy = weighted_cross_entropy(scores.logits, scores.importance, target)
        if not settings.cure:
            return {"total": cross_entropy}
        margin = settings.rank_margin if self.margin is None else self.margin
        rank = rank_regularisation(everybodys(scores.importance), settings.high_share, margin)
        gamma = settings.rank_weight
        total = (1 - gamma) * cross_entropy + gamma * rank
        return {"total": total, "cross_entropy": cross_entropy, "rank": rank}

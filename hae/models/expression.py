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

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hae.backbones.network import Backbone
from hae.config import AgeModelConfig, ExpressionConfig
from hae.heads.branch import full
from hae.heads.cure import rank_regularisation, weighted_cross_entropy
from hae.processes import everybodys


@dataclass(frozen=True, eq=False)
class Scores:
    """``logits`` z, (n, C), unscaled; ``importance`` a, (n,), ones for a baseline."""

    logits: Tensor
    importance: Tensor

    @property
    def scaled(self) -> Tensor:
        """The a z, whose softmax is what the model says; its greatest is that of z."""
        return self.importance[:, None] * self.logits


class ExpressionModel(nn.Module):
    """Backbone, classifier z = W f + b, and importance a = sigmoid(v f + c).

    Parameters
    ----------
    config : AgeModelConfig
        Backbone and input; what follows the backbone of an age model is not used.
    expression : ExpressionConfig
        Cure or baseline.
    n_classes : int
        C.

    Raises
    ------
    InputError
        The backbone's name is unknown.
    """

    def __init__(
        self, config: AgeModelConfig, expression: ExpressionConfig, n_classes: int
    ) -> None:
        super().__init__()
        self.config, self.expression = config, expression
        self.backbone = Backbone(
            config.backbone.name, size=config.size, frozen=config.backbone.frozen
        )
        self.classifier = nn.Linear(self.backbone.out_dim, n_classes)
        self.importance = nn.Linear(self.backbone.out_dim, 1) if expression.cure else None
        learned = torch.tensor(expression.rank_margin)
        self.margin = nn.Parameter(learned) if expression.learn_margin else None

    def forward(self, images: Tensor) -> Scores:
        """Scores of normalised images (n, 3, h, w)."""
        features = full(self.backbone(images))
        logits = full(self.classifier(features))
        if self.importance is None:
            return Scores(logits, torch.ones_like(logits[:, 0]))
        return Scores(logits, torch.sigmoid(full(self.importance(features))[:, 0]))

    def losses(self, scores: Scores, target: Tensor) -> dict[str, Tensor]:
        """``total`` and its terms; the rank term is that of the batches of all processes.

        ``target`` (n, C): a distribution for each face.
        """
        settings = self.expression
        cross_entropy = weighted_cross_entropy(scores.logits, scores.importance, target)
        if not settings.cure:
            return {"total": cross_entropy}
        margin = settings.rank_margin if self.margin is None else self.margin
        rank = rank_regularisation(everybodys(scores.importance), settings.high_share, margin)
        gamma = settings.rank_weight
        total = (1 - gamma) * cross_entropy + gamma * rank
        return {"total": total, "cross_entropy": cross_entropy, "rank": rank}

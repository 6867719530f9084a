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

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.core import AGGREGATORS
from hae.backbones.network import Backbone
from hae.config import AgeModelConfig
from hae.heads.branch import Raw, full
from hae.heads.core import HEADS
from hae.heads.losses import Losses
from hae.heads.target import AgeTarget


@dataclass(frozen=True, eq=False)
class Output:
    """What the model says of b faces.

    ``raw``: the head's output with first dimension b * ``groups``, the groups of a face in a row.
    ``groups``: embeddings per face, 1 unless predictions are averaged. ``age``: estimate in years,
    (b,), the mean over the groups.
    """

    raw: Raw
    groups: int
    age: Tensor


class AgeModel(nn.Module):
    """Backbone, projection e = L2norm(LeakyReLU(W f + b)), aggregator and head of a config.

    All weights are drawn at random, from torch's global generator; ``backbone.network`` is the
    timm network that published weights are loaded into.

    Raises
    ------
    InputError
        The backbone's name is unknown.
    """

    def __init__(self, config: AgeModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(
            config.backbone.name, size=config.size, frozen=config.backbone.frozen
        )
        self.projection = nn.Linear(self.backbone.out_dim, config.embedding)
        self.aggregator = AGGREGATORS[config.aggregator.name](config.embedding, config.aggregator)
        self.head = HEADS[config.head.name](config.embedding, config.head)

    def forward(self, views: Tensor) -> Output:
        """Of normalised views (b, k, 3, h, w)."""
        return self.from_features(self.features(views))

    def features(self, views: Tensor) -> Tensor:
        """The backbone alone, (b, k, 3, h, w) -> (b, k, d_b), all views in one pass."""
        b, k = views.shape[:2]
        flat: Tensor = self.backbone(views.flatten(0, 1))  # (b * k, d_b)
        return flat.view(b, k, -1)

    def from_features(self, features: Tensor) -> Output:
        """All but the backbone, of (b, k, d_b)."""
        hidden = functional.leaky_relu(self.projection(features), 0.01)
        e = functional.normalize(full(hidden), dim=-1)  # (b, k, d)
        z = self.aggregator(e)  # (b, g, d)
        b, g = z.shape[:2]
        raw = self.head(z.flatten(0, 1))
        return Output(raw, g, self.head.age(raw).view(b, g).mean(dim=1))

    def losses(self, output: Output, target: AgeTarget) -> Losses:
        """Terms of the head's loss, means over faces (and their groups), with ``total``."""
        return self.head.losses(output.raw, target.repeat(output.groups))

    def masses(self, output: Output, temperature: float = 1.0) -> Tensor | None:
        """Probabilities of the bins at a temperature, (b, C), the mean over the groups.

        These are no predictive distribution yet: see ``hae.heads.distribution``. None for a head
        without classes.
        """
        masses = self.head.masses(output.raw, temperature)
        if masses is None:
            return None
        return masses.view(len(output.age), output.groups, -1).mean(dim=1)

    def view_ages(self, features: Tensor) -> Tensor:
        """The estimate from each view alone, (b, k, d_b) -> (b, k), in years, in evaluation mode.

        Its standard deviation over the views says how much the estimate hangs on the crop.
        """
        alone = self.from_features(features.flatten(0, 1)[:, None])
        return alone.age.view(features.shape[:2])

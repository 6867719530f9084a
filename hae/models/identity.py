"""Who is it: a backbone that learns faces before it learns ages.

The first stage of Hiba & Keller, "Hierarchical Attention-Based Age Estimation and Bias Analysis",
IEEE TPAMI 45(12), 2023, doi 10.1109/TPAMI.2023.3319472, arXiv 2103.09882: a network with a last
layer of 512 under the loss of ArcFace (Deng et al., CVPR 2019, arXiv 1801.07698). Written from the
formulas. It differs from the paper's released code in that
- the backbone is any network of timm, not VGG16;
- all of it learns from the first step, where theirs stays frozen for 15 epochs;
- optimizer and schedule are those of the other stages, not a step-wise falling rate.
"""

from __future__ import annotations

from torch import Tensor, nn

from hae.backbones.network import Backbone
from hae.config import AgeModelConfig, IdentityConfig
from hae.heads.arcface import ArcFace, Identity


class IdentityModel(nn.Module):
    """Backbone, linear embedding and a centre for each person.

    The weights below ``backbone`` have the names that they have in
    :class:`hae.models.age.AgeModel`, which begins with them.

    Parameters
    ----------
    config : AgeModelConfig
        Backbone and input; what follows the backbone of an age model is not used.
    identity : IdentityConfig
        Width of the embedding, margin in radians and scale.
    people : int
        How many there are.

    Raises
    ------
    InputError
        The backbone's name is unknown.
    """

    def __init__(self, config: AgeModelConfig, identity: IdentityConfig, people: int) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.backbone, size=config.size)
        self.embedding = nn.Linear(self.backbone.out_dim, identity.embedding)
        self.arcface = ArcFace(
            identity.embedding, people, margin=identity.margin, scale=identity.scale
        )

    def forward(self, images: Tensor, people: Tensor) -> Identity:
        """Loss and scaled cosines of normalised images (b, 3, h, w) and people int64 (b,)."""
        found: Identity = self.arcface(self.embedding(self.backbone(images)), people)
        return found

"""Small networks for small faces, and those that this package names itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from timm.layers.hybrid_embed import HybridEmbed
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
from timm.models.convmixer import ConvMixer
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import BasicBlock, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from hae.backbones.resattn import ResidualAttention


def small_resnet(size: int = 64) -> nn.Module:
    """A ResNet of 0.5 M parameters whose stride is 16: 64 px leave 4x4 cells before pooling.

    Eight 3x3 convolutions in four stages of 32, 64, 96 and 128 channels; no max-pool in the stem.
    """
    del size  # convolutions take any
    network = ResNet(
        BasicBlock,  # type: ignore[arg-type]  # timm asks for an instance and means the class
        layers=(1, 1, 1, 1),
        channels=(32, 64, 96, 128),
        num_classes=0,
        stem_type="deep",
        stem_width=16,
    )
    network.maxpool = nn.Sequential()
    return network


def small_efficientnet(size: int = 64) -> nn.Module:
    """Depth-wise convolutions with gates on channels; 0.2 M parameters, stride 16.

    Five blocks of 24, 48 and 80 channels (Tan and Le, ICML 2019, in small).
    """
    del size
    blocks = [["ds_r1_k3_s2_c24"], ["ir_r2_k3_s2_e4_c48_se0.25"], ["ir_r2_k5_s2_e4_c80_se0.25"]]
    return EfficientNet(
        decode_arch_def(blocks),  # type: ignore[no-untyped-call]
        num_classes=0,
        num_features=128,
        stem_size=16,
        act_layer=nn.ReLU,
    )


def small_convmixer(size: int = 64) -> nn.Module:
    """Convolutions over patches of one width; 0.1 M parameters, 8x8 places at 64 px.

    Four layers of 128 channels, 5x5 depth-wise and 1x1 (Trockman and Kolter, 2022, in small).
    """
    del size
    return ConvMixer(128, 4, kernel_size=5, patch_size=8, num_classes=0)


def small_vit(size: int = 64) -> nn.Module:
    """A vision transformer on convolutions; 0.5 M parameters, tokens of 16x16 px, no class token.

    Two layers of 128 dimensions and 4 heads (Dosovitskiy et al., ICLR 2021, in small) on six 3x3
    convolutions with branches (Ding et al., CVPR 2021): on patches alone they need far more faces.
    The mean of the tokens, by BatchNorm.
    """
    stages = ((1, 32), (2, 64), (2, 128))
    blocks = tuple(ByoBlockCfg(type="rep", d=d, c=c, s=2, gs=0) for d, c in stages)
    stem = ByobNet(ByoModelCfg(blocks=blocks, stem_type="rep", stem_chs=24), num_classes=0)
    network = VisionTransformer(
        img_size=size,
        patch_size=1,  # of the stem's map
        num_classes=0,
        embed_dim=128,
        depth=2,
        num_heads=4,
        mlp_ratio=2,
        class_token=False,
        global_pool="avg",
        fc_norm=False,
        embed_layer=partial(
            HybridEmbed, backbone=nn.Sequential(stem.stem, stem.stages), proj=False
        ),
    )
    network.fc_norm = nn.BatchNorm1d(128)
    return network


OWN: dict[str, Callable[[int], nn.Module]] = {
    "small_resnet": small_resnet,
    "small_efficientnet": small_efficientnet,
    "small_convmixer": small_convmixer,
    "small_vit": small_vit,
    "small_resattn": partial(ResidualAttention, (1, 1, 1), channels=(32, 64, 128)),
    "resattn56": partial(ResidualAttention, (1, 1, 1)),
    "resattn92": partial(ResidualAttention, (1, 2, 3)),
}
"""Networks that timm does not list, for images of a size; the small ones for small faces."""

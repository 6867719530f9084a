from __future__ import annotations

import pytest
import torch

from audit.errors import InputError
from hae.backbones.network import Backbone


@pytest.mark.parametrize(
    ("name", "width"),
    [  # what comes out of a forward pass; timm's num_features says 512 of VGG16, 288 of MobileNet
        ("vgg16", 4096),
        ("mobilenetv3_small_050", 1024),
        ("lcnet_050", 1280),
        ("resnet50", 2048),
        ("tf_efficientnet_lite0", 1280),
        ("convnext_atto", 320),
        ("vit_tiny_patch16_224", 192),
        ("small_resnet", 128),
    ],
)
def test_width_is_what_comes_out(name: str, width: int) -> None:
    with torch.device("meta"):
        backbone = Backbone(name, size=128).eval()
        features = backbone(torch.empty(2, 3, 128, 128))
    assert backbone.out_dim == width
    assert features.shape == (2, width)


def test_small_resnet_is_small() -> None:
    backbone = Backbone("small_resnet")
    assert 450_000 < sum(p.numel() for p in backbone.parameters()) < 550_000
    cells = backbone.network.forward_features(torch.zeros(1, 3, 64, 64))  # type: ignore[operator]
    assert cells.shape == (1, 128, 4, 4)


@pytest.mark.parametrize("name", ["resnet51", "small_resne", "vgg_16"])
def test_unknown_names_tell_near_ones(name: str) -> None:
    near = {"resnet51": "resnet50", "small_resne": "small_resnet", "vgg_16": "vgg16"}[name]
    with pytest.raises(InputError, match=rf"backbone '{name}': .*{near}"):
        Backbone(name)


def test_far_names_and_tags() -> None:
    with pytest.raises(InputError, match=r"timm.list_models\(\) lists them"):
        Backbone("hf-hub:someone/something-unlike-all")
    with pytest.raises(InputError, match="Leave out what follows the dot"):
        Backbone("resnet18.no_such_weights")


def test_frozen_is_left_alone() -> None:
    torch.manual_seed(0)
    backbone = Backbone("small_resnet", frozen=True)
    backbone.train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    features = backbone(torch.randn(4, 3, 32, 32).requires_grad_())
    assert not features.requires_grad
    assert not backbone.network.training
    assert not any(p.requires_grad for p in backbone.parameters())
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_unfrozen_follows_the_mode() -> None:
    backbone = Backbone("small_resnet")
    assert backbone.train().network.training
    assert not backbone.eval().network.training
    assert backbone(torch.randn(2, 3, 32, 32)).requires_grad

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
        ("small_efficientnet", 128),
        ("small_convmixer", 128),
        ("small_vit", 128),
    ],
)
def test_width_is_what_comes_out(name: str, width: int) -> None:
    with torch.device("meta"):
        backbone = Backbone(name, size=128).eval()
        features = backbone(torch.empty(2, 3, 128, 128))
    assert backbone.out_dim == width
    assert features.shape == (2, width)


@pytest.mark.parametrize(
    ("name", "thousands"),
    [
        ("small_resnet", 500),
        ("small_efficientnet", 156),
        ("small_convmixer", 106),
        ("small_vit", 585),
    ],
)
def test_small_networks_are_small(name: str, thousands: int) -> None:
    backbone = Backbone(name, size=64)
    assert sum(p.numel() for p in backbone.parameters()) // 1000 == pytest.approx(thousands, abs=1)
    assert backbone.n_regions(64, cells=4) == 16


def test_small_resnet_has_four_by_four_places() -> None:
    backbone = Backbone("small_resnet")
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


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [  # places of the last map, or tokens without those of the class
        ("vgg16", 224, (49, 512)),
        ("mobilenetv3_small_050", 128, (16, 288)),
        ("resnet50", 112, (16, 2048)),
        ("tf_efficientnet_lite0", 256, (49, 1280)),  # 8 x 8 pooled to 7 x 7
        ("convnext_atto", 224, (49, 320)),
        ("vit_tiny_patch16_224", 224, (49, 192)),  # 14 x 14 tokens
        ("deit_tiny_distilled_patch16_224", 224, (49, 192)),  # two tokens of the class
        ("volo_d1_224", 224, (49, 384)),  # does not say that it has one
        ("swin_tiny_patch4_window7_224", 224, (49, 768)),  # channels last
        ("mixer_s32_224", 224, (49, 512)),
        ("small_resnet", 64, (16, 128)),
        ("small_efficientnet", 64, (16, 128)),
        ("small_convmixer", 64, (49, 128)),  # 8 x 8 places
        ("small_vit", 64, (16, 128)),
    ],
)
def test_regions(name: str, size: int, shape: tuple[int, int]) -> None:
    with torch.device("meta"):
        backbone = Backbone(name, size=size).eval()
        features, regions = backbone.with_regions(torch.empty(2, 3, size, size))
    assert features.shape == (2, backbone.out_dim)
    assert regions.shape == (2, *shape)
    assert backbone.region_dim == shape[1]


@pytest.mark.parametrize("name", ["small_resnet", "lcnet_050", "vit_tiny_patch16_224"])
def test_regions_come_with_the_same_features(name: str) -> None:
    torch.manual_seed(0)
    backbone, x = Backbone(name, size=64).eval(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features, regions = backbone.with_regions(x, cells=2)
        assert torch.allclose(features, backbone(x), atol=1e-6)
    assert regions.shape == (2, 4, backbone.region_dim)


def test_regions_are_pooled_in_their_places() -> None:
    # the mean of the four places of a quarter of the map, row by row
    torch.manual_seed(0)
    backbone, x = Backbone("small_resnet").eval(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        whole = backbone.network.forward_features(x)[0]  # type: ignore[operator]
        _, regions = backbone.with_regions(x, cells=2)
    assert torch.allclose(regions[0, 1], whole[:, :2, 2:].mean((1, 2)), atol=1e-6)
    assert torch.allclose(regions[0, 2], whole[:, 2:, :2].mean((1, 2)), atol=1e-6)


def test_a_vits_regions_are_its_tokens() -> None:
    torch.manual_seed(0)
    backbone, x = Backbone("vit_tiny_patch16_224", size=64).eval(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        tokens = backbone.network.forward_features(x)  # type: ignore[operator]
        _, regions = backbone.with_regions(x)
    assert torch.equal(regions[0], tokens[0, 1:])  # 4 x 4, row by row


def test_looking_for_regions_changes_nothing() -> None:
    backbone = Backbone("small_resnet").train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    state = torch.get_rng_state()
    assert backbone.n_regions(32) == 4
    assert backbone.network.training
    assert all(module.training for module in backbone.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_a_frozen_network_gives_regions_without_gradients() -> None:
    backbone = Backbone("small_resnet", frozen=True)
    found = backbone.with_regions(torch.randn(2, 3, 32, 32).requires_grad_())
    assert not any(part.requires_grad for part in found)


@pytest.mark.parametrize(("name", "size"), [("crossvit_tiny_240", 240), ("coat_tiny", 224)])
def test_networks_without_regions_are_refused(name: str, size: int) -> None:
    with pytest.raises(InputError, match=f"backbone '{name}': gives no regions"):
        Backbone(name, size=size).n_regions(size)

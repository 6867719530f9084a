"""dasNet: gains on the maps of a network that never changes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from audit.errors import InputError
from hae.backbones.dasnet import DasNet
from hae.backbones.network import Backbone
from hae.config import BackboneConfig


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(size: int = 64, of: str = "small_resnet", **more: Any) -> Backbone:
    keys = {"name": "dasnet", "of": of, "width": 8, **more}
    return Backbone(BackboneConfig.model_validate(keys), size=size)


def network(backbone: Backbone) -> DasNet:
    assert isinstance(backbone.network, DasNet)
    return backbone.network


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def shaken(net: DasNet) -> None:
    """A policy that is not that of birth."""
    torch.nn.init.normal_(net.policy.outer.weight, std=0.5)


@pytest.mark.parametrize("size", [64, 112, 224])
def test_it_is_born_as_the_network_inside(size: int) -> None:
    backbone, x = build(size).train(), noise(2, size)
    inner = network(backbone).inner
    with torch.no_grad():
        found = backbone.attend(x, 2)
        features, regions = inner.with_regions(x, 2)
        assert torch.equal(backbone(x), features)
    assert torch.equal(found.features, features)
    assert found.regions is not None
    assert torch.equal(found.regions, regions)
    assert {name: gain.shape[1] for name, gain in found.maps.items()} == {
        "gains.act1": 32, "gains.layer1": 32, "gains.layer2": 64, "gains.layer3": 96,
        "gains.layer4": 128,
    }  # fmt: skip
    assert all((gain == 1).all() for gain in found.maps.values())
    assert not any(m._forward_hooks for m in inner.modules())


def test_gains_multiply_the_maps_of_the_next_pass() -> None:
    # only the last map's gains differ from 1, and the features are its mean: gains times those
    backbone, x = build(passes=2).eval(), noise(3, 64)
    net = network(backbone)
    last = torch.randn(128)
    with torch.no_grad():
        net.policy.outer.bias[-128:] = last
        found, plain = backbone.attend(x), net.inner(x)
    gains = last.sigmoid() / last.sigmoid().mean()
    assert torch.allclose(found.maps["gains.layer4"], gains.expand(3, 128), atol=1e-6)
    assert torch.allclose(found.features, gains * plain, atol=1e-5)


def test_gains_are_told_from_what_the_pass_before_showed() -> None:
    backbone, x = build(passes=3).eval(), noise(2, 64)
    net = network(backbone)
    shaken(net)
    with torch.no_grad():
        found, alone = backbone.attend(x), backbone.attend(x[1:])
        gains: dict[str, Tensor] = {}
        for _ in range(2):
            with net._gained(gains) as means:
                features = net.inner(x)
            assert set(means) == set(net.layers)
            assert torch.allclose(means["layer4"], features, atol=1e-5)
            o = torch.cat([*means.values(), features], 1)
            o = (o - o.mean(1, keepdim=True)) / (
                o.var(1, unbiased=False, keepdim=True) + 1e-5
            ).sqrt()
            hidden = torch.tanh(o @ net.policy.inner.weight.T + net.policy.inner.bias)
            shares = (hidden @ net.policy.outer.weight.T + net.policy.outer.bias).sigmoid()
            parts = torch.split(shares, list(net.layers.values()), dim=1)
            gains = {k: s / s.mean(1, keepdim=True) for k, s in zip(net.layers, parts, strict=True)}
    for name, gain in gains.items():
        assert torch.allclose(found.maps[f"gains.{name}"], gain, atol=1e-4)
    assert not torch.allclose(gains["layer4"][0], gains["layer4"][1], atol=1e-3)
    assert torch.allclose(alone.features[0], found.features[1], atol=1e-5)


@pytest.mark.parametrize("optim", ["snes", "backprop"])
def test_the_network_inside_never_changes(optim: str) -> None:
    backbone, x = build(optim=optim).train(), noise(4, 64)
    net = network(backbone)
    shaken(net)
    before = {k: v.clone() for k, v in net.inner.state_dict().items()}
    trained = [p for p in backbone.parameters() if p.requires_grad]
    if optim == "snes":
        assert not trained
        assert net.evolves
        backbone(x)
    else:
        assert len(trained) == len(list(net.policy.parameters()))
        backbone(x).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)
        torch.optim.AdamW(backbone.parameters(), lr=0.1).step()
    assert all(torch.equal(v, before[k]) for k, v in net.inner.state_dict().items())
    assert not any(m.training for m in net.inner.modules())


@pytest.mark.parametrize("of", ["small_resnet", "small_efficientnet", "resnet10t"])
def test_mixed_precision_is_finite(of: str) -> None:
    backbone = build(of=of, optim="backprop").train()
    shaken(network(backbone))
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        torch.autograd.backward(found.features.float().square().sum())
    assert found.features.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in backbone.parameters())


def test_gradients_train_another_method() -> None:
    assert build().name == "dasnet.small_resnet"
    assert build(optim="backprop").name == "dasnet-backprop.small_resnet"


@pytest.mark.parametrize(
    ("of", "size", "message"),
    [
        ("vit_tiny_patch16_224", 64, "'vit_tiny_patch16_224' shows no maps between; take a ResNet"),
        ("vgg11", 16, r"'vgg11' takes no images of 16 px .*; raise model\.size"),
    ],
)
def test_what_cannot_be(of: str, size: int, message: str) -> None:
    with torch.device("meta"), pytest.raises(InputError, match=message):
        build(size, of)

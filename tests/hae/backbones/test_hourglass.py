"""Hourglasses: maps of parts, what is pooled by them, their overlap and their boxes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from audit.errors import InputError
from hae.backbones.attended import Judged
from hae.backbones.hourglass import Hourglass, Scales, depth, overlap, spread
from hae.backbones.network import Backbone
from hae.config import BackboneConfig


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(size: int = 64, **more: Any) -> Backbone:
    keys = {"name": "hourglass", "width": 16, "parts": 3, **more}
    return Backbone(BackboneConfig.model_validate(keys), size=size)


def network(backbone: Backbone) -> Hourglass:
    assert isinstance(backbone.network, Hourglass)
    return backbone.network


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def judge(features: Tensor) -> Judged:
    score = features.mean(-1).sigmoid()
    return Judged((1 - score).mean(), score, 1 - score)


@pytest.mark.parametrize(("size", "side"), [(32, 8), (64, 16), (112, 28), (224, 56)])
def test_regions_are_pooled_by_the_maps(size: int, side: int) -> None:
    backbone = build(size).eval()
    net, x = network(backbone), noise(2, size)
    kept: list[Tensor] = []
    net.stacks[1].body.register_forward_hook(lambda *call: kept.append(call[2]))  # type: ignore[union-attr, operator]
    with torch.no_grad():
        found = backbone.attend(x)
        one = backbone.attend(x[1:])
    maps = found.maps["parts_2"]
    assert maps.shape == (2, 3, side, side)
    for name in ("parts_1", "parts_2"):
        assert torch.allclose(found.maps[name].sum((2, 3)), torch.ones(2, 3), atol=1e-5)
    by_hand = torch.stack(
        [(maps[:, p : p + 1] * kept[0]).sum((2, 3)) for p in range(3)], dim=1
    )  # (n, p, c)
    assert found.regions is not None
    assert torch.allclose(found.regions, by_hand, atol=1e-5)
    assert torch.equal(found.features, found.regions.flatten(1))
    assert (backbone.out_dim, backbone.region_dim, backbone.n_regions(size)) == (48, 16, 3)
    assert torch.allclose(one.features[0], found.features[1], atol=1e-5)
    assert torch.allclose(backbone(x), found.features, atol=1e-6)


def test_its_depth_fits_the_input() -> None:
    # 4 places by side are left, or more where they are odd: 28 -> 14 -> 7, 56 -> 28 -> 14 -> 7
    assert [depth(side) for side in (8, 16, 28, 56, 64, 256)] == [1, 2, 2, 3, 4, 4]
    odd = torch.rand(1, 8, 13, 13)
    assert Scales(8, 1).eval()(odd).shape == odd.shape


def test_the_papers_width_has_as_many_parameters() -> None:
    # bottlenecks of 256 channels: 13 in the hourglass and one after it, 213,504 weights each
    with torch.device("meta"):
        net = network(build(256, width=256, stacks=1))
    assert sum(p.numel() for p in net.stacks.parameters()) / 1e6 == pytest.approx(3.07, abs=0.02)


def test_overlap_is_of_pairs() -> None:
    one_hot = torch.eye(4)[:3].view(1, 3, 2, 2)
    assert overlap(one_hot).tolist() == [0.0]
    assert overlap(torch.full((1, 3, 2, 2), 0.25)).item() == pytest.approx(1)
    # of three pairs one shares half of its places: <m, n> / |m| |n| = 0.5 / sqrt(0.5)
    half = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 1]]).view(1, 3, 2, 2)
    assert overlap(half).item() == pytest.approx(0.5**0.5 / 3)
    # parts that begin in one place are driven apart
    scores = (0.1 * torch.randn(1, 2, 16)).requires_grad_()
    for _ in range(200):
        loss = overlap(scores.softmax(-1).view(1, 2, 4, 4)).sum()
        (slope,) = torch.autograd.grad(loss, scores)
        scores = (scores - 5 * slope).detach().requires_grad_()
    assert loss.item() < 0.2


def test_boxes_are_as_wide_as_the_maps() -> None:
    even, one = torch.full((4, 8), 1 / 32), torch.zeros(4, 8)
    one[3, 2] = 1
    found = spread(torch.stack([even, one])[None])
    expected = torch.tensor([[[0.0, 0, 1, 1], [2 / 8, 3 / 4, 3 / 8, 1]]])
    assert torch.allclose(found, expected, atol=1e-6)


def test_every_stack_before_the_last_has_a_loss_and_all_pay_for_overlap() -> None:
    backbone = build(stacks=3).train()
    found = backbone.attend(noise(2, 64))
    terms = backbone.losses(found, judge)
    assert found.parts is not None
    assert found.parts.shape == (2, 2, 48)
    both = sum(judge(found.parts[:, i]).loss.item() for i in range(2))
    assert terms["backbone_stacks"].item() == pytest.approx(both, rel=1e-5)
    mean = torch.stack([overlap(m) for m in found.maps.values()]).mean()
    expected = 0.1 * judge(found.features[:, None]).loss * mean
    assert terms["backbone_overlap"].item() == pytest.approx(expected.item(), rel=1e-5)
    one = build(stacks=1)
    terms = one.losses(one.attend(noise(2, 64)), judge)
    assert set(terms) == {"backbone_overlap"}
    # the answer is not learned by it
    head = torch.ones(48, requires_grad=True)
    terms = one.losses(one.attend(noise(2, 64)), lambda x: judge(x * head))
    slope = torch.autograd.grad(terms["backbone_overlap"], head, allow_unused=True)
    assert slope == (None,)


def test_mixed_precision_is_finite() -> None:
    backbone = build().train()
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        terms = backbone.losses(found, judge)
    sum(terms.values(), start=found.features.sum()).backward()
    assert found.features.isfinite().all()
    assert torch.allclose(found.maps["parts_2"].sum((2, 3)), torch.ones(2, 3), atol=1e-5)
    grads = [p.grad for p in backbone.parameters()]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_one_seed_one_network() -> None:
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        backbone = build().eval()
        with torch.no_grad():
            found.append(backbone(noise(2, 64)))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_what_cannot_be() -> None:
    with pytest.raises(InputError, match=r"input has 31 px, must be at least 32, .*raise model\.s"):
        build(31)
    with pytest.raises(InputError, match=r"'hourglass': timm has no such network; .*hourglass"):
        Backbone(BackboneConfig(name="stn", of="hourglass"))

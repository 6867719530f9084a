"""Two-level attention: which patches are kept, groups of filters, and the parts they point at."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from audit.configs import checked
from audit.errors import InputError
from hae.backbones.attended import Judged
from hae.backbones.filters import Responses, detectors, group, peaks
from hae.backbones.network import Backbone
from hae.backbones.places import cut, cut_at, resized
from hae.backbones.two_level import TwoLevel, around
from hae.config import BackboneConfig

KEYS = {"name": "two_level", "of": "small_resnet", "grid": 3, "overlap": 0.5, "locations": [2]}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(size: int = 64, **more: Any) -> Backbone:
    return Backbone(checked(BackboneConfig, {**KEYS, **more}, "here"), size=size)


def network(backbone: Backbone) -> TwoLevel:
    assert isinstance(backbone.network, TwoLevel)
    return backbone.network


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def judge(features: Tensor) -> Judged:
    score = features.mean(-1).sigmoid()
    return Judged((1 - score).mean(), score, 1 - score)


def planted(n: int = 12, side: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Maps of 10 filters; those of a group respond at one place, each with its own strength."""
    groups = torch.tensor([0, 1, 1, 0, 0, 1, 0, 1, 1, 0])
    place = torch.randint(side**2, (n, 2))
    maps = 0.1 * torch.rand(n, 10, side**2)
    strength = 10.0 ** torch.linspace(-2, 2, 10)
    for i in range(n):
        maps[i, torch.arange(10), place[i, groups]] += 1
    return (maps * strength[:, None]).view(n, 10, side, side), groups, place


def test_planted_groups_and_their_peaks_are_found() -> None:
    maps, groups, place = planted()
    sums = Responses()
    for part in maps.split(5):  # type: ignore[no-untyped-call]
        sums.add(part)
    flat = maps.double().transpose(0, 1).flatten(1)
    assert torch.allclose(sums.correlations(), torch.corrcoef(flat), atol=1e-9)
    found = group(sums.correlations(), 2)
    assert found is not None
    assert found.tolist() == groups.tolist()
    # the strongest filter does not speak for its group
    where = peaks(maps, detectors(found, sums.strength()))
    at = torch.stack([(place % 6 + 0.5) / 6, (place // 6 + 0.5) / 6], dim=-1)
    assert torch.allclose(where, at)
    assert group(sums.correlations(), 2).equal(found)  # type: ignore[union-attr]


def test_filters_that_always_say_the_same_are_in_no_group() -> None:
    maps = planted()[0]
    maps[:, 4] = 3.0
    sums = Responses()
    sums.add(maps)
    found = group(sums.correlations(), 2)
    assert found is not None
    assert found[4] == -1
    assert found[[0, 3, 6, 9, 1, 2]].tolist() == [0, 0, 0, 0, 1, 1]
    weights = detectors(found, sums.strength())
    assert (weights[:, 4] == 0).all()
    assert ((weights > 0).sum(dim=0) <= 1).all()
    maps[:] = 1.0
    sums = Responses()
    sums.add(maps)
    assert group(sums.correlations(), 2) is None


def test_windows_lie_about_the_peak_and_in_the_image() -> None:
    centres = torch.tensor([[[0.5, 0.25], [0.0, 1.0], [1.0, 0.5]]])
    corners = around(centres, 64, 32)
    assert corners.tolist() == [[[16, 0], [0, 32], [32, 16]]]
    x = noise(1, 64)
    shown = cut_at(x, corners, 32)
    assert torch.equal(shown[0], x[0, :, 0:32, 16:48])
    assert torch.equal(shown[1], x[0, :, 32:64, 0:32])


@pytest.mark.parametrize("size", [64, 112, 224])
def test_features_are_those_of_the_object_and_of_the_parts(size: int) -> None:
    backbone = build(size, base=32).eval()
    net, x = network(backbone), noise(2, size)
    with torch.no_grad():
        found, alone = backbone.attend(x), backbone.attend(x[1:])
        scores = net.scores(x)
        kept = scores.topk(2).indices
        assert torch.equal(found.maps["filter"].flatten(1), scores.sigmoid())
        whole = net.inner(resized(x, 32))[:, None]
        patches = net.inner(resized(cut(x, kept, 3, 0.5), 32)).view(2, 2, -1)
        assert found.boxes is not None
        assert found.boxes.shape == (2, 6, 4)
        side = size // 2
        corners = (found.boxes[:, 3:, :2] * size).round().long()
        assert ((found.boxes[..., 2:] - found.boxes[..., :2])[:, 3:] == 0.5).all()
        parts = net.inner(resized(cut_at(x, corners, side), 32)).view(2, 3, -1)
    objects = torch.cat([whole, patches], dim=1)
    assert found.regions is not None
    assert torch.allclose(found.regions, parts, atol=1e-5)
    assert torch.allclose(found.features, (objects.mean(1) + 0.5 * parts.mean(1)) / 1.5, atol=1e-5)
    assert torch.allclose(alone.features[0], found.features[1], atol=1e-5)
    assert backbone.n_regions(size) == 3


def test_faces_group_the_filters_once_and_the_state_keeps_it() -> None:
    backbone = build().train()
    net, x = network(backbone), noise(24, 64)
    born, sums = net.detectors.clone(), net.inner.state_dict()["network.bn1.running_mean"].clone()
    net.prepare([x[:10], x[10:]])
    assert net.training
    assert net.inner.training
    assert torch.equal(net.inner.state_dict()["network.bn1.running_mean"], sums)
    assert not torch.equal(net.detectors, born)
    first = net.detectors.clone()
    net.prepare([x])
    assert torch.allclose(net.detectors, first, rtol=1e-4)
    other = build()
    other.load_state_dict(backbone.state_dict())
    assert torch.equal(network(other).detectors, net.detectors)
    for p in net.inner.parameters():
        p.data.zero_()
    with pytest.raises(InputError, match="respond too little to form 3 groups; name trained"):
        net.prepare([x])


def test_the_filter_learns_what_a_patch_alone_tells() -> None:
    net = network(build()).train()
    found = net.attend(noise(3, 64))
    assert found.parts is not None
    assert found.values is not None
    terms = net.losses(found, judge)
    alone = judge(found.parts)
    assert terms["patches"].item() == pytest.approx(alone.loss.item(), rel=1e-5)
    square = (found.values - alone.score[:, 1:]).square().mean()
    assert terms["filter"].item() == pytest.approx(square.item(), rel=1e-5)
    terms["filter"].backward(retain_graph=True)  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in net.inner.parameters())
    grads = [p.grad for p in net.filter.parameters()]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)
    net.zero_grad(set_to_none=True)
    (terms["patches"] + found.features.sum()).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in net.filter.parameters())


def test_training_draws_and_evaluation_keeps_the_best() -> None:
    backbone, x = build(grid=5, overlap=0.34), noise(2, 64)
    with torch.no_grad():
        backbone.eval()
        assert torch.equal(backbone(x), backbone(x))
        network(backbone).train()
        seen = {tuple(backbone.attend(x).boxes[0, 1].tolist()) for _ in range(12)}  # type: ignore[index]
    assert len(seen) > 2


def test_mixed_precision_is_finite() -> None:
    backbone = build().train()
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        terms = backbone.losses(found, judge)
    sum(terms.values(), start=found.features.sum()).backward()
    assert found.features.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in backbone.parameters())


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"overlap": 0.1}, r"places would be 6 px wide; raise overlap or model\.size"),
        ({"base": 65}, "base is 65, the input has 64 px; lower base"),
        ({"base": 16, "grid": 30, "of": "resnet18"}, "largest map has 8 x 8 places, too small"),
        ({"parts": 64, "grid": 12, "overlap": 0.2}, "64 parts of 32 filters; lower parts"),
        ({"of": "resattn56"}, "'resattn56' shows no maps between"),
    ],
)
def test_what_cannot_be(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**keys)

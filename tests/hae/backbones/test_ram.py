"""RAM and DRAM: what a glimpse shows, how places are drawn, and who learns from what."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from audit.configs import checked
from audit.errors import InputError
from hae.backbones.attended import Attended, Judged
from hae.backbones.glimpse import about, retina
from hae.backbones.network import Backbone
from hae.backbones.places import resized
from hae.backbones.ram import Glimpses, drawn
from hae.config import BackboneConfig
from hae.reinforce import reinforce


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(name: str = "ram", size: int = 64, **more: Any) -> Backbone:
    return Backbone(checked(BackboneConfig, {"name": name, **more}, "here"), size=size)


def network(backbone: Backbone) -> Glimpses:
    assert isinstance(backbone.network, Glimpses)
    return backbone.network


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def judge(features: Tensor) -> Judged:
    score = features.mean(-1).sigmoid()
    return Judged((1 - score).mean(), score, 1 - score)


def tensors(found: Attended) -> tuple[Tensor, Tensor, Tensor]:
    assert found.logs is not None
    assert found.values is not None
    assert found.boxes is not None
    return found.logs, found.values, found.boxes


def touched(module: torch.nn.Module) -> set[str]:
    """The parts of a module whose weights have a gradient that is not 0."""
    return {
        name.removeprefix("core.").split(".")[0]
        for name, p in module.named_parameters()
        if p.grad is not None and p.grad.abs().sum() > 0
    }


def test_a_retina_shows_the_place_finely_and_more_of_it_coarsely() -> None:
    # at (0.5, -0.5) of 16 px lies pixel (12, 4): 4 px about it, then 8 px by means of 2 x 2
    x = noise(1, 16)
    found = retina([x, resized(x, 8)], torch.tensor([[0.5, -0.5]]), 4, 0.25)
    assert found.shape == (1, 6, 4, 4)
    assert torch.allclose(found[:, :3], x[:, :, 2:6, 10:14], atol=1e-5)
    assert torch.allclose(found[:, 3:], resized(x, 8)[:, :, 0:4, 4:8], atol=1e-5)
    assert about(torch.tensor([[0.5, -0.5]]), 0.25).tolist() == [[0.625, 0.125, 0.875, 0.375]]
    # beyond the image there is nothing
    corner = retina([x], torch.tensor([[-1.0, -1.0]]), 4, 0.25)
    assert torch.equal(corner[0, :, :2], torch.zeros(3, 2, 4))
    assert torch.allclose(corner[0, :, 2:, 2:], x[0, :, :2, :2], atol=1e-5)


def test_places_are_drawn_about_their_means() -> None:
    mean = torch.tensor([[0.3, -0.2]]).expand(20_000, 2).clone().requires_grad_()
    place, logs = drawn(mean, 0.1, draw=True)
    assert not place.requires_grad
    assert torch.allclose(place.mean(0), mean[0], atol=0.004)
    assert torch.allclose(place.std(0), torch.tensor([0.1, 0.1]), atol=0.004)
    exact = torch.distributions.Normal(mean, 0.1).log_prob(place).sum(1)
    assert torch.allclose(logs, exact, atol=1e-4)
    # the score has mean 0: what does not depend on the draw moves nothing, clamped or not
    edge = torch.tensor([[0.98, 0.0]]).expand(20_000, 2).clone().requires_grad_()
    place, logs = drawn(edge, 0.1, draw=True)
    assert place.max() == 1
    (slope,) = torch.autograd.grad(logs.mean(), edge)
    assert slope.sum(0).abs().max() < 4 * 10 / math.sqrt(20_000)
    still, logs = drawn(mean, 0.1, draw=False)
    assert torch.equal(still, mean)
    assert logs[0].item() == pytest.approx(-math.log(2 * math.pi * 0.01), rel=1e-5)


@pytest.mark.parametrize("size", [64, 112, 224])
@pytest.mark.parametrize(("name", "width"), [("ram", 256), ("dram", 512)])
def test_any_size(name: str, width: int, size: int) -> None:
    backbone = build(name, size, glimpses=3).eval()
    x = noise(3, size)
    with torch.no_grad():
        found, again, alone = backbone.attend(x), backbone.attend(x), backbone.attend(x[1:2])
        features, regions = backbone.with_regions(x)
    boxes = tensors(found)[2]
    assert found.features.shape == (3, width) == (3, backbone.out_dim)
    assert regions.shape == (3, 3, width)
    assert boxes.shape == (3, 3, 4)
    assert torch.allclose(boxes[..., 2:] - boxes[..., :2], torch.tensor(0.25), atol=1e-6)
    # evaluation is a function of the image alone
    assert torch.equal(again.features, found.features)
    assert torch.equal(features, found.features)
    assert torch.allclose(alone.features, found.features[1:2], atol=1e-5)
    assert torch.allclose(tensors(alone)[2], boxes[1:2], atol=1e-5)


@pytest.mark.parametrize("name", ["ram", "dram"])
def test_training_draws_by_the_seed(name: str) -> None:
    backbone, x = build(name, glimpses=3, sigma=0.2).train(), noise(2, 64)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(backbone.attend(x))
    assert torch.equal(found[0].features, found[1].features)
    assert not torch.equal(found[0].features, found[2].features)
    boxes = tensors(found[0])[2]
    assert (boxes[:, 0] != boxes[:, 1]).any()


@pytest.mark.parametrize(
    ("name", "answer", "policy"),
    [
        ("ram", {"what", "where", "step"}, {"mean"}),
        ("dram", {"what", "where", "answer"}, {"context", "location", "mean"}),
    ],
)
def test_answer_places_and_baseline_are_learned_apart(
    name: str, answer: set[str], policy: set[str]
) -> None:
    backbone = build(name, glimpses=3).train()
    ram, found = network(backbone), backbone.attend(noise(2, 64))
    logs, values, _ = tensors(found)
    for loss, expected in ((logs, policy), (values, {"value"}), (found.features, answer)):
        loss.square().sum().backward(retain_graph=True)
        assert touched(ram) == expected
        ram.zero_grad()


@pytest.mark.parametrize("name", ["ram", "dram"])
def test_losses_are_those_of_the_paper(name: str) -> None:
    backbone = build(name, glimpses=4).train()
    found = backbone.attend(noise(2, 64))
    logs, values, _ = tensors(found)
    terms = backbone.losses(found, judge)
    reward = judge(found.features[:, None]).score  # (2, 1), the same for all draws of a face
    assert logs.shape == values.shape == (2, 4)
    expected = ((values - reward) ** 2).mean()
    assert terms["backbone_baseline"].item() == pytest.approx(expected.item(), rel=1e-5)
    summed = -0.01 * ((reward - values) * logs).sum(1).mean()
    assert terms["backbone_policy"].item() == pytest.approx(summed.item(), rel=1e-5)
    torch.autograd.backward(list(terms.values()))
    parameters = dict(network(backbone).named_parameters())
    silent = {"core.what", "core.where", "core.step", "core.answer"}
    assert all(
        (p.grad is None) == any(key.startswith(part) for part in silent)
        for key, p in parameters.items()
    )


def test_reward_moves_the_mean_to_where_it_is() -> None:
    # a policy alone: reward exp(-|x - 0.4|^2 / 0.1), begun at 0
    mean = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([mean], lr=0.02)
    for _ in range(150):
        place, logs = drawn(mean.expand(256, 2), 0.1, draw=True)
        reward = torch.exp(-((place - 0.4) ** 2).sum(1) / 0.1)
        optimizer.zero_grad()
        reinforce(logs, reward, reward.mean()).backward()
        optimizer.step()
    assert torch.allclose(mean.detach(), torch.tensor(0.4), atol=0.05)


@pytest.mark.parametrize("name", ["ram", "dram"])
def test_mixed_precision_is_finite(name: str) -> None:
    backbone = build(name, glimpses=3).train()
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        terms = backbone.losses(found, judge)
    sum(terms.values(), start=found.features.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in backbone.parameters())
    assert found.features.dtype == torch.float32
    assert found.features.isfinite().all()


@pytest.mark.parametrize(
    ("size", "keys", "message"),
    [
        (24, {}, "glimpses of 6 px of an input of 24 px show nothing, must be at least 8; set"),
        (24, {"glimpse": 25}, "glimpse is 25, the input has 24 px; lower glimpse"),
        (64, {"glimpses": 1}, "glimpses"),
        (64, {"of": "small_resnet"}, "'ram' is no family that works around another network"),
        (64, {"name": "stn", "of": "ram"}, "'ram': timm has no such network"),
    ],
)
def test_what_cannot_be(size: int, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(size=size, **{"name": "ram", **keys})

"""TNet: which places it picks, what it sees there, and how it learns where to look."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audit.configs import checked
from audit.errors import InputError
from hae.backbones.attended import Judged
from hae.backbones.network import Backbone
from hae.backbones.places import boxes, cut, pick, plackett_luce, resized, window, windows
from hae.backbones.tnet import Locator, TNet
from hae.config import BackboneConfig
from hae.reinforce import reinforce

KEYS: dict[str, Any] = {"name": "tnet", "of": "small_resnet"}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(size: int = 64, **more: Any) -> Backbone:
    settings = checked(BackboneConfig, {**KEYS, "grid": 3, "overlap": 0.5, **more}, "here")
    return Backbone(settings, size=size)


def network(backbone: Backbone) -> TNet:
    assert isinstance(backbone.network, TNet)
    return backbone.network


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def judge(features: Tensor) -> Judged:
    """A right answer has a large mean."""
    score = features.mean(-1).sigmoid()
    return Judged((1 - score).mean(), score, 1 - score)


def test_windows_lie_where_the_paper_has_them() -> None:
    # 448 px, 5 x 5, 0.35: side 157, stride ceil(291 / 4) = 73, 449 pixels, no padding before
    assert window(448, 5, 0.35) == (157, 73, 0)
    assert window(77, 3, 0.5) == (38, 20, 0)
    assert window(10, 3, 0.2) == (2, 4, 0)
    x = torch.arange(100.0).view(1, 1, 10, 10)
    found = windows(x, 3, 0.2)
    assert found.shape == (1, 3, 3, 1, 2, 2)
    assert found[0, 1, 2, 0].tolist() == [[48, 49], [58, 59]]
    picked = cut(x, torch.tensor([[5, 0]]), 3, 0.2)
    assert picked[:, 0, 0, 0].tolist() == [48, 0]
    whole = torch.tensor([[0.0, 0, 1, 1]])
    first = boxes(torch.tensor([[5, 0]]), whole, 10, 3, 0.2)
    assert torch.allclose(first, torch.tensor([[[0.8, 0.4, 1.0, 0.6], [0, 0, 0.2, 0.2]]]))
    inside = boxes(torch.tensor([[4]]), first[:, 0], 10, 3, 0.2)
    assert torch.allclose(inside, torch.tensor([[[0.88, 0.48, 0.92, 0.52]]]))


@pytest.mark.parametrize("size", [64, 112, 224])
def test_all_places_are_the_dense_crops(size: int) -> None:
    backbone = build(size, grid=2, overlap=0.6, base=32).eval()
    tnet, x = network(backbone), noise(1, size)
    with torch.no_grad():
        found = tnet.attend(x, locations=(4,))
        side = round(0.6 * size)
        last = size - side
        dense = {0.0: x}
        for y, left in itertools.product((0, last), (0, last)):
            dense[len(dense)] = x[:, :, y : y + side, left : left + side]
        shown = [resized(crop, 32) for crop in dense.values()]
        by_hand = []
        for i, crop in enumerate(shown):
            row, column = divmod(i - 1, 2)
            place = [[0.0, 0.0, 0.0]] if i == 0 else [[row, column, 1.0]]
            code = tnet.position(tnet._code(torch.tensor(place)))
            by_hand.append(functional.silu(backbone.network.inner(crop) + code))  # type: ignore[operator]
    expected = torch.stack(by_hand, dim=1)
    assert found.parts is not None
    order = [0, *(1 + (found.boxes[0, 1:, 1] * 4 + found.boxes[0, 1:, 0]).argsort()).tolist()]  # type: ignore[index]
    assert torch.allclose(found.parts[:, order], expected, atol=1e-5)
    assert torch.allclose(found.features, expected.mean(1), atol=1e-5)


def test_location_and_answer_are_learned_apart() -> None:
    # REINFORCE reaches the locator alone: neither the network inside nor the code of places
    backbone = build(locations=[2]).train()
    tnet = network(backbone)
    found = tnet.attend(noise(2, 64))
    assert found.logs is not None
    found.logs.sum().backward()
    assert all(p.grad is None for p in tnet.inner.parameters())
    assert all(p.grad is None for p in tnet.position.parameters())
    grads = [p.grad for p in tnet.locator.parameters()]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)


def test_losses_are_those_of_the_paper() -> None:
    tnet = network(build(locations=[2])).train()
    found = tnet.attend(noise(2, 64))
    terms = tnet.losses(found, judge)
    assert found.logs is not None
    assert found.parts is not None
    alone, whole = judge(found.parts), judge(found.features[:, None]).score[:, 0]
    assert terms["features"].item() == pytest.approx(7 / 3 * alone.loss.item(), rel=1e-5)
    each = -((alone.score[:, 1:] - 0.5) * found.logs).mean()
    all_ = -((whole - 0.5) * found.logs.sum(1)).mean()
    assert terms["policy"].item() == pytest.approx((0.1 * all_ + 0.7 / 3 * each).item(), rel=1e-5)
    assert tnet.baseline.item() == pytest.approx(0.45 + 0.1 * whole.mean().item(), rel=1e-5)
    tnet.eval()
    tnet.losses(tnet.attend(noise(2, 64)), judge)
    assert tnet.baseline.item() == pytest.approx(0.45 + 0.1 * whole.mean().item(), rel=1e-5)


@pytest.mark.parametrize(("grid", "most"), [(3, 0.265), (5, 0.104)])
def test_scores_of_length_one_keep_the_policy_near_uniform(grid: int, most: float) -> None:
    # e^1 / (e^1 + n - 1) for the one-hot; no unit vector of logits gives more
    one_hot = math.e / (math.e + grid**2 - 1)
    locator = Locator(4, 8, grid)
    logs = locator(100 * torch.randn(50, 4, grid, grid))
    assert torch.allclose(logs.exp().sum(1), torch.ones(50), atol=1e-5)
    assert logs.exp().max().item() < most + 0.0005
    assert one_hot < most + 0.0005


def test_draws_have_plackett_luces_frequencies() -> None:
    p = torch.tensor([0.1, 0.4, 0.3, 0.2])
    n = 40_000
    drawn = pick(p.log().expand(n, 4), 2, draw=True)
    assert (drawn[:, 0] != drawn[:, 1]).all()
    logs = plackett_luce(p.log().expand(n, 4), drawn).sum(1)
    total = 0.0
    for a, b in itertools.permutations(range(4), 2):
        exact = float(p[a] * p[b] / (1 - p[a]))
        rows = (drawn == torch.tensor([a, b])).all(1)
        assert rows.float().mean().item() == pytest.approx(exact, abs=0.012)
        assert logs[rows].exp().mean().item() == pytest.approx(exact, rel=1e-4)
        total += exact
    assert total == pytest.approx(1.0)


def _gradient(score: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The true gradient of the expected reward, and the mean of REINFORCE's, by enumeration."""
    z = torch.tensor([0.3, -0.8, 0.5, 0.1], dtype=torch.float64, requires_grad=True)
    reward = {c: 0.1 + 0.3 * c[0] + 0.7 * (c[1] == 2) for c in itertools.permutations(range(4), 2)}
    expected = z.new_zeros(())
    estimate = torch.zeros(4, dtype=torch.float64)
    for chosen, value in reward.items():
        logs = z.log_softmax(0)[None]
        places = torch.tensor([chosen])
        p = plackett_luce(logs, places).sum().exp()
        expected = expected + p * value
        loss = reinforce(
            score(logs, places).sum(1), torch.tensor([value]), torch.tensor(0.37, dtype=z.dtype)
        )
        estimate -= p.detach() * torch.autograd.grad(loss, z, retain_graph=True)[0]
    return torch.autograd.grad(expected, z)[0], estimate


def test_the_gradient_is_unbiased() -> None:
    true, found = _gradient(plackett_luce)
    assert torch.allclose(found, true, atol=1e-12)
    # the sum of plain log p, which the released code takes, is not
    true, found = _gradient(lambda logs, places: logs.gather(1, places))
    assert (found - true).abs().max() > 0.02


def test_evaluation_is_deterministic_and_training_draws() -> None:
    backbone = build(grid=5, overlap=0.34, locations=[3])
    x = noise(2, 64)
    with torch.no_grad():
        backbone.eval()
        a, b = backbone.attend(x), backbone.attend(x)
        assert torch.equal(a.features, b.features)
        best = a.maps["places_1"].flatten(1).topk(3).indices
        assert a.boxes is not None
        left = a.boxes[:, 1:, 0] * 64
        expected = (best % 5) * window(64, 5, 0.34)[1] - window(64, 5, 0.34)[2]
        assert torch.allclose(left, expected.float(), atol=1e-4)
        network(backbone).train()
        seen = {tuple(backbone.attend(x).boxes[0, 1].tolist()) for _ in range(12)}  # type: ignore[index]
        assert len(seen) > 2
        settled = build(policy="topk").train()
        network(settled).inner.eval()
        assert torch.equal(settled.attend(x).features, settled.attend(x).features)


def test_levels_and_any_number_of_locations() -> None:
    backbone = build(locations=[2, 1]).eval()
    x = noise(2, 64)
    with torch.no_grad():
        found = backbone.attend(x)
        assert found.boxes is not None
        assert found.boxes.shape == (2, 5, 4)  # the whole, two, and one in each
        inner, outer = found.boxes[:, 3:], found.boxes[:, 1:3]
        assert (inner[..., :2] >= outer[..., :2] - 0.05).all()
        assert (inner[..., 2:] <= outer[..., 2:] + 0.05).all()
        for counts, n in (((), 1), ((0,), 1), ((1,), 2), ((9,), 10), ((3, 2), 10)):
            regions = network(backbone).attend(x, locations=counts).regions
            assert regions is not None
            assert regions.shape == (2, n, 128)
        with pytest.raises(InputError, match="10 locations of 3 x 3 places; ask for at most 9"):
            network(backbone).attend(x, locations=(10,))


@pytest.mark.parametrize("of", ["small_resnet", "vit_tiny_patch16_224", "lcnet_050"])
def test_mixed_precision_is_finite(of: str) -> None:
    backbone = build(of=of, base=48).train()
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        terms = backbone.losses(found, judge)
    sum(terms.values(), start=found.features.sum()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in backbone.parameters())
    assert found.features.isfinite().all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"locations": [10]}, "locations 10 of 3 x 3 places; ask for at most 9, or raise grid"),
        ({"base": 65}, "base is 65, the input has 64 px; lower base"),
        ({"overlap": 0.1}, "places would be 6 px wide; raise overlap or model.size"),
        ({"locations": [2, 2, 2], "overlap": 0.3}, "places would be 6 px wide"),
        ({"base": 16, "grid": 30, "of": "resnet18"}, "largest map has 8 x 8 places, too small"),
        ({"of": "resattn56"}, "'resattn56' shows no maps between"),
    ],
)
def test_what_cannot_be(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(**keys)

"""RA-CNN: its squares, what is learned by whom, and how its proposals begin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from audit.configs import checked
from audit.errors import InputError
from hae.backbones.attended import Attended, Judged
from hae.backbones.network import Backbone
from hae.backbones.racnn import Proposal, RecurrentAttention, ranked
from hae.backbones.squares import boxcar, highest, within, zoom
from hae.config import AgeModelConfig, BackboneConfig, ExpressionConfig
from hae.heads.target import AgeTarget
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel

KEYS: dict[str, Any] = {"name": "racnn", "of": "small_resnet", "width": 16}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def build(size: int = 64, **more: Any) -> Backbone:
    return Backbone(checked(BackboneConfig, {**KEYS, **more}, "here"), size=size)


def network(backbone: Backbone, *, ranks: bool = False) -> RecurrentAttention:
    found = backbone.network
    assert isinstance(found, RecurrentAttention)
    if ranks:
        found.batches.fill_(found.settings.proposal_steps)
    return found


def noise(n: int, size: int) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def judge(features: Tensor) -> Judged:
    """A right answer has a large mean."""
    score = features.mean(-1).sigmoid()
    return Judged((1 - score).mean(), score, 1 - score)


def parts(found: Attended) -> Tensor:
    assert found.parts is not None
    return found.parts


def grads(module: torch.nn.Module) -> float:
    return sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None)


def test_a_boxcar_becomes_a_crop_as_its_edges_grow_steep() -> None:
    # columns 2 to 6 and rows 1 to 4 of 8: ones inside, zeros outside
    box = torch.tensor([[0.25, 0.125, 0.75, 0.5]])
    hard = torch.zeros(8, 8)
    hard[1:4, 2:6] = 1
    far = [float((boxcar(box, 8, slope)[0, 0] - hard).abs().max()) for slope in (1, 3, 10, 100)]
    assert far == sorted(far, reverse=True)
    # half a pixel inside an edge: h(5) = 0.9933 on either axis
    assert far[2] == pytest.approx(1 - 0.993307**2, abs=1e-4)
    assert far[3] < 1e-6


def test_a_square_is_shown_at_the_size_asked_for() -> None:
    # 4 x 4 of 8 x 8 pixels at 4 pixels: each as it was, but for the edges' 1 - h(5)
    x = noise(1, 8)
    square = within(torch.tensor([[0.625, 0.375, 0.25]]), torch.tensor([[0.0, 0, 1, 1]]))
    assert square.tolist() == [[0.375, 0.125, 0.875, 0.625]]
    assert torch.allclose(zoom(x, square, 4), x[:, :, 1:5, 3:7], atol=0.02)
    nested = within(torch.tensor([[0.5, 0.75, 0.25]]), square)
    assert nested.tolist() == [[0.5, 0.375, 0.75, 0.625]]


def test_the_highest_response_by_hand() -> None:
    # 4 x 4 places, windows of 2: the lower right one but one row up; then an upper left corner
    response = torch.zeros(2, 4, 4)
    response[0, 2, 3], response[0, 1, 3], response[1, 0, 0] = 3.0, -2.0, 1.0
    response[0, 0, 0] = 4.0
    places = response.view(2, 16, 1) * torch.tensor([0.5, -0.5])
    assert highest(places).tolist() == [[0.75, 0.5, 0.25], [0.25, 0.25, 0.25]]
    # of 3 x 3 places the windows are two wide: their centre lies at 1/3
    assert highest(torch.eye(9)[:1, :, None])[0, 0].item() == pytest.approx(1 / 3)


def test_rank_is_zero_where_the_next_scale_is_better_by_the_margin() -> None:
    # 0.5 -> 0.4 -> 0.38: the first gains 0.1, the second 0.02, which lacks 0.03; then both do
    error = torch.tensor([[0.5, 0.4, 0.38], [0.9, 0.8, 0.75]], requires_grad=True)
    assert ranked(error).item() == pytest.approx(0.03 / 2, abs=1e-6)
    assert ranked(torch.tensor([[0.5, 0.7, 0.9]])).item() == pytest.approx(0.5, abs=1e-6)
    ranked(error).backward()
    assert error.grad is not None
    assert error.grad.tolist() == [[0, 0, 0.5], [0, 0, 0]]  # earlier scales are marks, not learned


@pytest.mark.parametrize("size", [64, 112, 224])
def test_three_scales_of_any_size(size: int) -> None:
    backbone = build(size).eval()
    with torch.no_grad():
        found = backbone.attend(noise(2, size))
        assert torch.equal(found.features, backbone(noise(2, size)))
        alone = backbone(noise(2, size)[1:])
    assert found.boxes is not None
    assert found.features.shape == (2, 128) == (2, backbone.out_dim)
    assert torch.allclose(found.features, parts(found).mean(1))
    assert torch.allclose(alone, found.features[1:], atol=1e-5)
    sides = found.boxes[..., 2:] - found.boxes[..., :2]
    assert found.boxes[:, 0].tolist() == [[0, 0, 1, 1]] * 2
    assert torch.allclose(sides[..., 0], sides[..., 1], atol=1e-6)
    assert (sides[:, 1:] >= sides[:, :-1] / 3 - 1e-5).all()
    assert (sides[:, 1:] <= sides[:, :-1] * 2 / 3 + 1e-5).all()
    inner, outer = found.boxes[:, 1:], found.boxes[:, :-1]
    assert (inner[..., :2] >= outer[..., :2] - 1e-6).all()
    assert (inner[..., 2:] <= outer[..., 2:] + 1e-6).all()
    # what the second part is of, by hand
    with torch.no_grad():
        shown = zoom(noise(2, size), found.boxes[:, 1], size // 2)
        by_hand = backbone.network.inner(shown)  # type: ignore[operator]
    assert torch.allclose(parts(found)[:, 1], by_hand, atol=1e-4)


def test_squares_reach_from_end_to_end_and_never_the_whole() -> None:
    proposal = Proposal(2, 4, 3)
    last = proposal.layers[3]
    found = []
    for u, v, t in ((9.0, -9.0, 9.0), (-9.0, 9.0, -9.0), (0.0, 0.0, 0.0)):
        with torch.no_grad():
            last.bias.copy_(torch.tensor([u, v, t]))  # type: ignore[operator, union-attr]
            last.weight.zero_()  # type: ignore[operator, union-attr]
            found.append(proposal(torch.randn(1, 4, 2))[0])
    expected = [[2 / 3, 1 / 3, 1 / 3], [1 / 6, 5 / 6, 1 / 6], [0.5, 0.5, 0.25]]
    assert torch.allclose(torch.stack(found), torch.tensor(expected), atol=1e-3)


def test_proposals_first_learn_the_squares_of_highest_response() -> None:
    # faces whose light square lies in one of four corners: proposals move there, and stay
    backbone = build(64, proposal_steps=40)
    racnn, x = network(backbone), torch.zeros(4, 3, 64, 64)
    for i in range(4):
        top, left = 32 * (i % 2), 32 * (i // 2)
        x[i, :, top : top + 32, left : left + 32] = noise(4, 32)[i]
    racnn.inner.eval()
    with torch.no_grad():
        targets = highest(racnn.inner.with_regions(x, 7)[1])
    assert len({tuple(row) for row in targets.tolist()}) > 2
    optimizer = torch.optim.Adam(racnn.proposals.parameters(), lr=1e-2)
    racnn.training = True
    far = []
    for _ in range(40):
        found = backbone.attend(x)
        terms = backbone.losses(found, judge)
        assert "backbone_ranking" not in terms
        optimizer.zero_grad()
        terms["backbone_proposal"].backward()
        optimizer.step()
        far.append(terms["backbone_proposal"].item())
        # meanwhile the squares themselves are shown
        assert found.boxes is not None
        centre = (found.boxes[:, 1, :2] + found.boxes[:, 1, 2:]) / 2
        assert torch.allclose(centre, targets[:, :2], atol=1e-6)
    assert far[-1] < 0.1 * far[0]
    assert grads(racnn.inner) == 0
    backbone.eval()
    boxes = backbone.attend(x).boxes
    assert boxes is not None
    assert ((boxes[:, 1, :2] + boxes[:, 1, 2:]) / 2 - targets[:, :2]).abs().max() < 0.1
    backbone.train()
    assert "backbone_ranking" in backbone.losses(backbone.attend(x), judge)


def models() -> list[tuple[Any, Any, Tensor]]:
    config = AgeModelConfig.model_validate(
        {
            "size": 64,
            "embedding": 16,
            "backbone": KEYS,
            "aggregator": {"name": "san", "width": 8},
            "head": {"hidden": 16},
            "views": {"k": 2},
        }
    )
    ages = torch.tensor([20.0, 50.0])
    expression = ExpressionModel(config, ExpressionConfig(aggregate=True), 3)
    return [
        (AgeModel(config), AgeTarget(ages, ages), ages),
        (expression, torch.eye(3)[[0, 2]], ages),
    ]


@pytest.mark.parametrize("task", [0, 1])
def test_answer_and_rank_are_learned_apart(task: int) -> None:
    # the rank moves the proposals alone, and as a difference quotient says; the answer all else
    model, target, _ = models()[task]
    racnn, x = network(model.double().backbone, ranks=True), noise(6, 64).double()
    racnn.inner.eval()
    views, plain = x[:4].view(2, 2, 3, 64, 64), x[4:].view(2, 1, 3, 64, 64)
    output = model(views, plain)
    terms = model.losses(output, target)
    rank, rest = terms["backbone_ranking"], terms["total"] - terms["backbone_ranking"]
    rank.backward(retain_graph=True)
    assert 0.05 < rank.item() < 20
    assert all(grads(proposal) > 0 for proposal in racnn.proposals)
    others = [p for name, p in model.named_parameters() if ".proposals." not in name]
    assert all(p.grad is None for p in others)
    bias = racnn.proposals[1].layers[3].bias  # type: ignore[index, union-attr]
    slope = bias.grad.clone()  # type: ignore[union-attr]
    model.zero_grad()
    rest.backward()
    assert all(grads(proposal) == 0 for proposal in racnn.proposals)
    assert all(p.grad is not None for p in others)
    steps = []
    for step in (1e-6, -1e-6):
        bias.data += step * slope / slope.norm()  # type: ignore[operator, union-attr]
        again = model.losses(model(views, plain), target)["backbone_ranking"]
        bias.data -= step * slope / slope.norm()  # type: ignore[operator, union-attr]
        steps.append(again.item())
    quotient = (steps[0] - steps[1]) / 2e-6
    assert slope.norm().item() == pytest.approx(quotient, rel=1e-3)


def test_errors_of_ages_are_in_units_of_five_years() -> None:
    (age, target, ages), (expression, classes, _) = models()
    features = torch.randn(2, 3, 128)
    with torch.no_grad():
        judged = age._judged(features, target)
        raw = age.head(
            functional.normalize(
                functional.leaky_relu(age.projection(features.flatten(0, 1))), dim=-1
            )
        )
        years = age.head.age(raw).view(2, 3)
        assert torch.allclose(judged.error, (years - ages[:, None]).abs() / 5, atol=1e-4)
        assert torch.allclose(judged.score, (-judged.error).exp())
        told = expression._judged(features, classes)
        assert torch.allclose(told.error, 1 - told.score)


@pytest.mark.parametrize("ranks", [False, True])
def test_mixed_precision_is_finite(ranks: bool) -> None:
    backbone = build().train()
    network(backbone, ranks=ranks)
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone.attend(noise(2, 64))
        terms = backbone.losses(found, judge)
    assert ("backbone_ranking" in terms) == ranks
    sum(terms.values(), start=found.features.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in backbone.parameters())
    assert found.features.isfinite().all()


@pytest.mark.parametrize(
    ("size", "keys", "message"),
    [
        (64, {"of": "resnet18"}, "at 32 px the last map .* 1 places, .* 2 x 2; raise model.size"),
        (64, {"of": "vit_tiny_patch16_224"}, "takes no images of 32 px beside others; set base"),
        (64, {"of": "hourglass"}, "'hourglass': timm has no such network"),
        (64, {"proposal_steps": 0}, "proposal_steps"),
    ],
)
def test_what_cannot_be(size: int, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(size, **keys)


def test_a_transformer_sees_all_at_one_size() -> None:
    backbone = build(64, of="vit_tiny_patch16_224", base=64).eval()
    with torch.no_grad():
        assert backbone.attend(noise(1, 64)).features.shape == (1, 192)

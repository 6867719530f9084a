"""Attention over views and regions: weights by hand, penalties, hard attention."""

from __future__ import annotations

import math

import pytest
import torch

from hae.aggregate.dvan import overlap
from hae.aggregate.sat import coverage
from hae.aggregate.streams import Policy, Streams
from hae.reinforce import KEPT
from tests.hae.aggregate.given import DIM, REGIONS, VIEWS, made, streams


def zeroed(module: torch.nn.Module, *names: str) -> None:
    """Set some parameters to 0."""
    with torch.no_grad():
        for key, p in module.named_parameters():
            if key in names:
                p.zero_()


def test_scale_and_tnet_without_scores_are_the_mean() -> None:
    x = streams("scale")
    scale, tnet = made("scale"), made("tnet")
    zeroed(scale, "scores.2.weight")
    zeroed(tnet, "scores.weight")
    for aggregator in (scale, tnet):
        found = aggregator(x)
        assert torch.allclose(found.embedding[:, 0], x.views.mean(1), atol=1e-6)
        assert torch.allclose(found.maps["views"], torch.full((3, VIEWS), 1 / VIEWS))


def test_tnet_by_hand() -> None:
    # gate sigmoid(0) = 1/2, v = 2: scores e/2 . 2 = e; e = (0, ln 3) weighs 1/4 and 3/4
    tnet = made("tnet", 1)
    zeroed(tnet, "gate.2.weight", "gate.2.bias", "scores.bias")
    with torch.no_grad():
        tnet.scores.weight.fill_(2.0)
    found = tnet(Streams(torch.tensor([[[0.0], [math.log(3)]]])))
    assert found.maps["views"][0].tolist() == pytest.approx([0.25, 0.75])
    assert found.embedding.item() == pytest.approx(0.75 * math.log(3))


def test_san_without_scores_adds_the_mean_memory() -> None:
    san, x = made("san", steps=3), streams("san")
    assert x.regions is not None
    zeroed(san, *(f"hops.{i}.score.weight" for i in range(3)))
    found = san(x)
    expected = x.views.mean(1) + 3 * x.regions.mean(1)
    assert torch.allclose(found.embedding[:, 0], expected, atol=1e-5)
    assert found.maps["regions"].shape == (3, 3, REGIONS)


def test_han_weights_at_both_levels() -> None:
    han, x = made("han"), streams("han")
    assert x.regions is not None
    found = han(x).maps
    assert found["regions"].shape == (3, VIEWS, 1 + REGIONS)
    assert torch.allclose(found["regions"].sum(-1), torch.ones(3, VIEWS), atol=1e-6)
    assert torch.allclose(found["views"].sum(-1), torch.ones(3), atol=1e-6)
    zeroed(han, "words.context", "sentences.context")
    words = torch.cat([x.views[:, :, None], x.regions], 2)  # uniform at both: the mean of all
    assert torch.allclose(han(x).embedding[:, 0], words.mean((1, 2)), atol=1e-6)


def test_coverage_is_zero_where_every_view_is_seen_once() -> None:
    # two steps over two views: all on one, then all on the other; or half and half twice
    once = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])
    assert coverage(once, None).item() == 0
    # always the first: (1 - 2)^2 + (1 - 0)^2 = 2
    assert coverage(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), None).item() == 2
    # the second is not there: only (1 - 2)^2
    assert coverage(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), torch.tensor([[True, False]])) == 1


def test_soft_attention_reports_its_coverage() -> None:
    found = made("sat_soft", steps=2)(streams("sat_soft"))
    maps = found.maps["views"]
    assert maps.shape == (3, 2, VIEWS)
    assert found.penalties["coverage"].item() == pytest.approx(coverage(maps, None).item())
    assert found.policy is None


def test_hard_attention_takes_the_likeliest_view_in_evaluation() -> None:
    # whatever the embedding of an unlikely view, the answer stays: weights of 1 and nearly 0
    hard, x = made("sat_hard", steps=1), streams("sat_hard", b=1)
    chosen = int(hard(x).maps["views"][0, 0].argmax())
    taken = []
    hard.recurrent.step.register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    hard(x)
    assert torch.equal(taken[0][0], x.views[0, chosen])


def test_hard_attention_draws_as_its_weights_say() -> None:
    # 20,000 faces with the same views: shares of the draws within 4 SD of the weights;
    # about half of the faces take the expectation instead
    torch.manual_seed(3)
    hard, x = made("sat_hard", steps=1).train(), streams("sat_hard", b=1)
    n = 20_000
    many, taken = Streams(x.views.expand(n, -1, -1)), []
    hard.recurrent.step.register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    found = hard(many)
    weights = found.maps["views"][0, 0]
    drawn = torch.stack([(taken[0] == view).all(-1) for view in x.views[0]])  # (k, n)
    share = drawn.any(0).float().mean().item()
    assert share == pytest.approx(0.5, abs=4 * 0.5 / n**0.5)
    among = drawn.float().sum(1) / drawn.any(0).sum()
    deviation = (weights * (1 - weights) / (n / 2)).sqrt()
    assert ((among - weights).abs() < 4 * deviation).all()
    assert found.policy is not None
    expected = torch.where(drawn.any(0), (drawn.float().T @ weights.log()), 0.0)
    assert torch.allclose(found.policy.log_proba, expected, atol=1e-5)


def test_the_baseline_moves_and_the_sign_is_right() -> None:
    # b = 0, R = (1, 0): -(1 . log p_1 + 0)/2 = .5 for log p = -1, and b moves to .9 . 0 + .1 . .5
    hard = made("sat_hard").train()
    log_proba = torch.tensor([-1.0, -3.0], requires_grad=True)
    loss = hard.reinforce(Policy(log_proba, torch.zeros(2)), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(0.5)
    assert hard.baseline.item() == pytest.approx((1 - KEPT) * 0.5)
    loss.backward()
    assert log_proba.grad is not None
    assert log_proba.grad.tolist() == [-0.5, 0.0]  # a step down makes the rewarded draw likelier
    before = hard.baseline.item()
    hard.eval().reinforce(Policy(log_proba.detach(), torch.zeros(2)), torch.ones(2))
    assert hard.baseline.item() == before


def test_reinforce_is_unbiased() -> None:
    # one draw among 3 with rewards R: the mean gradient over draws is that of sum_i p_i R_i
    torch.manual_seed(0)
    scores = torch.tensor([0.3, -0.5, 0.1], requires_grad=True)
    reward = torch.tensor([1.0, 0.2, -0.4])
    hard, n = made("sat_hard").eval(), 200_000
    draws = torch.multinomial(scores.detach().softmax(0), n, replacement=True)
    loss = hard.reinforce(Policy(scores.log_softmax(0)[draws], torch.zeros(n)), reward[draws])
    found = torch.autograd.grad(loss, scores)[0]
    exact = torch.autograd.grad(-(scores.softmax(0) * reward).sum(), scores)[0]
    assert torch.allclose(found, exact, atol=5e-3)


def test_diversity() -> None:
    # disjoint one-hot maps overlap in nothing; the same place three times in 2 of 2 pairs
    there = torch.ones(1, 3, dtype=torch.bool)
    assert overlap(torch.eye(3)[None], there).item() == 0
    same = torch.tensor([[[1.0, 0.0]] * 3])
    assert overlap(same, there).item() == 1
    # the step between is not there: first and last are in a row, one pair
    without = torch.tensor([[[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]])
    assert overlap(without, torch.tensor([[True, False, True]])).item() == 1
    assert overlap(same[:, :1], there[:, :1]).item() == 0


def test_diversified_maps() -> None:
    found = made("dvan")(streams("dvan"))
    assert found.maps["regions"].shape == (3, VIEWS, REGIONS)
    expected = overlap(found.maps["regions"], torch.ones(3, VIEWS, dtype=torch.bool))
    assert found.penalties["diversity"].item() == pytest.approx(expected.item())
    assert found.embedding.shape == (3, 1, DIM)

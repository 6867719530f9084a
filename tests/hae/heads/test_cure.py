"""The terms of the Self-Cure Network against values derived by hand."""

from __future__ import annotations

import pytest
import torch

from hae.heads.cure import (
    doubted,
    high_count,
    low_group,
    rank_regularisation,
    weighted_cross_entropy,
)

Z = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05], dtype=torch.float64)


@pytest.mark.parametrize(
    ("importance", "loss", "slope", "p"),
    [
        (0.5, 0.680270, -0.679843, (0.506480, 0.307196, 0.186324)),
        (1.0, 0.407606, -0.424790, (0.665241, 0.244728, 0.090031)),
    ],
)
def test_loss_and_its_gradients(
    importance: float, loss: float, slope: float, p: tuple[float, ...]
) -> None:
    # L = log sum_j exp(a (z_j - z_y)); dL/da = -(z_y - sum p z); dL/dz_j = a (p_j - [j = y])
    a = torch.tensor([importance], dtype=torch.float64, requires_grad=True)
    z = Z.clone().requires_grad_()
    found = weighted_cross_entropy(z, a, Y)
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == pytest.approx(loss, abs=1e-6)
    assert a.grad is not None
    assert z.grad is not None
    assert a.grad.item() == pytest.approx(slope, abs=1e-6)
    expected = importance * (torch.tensor([p], dtype=torch.float64) - Y)
    torch.testing.assert_close(z.grad, expected, atol=1e-6, rtol=0)


def test_weights_grow_for_whoever_is_on_the_right_side_and_fall_for_others() -> None:
    # -(z_y - sum p z) is positive, so that a falls, where the label's logit is below the mean
    a = torch.ones(2, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    weighted_cross_entropy(Z.repeat(2, 1), a, target).backward()  # type: ignore[no-untyped-call]
    assert a.grad is not None
    assert a.grad[0] < 0 < a.grad[1]


def test_of_one_hot_targets_and_weights_of_one_it_is_the_cross_entropy() -> None:
    torch.manual_seed(0)
    z, y = torch.randn(16, 7), torch.randint(7, (16,))
    found = weighted_cross_entropy(z, torch.ones(16), torch.nn.functional.one_hot(y, 7).float())
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(z, y))


def test_rank_term_is_zero_just_where_the_gap_is_large_enough() -> None:
    # M = 7: mean of the high .6, of the low .35 / 3; gap .483333
    gap = 0.6 - 0.35 / 3
    assert rank_regularisation(WEIGHTS, 0.7, 0.15).item() == 0
    assert rank_regularisation(WEIGHTS, 0.7, gap + 0.1).item() == pytest.approx(0.1)
    assert rank_regularisation(torch.full((10,), 0.8), 0.7, 0.15).item() == pytest.approx(0.15)


def test_gradient_of_the_rank_term() -> None:
    weights = WEIGHTS[[3, 9, 0, 5, 1, 8, 2, 7, 4, 6]].clone().requires_grad_()
    margin = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    rank_regularisation(weights, 0.7, margin).backward()  # type: ignore[no-untyped-call]
    low = weights.detach() < 0.25
    assert weights.grad is not None
    assert margin.grad is not None
    torch.testing.assert_close(weights.grad, torch.where(low, 1 / 3, -1 / 7).double())
    assert margin.grad.item() == 1


@pytest.mark.parametrize(
    ("n", "share", "m"),
    [(10, 0.7, 7), (90, 0.7, 63), (170, 0.7, 119), (64, 0.7, 44), (2, 0.9, 1), (3, 0.1, 1)],
)
def test_the_high_group_is_counted_exactly(n: int, share: float, m: int) -> None:
    assert high_count(n, share) == m
    assert int(low_group(torch.rand(n), share).sum()) == n - m


def test_ties_go_to_who_comes_first_and_one_face_is_never_low() -> None:
    assert low_group(torch.ones(4), 0.5).tolist() == [False, False, True, True]
    assert low_group(torch.tensor([0.1]), 0.7).tolist() == [False]
    alone = torch.tensor([0.1], requires_grad=True)
    assert rank_regularisation(alone, 0.7, 0.15).item() == 0


def test_a_label_gives_way_only_among_the_doubted_and_beyond_the_margin() -> None:
    p = torch.tensor([[0.5, 0.4, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    label = torch.tensor([1, 1, 1, 1])
    among = torch.tensor([True, True, True, False])
    changes, best = doubted(p, label, among, 0.2)
    assert changes.tolist() == [False, True, False, False]  # .1 and 0 are not above .2
    assert best.tolist() == [0, 0, 1, 0]
    assert not doubted(p, label, among, -1.0)[0][2]  # the best class is the label's own

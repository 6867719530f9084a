from __future__ import annotations

import math

import pytest
import torch

from hae.heads.arcface import ArcFace, add_margin


def test_margin_by_hand() -> None:
    # cos(pi/3 + .5) = cos(1.547198) = .023596; beyond pi - .5 the cosine less .5 sin .5 = .239713.
    turned = add_margin(torch.tensor([0.5, -0.9], dtype=torch.float64), 0.5)
    assert turned.tolist() == pytest.approx([0.023596, -1.139713], abs=1e-6)


def test_loss_by_hand() -> None:
    # Two classes along the axes, a feature at 60 degrees from the first and 30 from the second:
    # with s = 2 the loss is log(1 + exp(2 (cos 30 - cos(60 degrees + .5)))) = log(1 + e^1.684859).
    head = ArcFace(2, 2, margin=0.5, scale=2.0)
    head.weight.data = torch.tensor([[3.0, 0.0], [0.0, 0.1]])
    feature = torch.tensor([[7 * math.cos(math.pi / 3), 7 * math.sin(math.pi / 3)]])
    found = head(feature, torch.tensor([0]))
    assert found.loss.item() == pytest.approx(math.log1p(math.exp(1.684859)), abs=1e-5)
    assert found.logits[0].tolist() == pytest.approx([1.0, math.sqrt(3)], abs=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradients_are_finite_at_the_poles(sign: float) -> None:
    head = ArcFace(3, 4)
    feature = (sign * head.weight.detach()[:1]).requires_grad_()
    head(feature, torch.tensor([0])).loss.backward()
    assert feature.grad is not None
    assert head.weight.grad is not None
    assert feature.grad.isfinite().all()
    assert head.weight.grad.isfinite().all()


def test_the_loss_grows_with_the_angle() -> None:
    cosine = torch.linspace(1, -1, 2001, dtype=torch.float64)
    assert (add_margin(cosine, 0.5).diff() < 0).all()


def test_full_precision_under_autocast() -> None:
    head, features = ArcFace(8, 5), torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(6) % 5
    plain = head(features, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(features, labels).loss, plain.loss)

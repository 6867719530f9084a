"""Bilinear systems against what they stand for: MLB, MCB, second-order pooling, BAN."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.kernel_approximation import PolynomialCountSketch
from torch import nn
from torch.nn import functional

from hae.aggregate.ban import BilinearPooling, Projection
from hae.aggregate.mcb import CompactBilinear
from hae.aggregate.mlb import LowRank
from hae.aggregate.second_order import moments
from hae.aggregate.streams import signed_root
from tests.hae.aggregate.given import REGIONS, VIEWS, made, streams


def same(x: torch.Tensor) -> torch.Tensor:
    """The identity."""
    return x


def test_low_rank_of_full_rank_is_any_bilinear_map() -> None:
    # a pair (i, j) for each of 3 x 4 products, U and V pick them, P is the matrix
    torch.manual_seed(0)
    full, low = nn.Bilinear(3, 4, 2), LowRank(3, 4, 2, width=12, activation=same)
    with torch.no_grad():
        low.left.weight[:] = torch.eye(3).repeat_interleave(4, 0)
        low.right.weight[:] = torch.eye(4).repeat(3, 1)
        low.left.bias.zero_()
        low.right.bias.zero_()
        low.outer.weight[:] = full.weight.flatten(1)
        low.outer.bias[:] = full.bias
    x, y = torch.randn(5, 3), torch.randn(5, 4)
    assert torch.allclose(low(x, y), full(x, y), atol=1e-6)


def test_mlb_without_maps_is_the_formula() -> None:
    mlb, x = made("mlb", glimpses=0), streams("mlb")
    assert x.regions is not None
    u, v, p = mlb.fusion.left, mlb.fusion.right, mlb.fusion.outer
    expected = p(torch.tanh(u(x.views.mean(1))) * torch.tanh(v(x.regions.mean(1))))
    assert torch.allclose(mlb(x).embedding[:, 0], expected, atol=1e-6)
    assert not mlb(x).maps


@pytest.mark.parametrize("name", ["mlb", "mcb"])
def test_glimpses(name: str) -> None:
    found = made(name, glimpses=3)(streams(name)).maps["regions"]  # type: ignore[arg-type]
    assert found.shape == (3, 3, REGIONS)
    assert torch.allclose(found.sum(-1), torch.ones(3, 3), atol=1e-6)


def test_sketches_are_unbiased_for_the_outer_product() -> None:
    # the inner product of two sketches estimates (x . x')(y . y'), that of the outer products:
    # mean over 400 draws of the hashes within 4 of its own standard errors, sizes 64 and 256
    torch.manual_seed(0)
    x, y = torch.randn(1, 12) + 0.5 * torch.randn(2, 12), torch.ones(2, 10)
    exact = float((x[0] @ x[1]) * (y[0] @ y[1]))
    for size in (64, 256):
        found = []
        for _ in range(400):
            sketch = CompactBilinear(12, 10, size)
            first, second = sketch(x[0], y[0]), sketch(x[1], y[1])
            found.append(float(first @ second))
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert np.mean(found) == pytest.approx(exact, abs=4 * error)
        assert error < abs(exact) / 20  # else anything would pass


def test_a_sketch_is_the_count_sketch_of_the_outer_product() -> None:
    # Pham & Pagh: Psi(x) * Psi(y) = Psi(x y') with h(i, j) = h1(i) + h2(j) mod d, s = s1 s2
    torch.manual_seed(0)
    sketch, x, y = CompactBilinear(5, 4, 16), torch.randn(5), torch.randn(4)
    expected = torch.zeros(16)
    for i in range(5):
        for j in range(4):
            place = (int(sketch.left.index[i]) + int(sketch.right.index[j])) % 16
            sign = sketch.left.sign[i] * sketch.right.sign[j]
            expected[place] += sign * x[i] * y[j]
    assert torch.allclose(sketch(x, y), expected, atol=1e-6)


@pytest.mark.parametrize("size", [16, 17])
def test_sketch_equals_scikit_learns(size: int) -> None:
    # the homogeneous polynomial of degree 2, with our hashes in its place
    torch.manual_seed(0)
    sketch, x = CompactBilinear(6, 6, size), torch.randn(7, 6)
    theirs = PolynomialCountSketch(degree=2, gamma=1, coef0=0, n_components=size, random_state=0)
    theirs.fit(x.numpy())
    theirs.indexHash_ = np.stack([sketch.left.index.numpy(), sketch.right.index.numpy()])
    theirs.bitHash_ = np.stack([sketch.left.sign.numpy(), sketch.right.sign.numpy()])
    np.testing.assert_allclose(sketch(x, x).numpy(), theirs.transform(x.numpy()), atol=1e-5)


def test_hashes_are_stored() -> None:
    torch.manual_seed(0)
    one = made("mcb")
    torch.manual_seed(5)
    other = made("mcb")
    other.fusion.left.index.zero_()
    other.load_state_dict(one.state_dict())
    x = streams("mcb")
    assert torch.equal(one(x).embedding, other(x).embedding)


def test_the_signed_root() -> None:
    found = signed_root(torch.tensor([9.0, -16.0]))
    assert found.tolist() == pytest.approx([0.6, -0.8], abs=1e-6)  # (3, -4) / 5
    zero = torch.zeros(3, requires_grad=True)
    signed_root(zero).sum().backward()
    assert zero.grad is not None
    assert zero.grad.isfinite().all()


def test_moments_are_the_sum_of_outer_products() -> None:
    f = torch.randn(2, 4, 3)
    expected = sum(torch.outer(f[1, k], f[1, k]) for k in range(4)) / 4
    assert torch.allclose(moments(f, None)[1], torch.as_tensor(expected), atol=1e-6)
    mask = torch.tensor([[True, True, False, False]]).expand(2, -1)
    assert torch.allclose(moments(f, mask), moments(f[:, :2], None), atol=1e-6)


def test_a_one_hot_map_is_the_single_pair() -> None:
    # region 4 in view 1 alone: relu(U x_4) * relu(V y_1)
    torch.manual_seed(0)
    pool, x = BilinearPooling(16, 8, 0.0), streams("ban")
    assert x.regions is not None
    pairs = torch.zeros(3, REGIONS, VIEWS)
    pairs[:, 4, 1] = 1
    expected = pool.regions(x.regions[:, 4]) * pool.views(x.views[:, 1])
    assert torch.allclose(pool(x.regions, x.views, pairs), expected, atol=1e-6)


def test_bilinear_attention_is_a_loop_over_pairs() -> None:
    ban, x = made("ban", glimpses=2), streams("ban", b=1)
    assert x.regions is not None
    found, maps = ban(x), ban.maps
    pairs = found.maps["pairs"]
    assert torch.allclose(pairs.sum((2, 3)), torch.ones(1, 2), atol=1e-6)
    left, right = maps.regions(x.regions[0]), maps.views(x.views[0])
    q = x.views[0]
    for g in range(2):
        scores = torch.stack(
            [torch.stack([maps.vector[g] @ (a * b) + maps.bias[g] for b in right]) for a in left]
        )
        assert torch.allclose(pairs[0, g], scores.flatten().softmax(0).view(REGIONS, VIEWS))
        pool = ban.pool[g]
        joint = sum(
            pairs[0, g, i, j] * pool.regions(x.regions[0, i]) * pool.views(q[j])
            for i in range(REGIONS)
            for j in range(VIEWS)
        )
        q = q + ban.residual[g](joint)
    assert torch.allclose(found.embedding[0, 0], q.mean(0), atol=1e-5)


def test_projections_are_weight_normalised_as_a_whole() -> None:
    # scaling v leaves W = g v / |v| alone, with one g
    layer = Projection(4, 3, 0.0, relu=False)
    values = dict(layer.named_parameters())
    assert values["linear.parametrizations.weight.original0"].numel() == 1
    x = torch.randn(2, 4)
    before = layer(x)
    with torch.no_grad():
        values["linear.parametrizations.weight.original1"] *= 7
    assert torch.allclose(layer(x), before, atol=1e-6)
    assert torch.allclose(before, functional.linear(x, layer.linear.weight, layer.linear.bias))

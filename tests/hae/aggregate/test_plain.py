"""Mean, maximum, one view, side by side, and self-attention."""

from __future__ import annotations

import pytest
import torch

from hae.aggregate.streams import Streams
from tests.hae.aggregate.given import DIM, made, streams


def test_pooling_by_hand() -> None:
    e = torch.tensor([[[1.0, 4.0], [3.0, 0.0]]])
    assert made("mean", 2)(Streams(e)).embedding.tolist() == [[[2, 2]]]
    assert made("max", 2)(Streams(e)).embedding.tolist() == [[[3, 4]]]
    assert torch.equal(made("mean_predictions", 2)(Streams(e)).embedding, e)


def test_single_refuses_several_views() -> None:
    with pytest.raises(ValueError, match="2 views, must be 1"):
        made("single")(streams("single", k=2))


def test_averaged_predictions_take_no_mask() -> None:
    mask = torch.tensor([[True, False]])
    with pytest.raises(ValueError, match="takes no mask"):
        made("mean_predictions")(Streams(torch.zeros(1, 2, DIM), mask=mask))


def test_concat_by_hand() -> None:
    # d = 1, K = 2, one hidden unit: relu(1 e1 + 2 . 1 + 3 e2 + 4 . 1) = 5 + 2 + 21 + 4 = 32,
    # out 10 . 32 + 1; without the second view relu(5 + 2) = 7.
    concat = made("concat", 1, 2, width=1)
    with torch.no_grad():
        concat.inner.weight[:] = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
        concat.inner.bias[:] = 0
        concat.outer.weight[:] = 10
        concat.outer.bias[:] = 1
    e = torch.tensor([[[5.0], [7.0]]])
    assert concat(Streams(e)).embedding.tolist() == [[[321.0]]]
    assert concat(Streams(e[:, :1])).embedding.tolist() == [[[71.0]]]
    assert concat(Streams(e, mask=torch.tensor([[True, False]]))).embedding.tolist() == [[[71.0]]]
    with pytest.raises(ValueError, match="3 views, was built for 2"):
        concat(Streams(torch.zeros(1, 3, 1)))


def test_a_training_batch_of_one_is_refused() -> None:
    aggregator = made("sae").train()
    with pytest.raises(ValueError, match="training batch of 1 face, BatchNorm needs 2"):
        aggregator(streams("sae", b=1))
    assert aggregator(streams("sae", b=2, k=1)).embedding.shape == (2, 1, DIM)


def test_the_attention_sees_every_view() -> None:
    aggregator, x = made("sae"), streams("sae", b=1)
    other = x.views.clone()
    other[0, 3] = 0
    moved = aggregator(x).embedding - aggregator(Streams(other)).embedding
    assert moved.abs().max() > 1e-3


def test_the_layers_start_apart() -> None:
    weights = dict(made("sae").named_parameters())
    first, second = (weights[f"encoder.layers.{i}.linear1.weight"] for i in range(2))
    assert not torch.equal(first, second)


def test_token_scale() -> None:
    # N(0, 1) in 1024 dimensions has norm 32 (SD .7); a scale of 1/32 brings it to 1.
    norms = [
        dict(made("sae", 1024, token_scale=scale).named_parameters())["token"].norm().item()
        for scale in (1, 1 / 32)
    ]
    assert norms[0] == pytest.approx(32, abs=3)
    assert norms[1] == pytest.approx(norms[0] / 32, rel=1e-6)


def test_the_map_of_self_attention_by_hand() -> None:
    # one layer, one head, W_q = W_k = 0: the token takes 1/(1 + k) of itself and of every view
    sae = made("sae", layers=1, heads=1)
    layer = sae.encoder.layers[0]
    with torch.no_grad():
        layer.self_attn.in_proj_weight.zero_()
        layer.self_attn.in_proj_bias.zero_()
    x = streams("sae", k=3)
    assert not sae(x).maps
    found = sae(Streams(x.views, maps=True)).maps["views"]
    assert torch.allclose(found, torch.full((3, 1, 3), 0.25))

"""Co-attention: MCAN's guided block and HieCoAtt against loops written by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.aggregate.mcan import ModularCoAttention
from hae.aggregate.streams import Shape
from hae.config import AggregatorConfig
from tests.hae.aggregate.given import DIM, REGIONS, VIEWS, made, streams


def attention(
    m: nn.MultiheadAttention, q: Tensor, kv: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Scaled dot products, head by head and key by key, of one face."""
    w_q, w_k, w_v = m.in_proj_weight.chunk(3)
    b_q, b_k, b_v = m.in_proj_bias.chunk(3)
    query, key, value = q @ w_q.T + b_q, kv @ w_k.T + b_k, kv @ w_v.T + b_v
    size = m.head_dim
    heads, maps = [], []
    for h in range(m.num_heads):
        part = slice(h * size, (h + 1) * size)
        rows = []
        for i in range(len(q)):
            scores = {
                j: (query[i, part] @ key[j, part]) / size**0.5
                for j in range(len(kv))
                if mask is None or bool(mask[j])
            }
            weights = torch.stack(list(scores.values())).softmax(0)
            row = torch.zeros(len(kv)).index_add(0, torch.tensor(list(scores)), weights)
            rows.append(row)
        maps.append(torch.stack(rows))
        heads.append(maps[-1] @ value[:, part])
    return m.out_proj(torch.cat(heads, dim=1)), torch.stack(maps)


def normalised(layer: nn.LayerNorm, x: Tensor) -> Tensor:
    """(x - mean) / sqrt(biased variance + eps)."""
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / ((centred**2).mean(-1, keepdim=True) + layer.eps).sqrt()
    return scaled * layer.weight + layer.bias


def guided(
    layer: nn.TransformerDecoderLayer,
    x: Tensor,
    y: Tensor,
    there: Tensor | None,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """One guided block of one face: itself, then the views, then the feed-forward layer."""
    x = normalised(layer.norm1, x + attention(layer.self_attn, x, x, there)[0])
    found, maps = attention(layer.multihead_attn, x, y, mask)
    x = normalised(layer.norm2, x + found)
    hidden = functional.relu(x @ layer.linear1.weight.T + layer.linear1.bias)
    return normalised(layer.norm3, x + hidden @ layer.linear2.weight.T + layer.linear2.bias), maps


@pytest.mark.parametrize("masked", [False, True])
def test_the_guided_block_is_a_loop_over_heads(masked: bool) -> None:
    mcan = made("mcan").double()
    x = streams("mcan", b=2)
    assert x.regions is not None
    regions, views = x.regions.double(), x.views.double()
    mask, there = torch.ones(2, VIEWS, dtype=torch.bool), torch.ones(2, REGIONS, dtype=torch.bool)
    if masked:
        mask[0, 1], there[1, 2] = False, False
    torch.set_default_dtype(torch.float64)  # the loop's own tensors
    try:
        found = mcan.guided[0](
            regions, views, tgt_key_padding_mask=~there, memory_key_padding_mask=~mask
        )
        for face in range(2):
            expected, _ = guided(
                mcan.guided[0], regions[face], views[face], there[face], mask[face]
            )
            rows = there[face]  # what a masked region itself becomes is nobody's concern
            assert torch.allclose(found[face][rows], expected[rows], atol=1e-12)
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_whole_of_mcan_is_its_parts() -> None:
    mcan, x = made("mcan", layers=2), streams("mcan", b=1)
    assert x.regions is not None
    mask = torch.tensor([[True, False, True, True, True]])
    x = replace(x, mask=mask, maps=True)
    y, regions = x.views[0], x.regions[0]
    for layer in mcan.views:
        y = normalised(layer.norm1, y + attention(layer.self_attn, y, y, mask[0])[0])
        hidden = functional.relu(layer.linear1(y))
        y = normalised(layer.norm2, y + layer.linear2(hidden))
    for layer in mcan.guided:  # by the last views throughout
        regions, maps = guided(layer, regions, y, None, mask[0])
    parts = []
    for flat, h, there in ((mcan.flat_views, y, mask[0]), (mcan.flat_regions, regions, None)):
        scores = flat.scores(h)[:, 0]
        scores = scores if there is None else scores.masked_fill(~there, -torch.inf)
        parts.append(flat.outer(scores.softmax(0) @ h))
    found = mcan(x)
    assert torch.allclose(found.embedding[0, 0], normalised(mcan.norm, sum(parts)), atol=1e-5)  # type: ignore[arg-type]
    assert torch.allclose(found.maps["guided"][0], maps, atol=1e-6)
    assert found.maps["guided"].shape == (1, 2, REGIONS, VIEWS)


def test_parameters_of_mcan() -> None:
    # facts 3.7: 16.3 M with 2 and 45.7 M with 6 layers, 8 heads, feed-forward 2048, output 1024
    for layers, expected in ((2, 16.3e6), (6, 45.7e6)):
        config = AggregatorConfig(name="mcan", layers=layers, heads=8, feedforward=2048)
        with torch.device("meta"):
            mcan = ModularCoAttention(Shape(512, 10, 512), config, out_dim=1024)
        count = sum(p.numel() for p in mcan.parameters())
        assert count == pytest.approx(expected, rel=0.003)


def test_one_level_of_hierarchical_coattention() -> None:
    model, x = made("hiecoatt"), streams("hiecoatt", b=1)
    assert x.regions is not None
    level, q, v = model.levels[0], x.views[0], x.regions[0]
    c = torch.zeros(VIEWS, REGIONS)
    for k in range(VIEWS):
        for r in range(REGIONS):
            c[k, r] = torch.tanh((level.affinity.weight @ q[k]) @ v[r])
    w_q, w_v = q @ level.views.weight.T, v @ level.regions.weight.T
    h_v, h_q = torch.tanh(w_v + c.T @ w_q), torch.tanh(w_q + c @ w_v)
    a_v = level.region_score(h_v)[:, 0].softmax(0)
    a_q = level.view_score(h_q)[:, 0].softmax(0)
    found, over_views, over_regions = level(x.views, x)
    assert torch.allclose(found[0], a_q @ q + a_v @ v, atol=1e-5)
    assert torch.allclose(over_views[0], a_q, atol=1e-6)
    assert torch.allclose(over_regions[0], a_v, atol=1e-6)


def test_phrases_of_one_two_and_three_views() -> None:
    model, x = made("hiecoatt"), streams("hiecoatt", b=1, k=3)
    one, two, three = model.phrases
    e, zero = x.views[0], torch.zeros(DIM)
    padded = [zero, *e, zero]

    def gram(conv: nn.Conv1d, *views: Tensor) -> Tensor:
        return torch.tanh(conv.bias + sum(conv.weight[:, :, i] @ v for i, v in enumerate(views)))  # type: ignore[operator]

    expected = torch.stack(
        [
            torch.stack(
                [
                    gram(one, e[k]),
                    gram(two, padded[k + 1], padded[k + 2]),
                    gram(three, padded[k], padded[k + 1], padded[k + 2]),
                ]
            ).amax(0)
            for k in range(3)
        ]
    )
    assert torch.allclose(model._phrases(x.views)[0], expected, atol=1e-5)

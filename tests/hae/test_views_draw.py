from __future__ import annotations

import colorsys
import math

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest
from torch import Tensor
from torchvision.transforms import RandomErasing, RandomResizedCrop
from torchvision.transforms import functional as tvf

from audit.hashing import mix as mix_words
from audit.hashing import text_keys
from hae.config import ViewsConfig
from hae.views import ViewParams, draw_views, fixed_views, plain_view, sample_keys
from hae.views import counter as ct
from hae.views import draw as dr

CONFIG = ViewsConfig(k=4)
KEYS = sample_keys([f"face {i}" for i in range(400)])
NONE = ViewsConfig(flip=0, colour_p=0, affine_p=0, erase_p=0, crop_scale=(1, 1), crop_ratio=(1, 1))


def same(a: ViewParams, b: ViewParams) -> bool:
    return all(torch.equal(getattr(a, n), getattr(b, n)) for n in ("theta", "colour", "box"))


def rows(params: ViewParams, index: slice | Tensor, k: slice = slice(None)) -> ViewParams:
    return ViewParams(
        params.theta[index][:, k], params.colour[index][:, k], params.box[index][:, k]
    )


def within(count: int, share: float, n: int) -> bool:
    """At most 4 binomial standard errors off."""
    return abs(count / n - share) < 4 * math.sqrt(share * (1 - share) / n)


# --- the counter hash


def words(n: int) -> np.ndarray:
    edge = [0, 1, 2**63 - 1, 2**63, 2**64 - 1]
    drawn = np.random.default_rng(0).integers(0, 2**64, n, dtype=np.uint64)
    return np.concatenate([np.array(edge, np.uint64), drawn])


def test_mix_has_the_bits_of_the_unsigned_one() -> None:
    found = ct.mix(torch.from_numpy(words(10_000).view(np.int64)))
    assert np.array_equal(found.numpy().view(np.uint64), mix_words(words(10_000)))


def test_uniforms_equal_the_chain_in_unsigned_numbers() -> None:
    # seed -> stream -> key -> view -> the generator's outputs 256 op, 256 op + 1, ...
    keys, seed, epoch, op = words(5), -3, 7, 4
    start = mix_words(np.array([seed]).view(np.uint64))
    start = mix_words(start ^ np.uint64(16 << 56) ^ np.uint64(epoch))
    state = mix_words(mix_words(keys ^ start)[:, None] ^ np.arange(3, dtype=np.uint64))
    slots = np.arange(op * 256, op * 256 + 6, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    expected = (mix_words(state[..., None] + slots) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    mine = ct.states(torch.from_numpy(keys.view(np.int64)), ct.stream(16, seed, epoch), 3)
    assert np.array_equal(ct.uniforms(mine, op, 6).numpy(), expected)


def test_uniforms_are_uniform_and_ops_unrelated() -> None:
    state = ct.states(KEYS, ct.stream(16, 0, 0), 10)
    drawn = torch.stack([ct.uniforms(state, op, 1)[..., 0].flatten() for op in range(5)])
    assert min(kstest(row, "uniform").pvalue for row in drawn.numpy()) > 1e-3
    off = torch.corrcoef(drawn) - torch.eye(5, dtype=torch.float64)
    assert off.abs().max() < 4 / math.sqrt(4000)


def test_sample_keys_are_those_of_the_audit() -> None:
    ids = ["a.jpg", "é"]
    assert sample_keys(ids).numpy().view(np.uint64).tolist() == text_keys(ids, "sample").tolist()


# --- what a draw depends on


def test_a_face_keeps_its_views_in_any_batch_and_order() -> None:
    full = draw_views(KEYS, CONFIG, seed=1, epoch=2)
    for size in (1, 3, 64):
        part = draw_views(KEYS[5 : 5 + size], CONFIG, seed=1, epoch=2)
        assert same(part, rows(full, slice(5, 5 + size)))
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    assert same(draw_views(KEYS[order], CONFIG, seed=1, epoch=2), rows(full, order))


def test_view_j_is_the_same_for_every_k() -> None:
    few = draw_views(KEYS, CONFIG, seed=1, epoch=2)
    many = draw_views(KEYS, ViewsConfig(k=10), seed=1, epoch=2)
    assert same(few, rows(many, slice(None), slice(4)))


def test_switching_one_op_off_leaves_the_others() -> None:
    full = draw_views(KEYS, CONFIG, seed=1, epoch=2)
    less = draw_views(KEYS, ViewsConfig(k=4, colour_p=0), seed=1, epoch=2)
    assert torch.equal(full.theta, less.theta)
    assert torch.equal(full.box, less.box)


def test_seed_epoch_face_and_view_change_the_draw() -> None:
    one = draw_views(KEYS[:1], CONFIG, seed=1, epoch=2)
    others = [
        draw_views(KEYS[:1], CONFIG, seed=2, epoch=2),
        draw_views(KEYS[:1], CONFIG, seed=1, epoch=3),
        draw_views(KEYS[1:2], CONFIG, seed=1, epoch=2),
    ]
    assert not any(same(one, other) for other in others)
    assert len(torch.unique(one.theta[0].flatten(1), dim=0)) == 4


def test_fixed_views_are_drawn_once_for_all() -> None:
    found = fixed_views(CONFIG, seed=1)
    assert found.theta.shape == (1, 4, 2, 3)
    assert same(found, fixed_views(CONFIG, seed=1))
    assert not same(found, fixed_views(CONFIG, seed=2))
    assert same(found, rows(fixed_views(ViewsConfig(k=10), seed=1), slice(None), slice(4)))


def test_no_op_gives_the_plain_face() -> None:
    found = draw_views(KEYS[:3], NONE, seed=0, epoch=0)
    plain = plain_view()
    assert plain.k == 1
    assert torch.equal(found.theta, plain.theta.expand(3, 10, 2, 3))
    assert torch.allclose(found.colour, plain.colour.expand(3, 10, 3, 4), atol=1e-7)
    assert not found.box.any()


def test_params_are_float32_and_finite() -> None:
    wide = ViewsConfig(k=8, degrees=180, shear=89, hue=0.5, crop_scale=(0.01, 1), scale=(0.1, 3))
    found = draw_views(KEYS, wide, seed=0, epoch=0)
    for name, tail in (("theta", (2, 3)), ("colour", (3, 4)), ("box", (4,))):
        value = getattr(found.to("cpu"), name)
        assert value.dtype == torch.float32
        assert value.shape == (400, 8, *tail)
        assert value.isfinite().all()


def test_no_face_draws_nothing() -> None:
    assert draw_views(KEYS[:0], CONFIG, seed=0, epoch=0).theta.shape == (0, 4, 2, 3)


def test_keys_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match=r"keys are torch.int32 \(400,\), must be int64 \(n,\)"):
        draw_views(KEYS.int(), CONFIG, seed=0, epoch=0)
    with pytest.raises(ValueError, match=r"keys are torch.int64 \(1, 400\)"):
        draw_views(KEYS[None], CONFIG, seed=0, epoch=0)
    with pytest.raises(ValueError, match="epoch is -1"):
        draw_views(KEYS, CONFIG, seed=0, epoch=-1)


# --- distributions, 4,000 views each


def test_shares_of_the_ops() -> None:
    config = ViewsConfig(flip=0.3, colour_p=0.6, affine_p=0.2, erase_p=0.7)
    found = draw_views(KEYS, config, seed=3, epoch=0)
    t, n = found.theta.double(), 4000
    mirrored = (t[..., 0, 0] * t[..., 1, 1] - t[..., 0, 1] * t[..., 1, 0]) < 0
    assert within(int(mirrored.sum()), 0.3, n)
    assert within(int((found.colour[..., 0, 1] != 0).sum()), 0.6, n)
    assert within(int((t[..., 1, 0] != 0).sum()), 0.2, n)
    assert within(int((found.box[..., 2] > 0).sum()), 0.7, n)


def test_crop_is_distributed_like_torchvisions() -> None:
    u = ct.uniforms(ct.states(KEYS, ct.stream(16, 0, 0), 10), 0, 22)
    mine = dr._crop(u, CONFIG).flatten(0, 1).numpy()
    side = 20_000  # so large that its rounding to pixels is nothing
    image = torch.empty(1, 1, 1).expand(3, side, side)
    torch.manual_seed(0)
    theirs = [RandomResizedCrop.get_params(image, [0.9, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    for mine_j, theirs_j in zip(mine.T, np.array(theirs).T / side, strict=True):
        assert ks_2samp(mine_j, theirs_j).pvalue > 1e-3
    whole = (mine[:, 2] == 1) & (mine[:, 3] == 1)
    assert 0.1 < whole.mean() < 0.2  # ten draws that do not fit are no rare event


def test_erased_box_is_distributed_like_torchvisions() -> None:
    u = ct.uniforms(ct.states(KEYS, ct.stream(16, 0, 0), 10), 4, 23)
    u[..., 0] = 0
    mine = dr._erase(u, CONFIG).flatten(0, 1).numpy()
    side = 20_000
    image = torch.empty(1, 1, 1).expand(3, side, side)
    torch.manual_seed(0)
    theirs = [
        RandomErasing.get_params(image, (0.02, 0.33), (0.3, 3.3), [0.0])[:4] for _ in range(4000)
    ]
    for mine_j, theirs_j in zip(mine.T, np.array(theirs, float).T / side, strict=True):
        assert ks_2samp(mine_j, theirs_j).pvalue > 1e-3
    assert (mine[:, :2] + mine[:, 2:] <= 1).all()


@pytest.mark.parametrize(
    ("ratio", "height", "width"),
    [((2.0, 4.0), 0.5, 1.0), ((0.2, 0.5), 1.0, 0.5), ((0.5, 2.0), 1.0, 1.0)],
)
def test_crop_that_never_fits_is_the_largest_central_one(
    ratio: tuple[float, float], height: float, width: float
) -> None:
    config = ViewsConfig(crop_scale=(1.0, 1.0), crop_ratio=ratio)
    box = dr._crop(torch.full((1, 1, 22), 0.1, dtype=torch.float64), config)[0, 0]
    expected = [(1 - height) / 2, (1 - width) / 2, height, width]
    assert box.tolist() == pytest.approx(expected)


# --- matrices


def pixel_matrix(theta: Tensor, side: int) -> np.ndarray:
    """The same map in pixels of an image whose corner is (0, 0): p -> (side / 2) (p + 1)."""
    to_pixels = np.array([[side / 2, 0, side / 2], [0, side / 2, side / 2], [0, 0, 1]])
    whole = np.vstack([theta.double().numpy(), [0, 0, 1]])
    return np.asarray(to_pixels @ whole @ np.linalg.inv(to_pixels))


def test_composition_equals_the_single_matrices() -> None:
    side = 200
    config = ViewsConfig(affine_p=1, degrees=30, translate=0.2, scale=(0.5, 2), shear=20)
    u = torch.rand(50, 1, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    crop = dr._crop(ct.uniforms(ct.states(KEYS[:50], 0, 1), 0, 22), config)
    mirrored = torch.arange(50)[:, None] % 2 == 1
    theta = dr._compose(crop, mirrored, dr._inverse_affine(u, config))
    for i in range(50):
        _, angle, tx, ty, scale, shear = u[i, 0].tolist()
        affine = tvf._get_inverse_affine_matrix(
            [side / 2, side / 2],
            -30 + 60 * angle,
            [side * (-0.2 + 0.4 * tx), side * (-0.2 + 0.4 * ty)],
            0.5 + 1.5 * scale,
            [-20 + 40 * shear, 0.0],
        )
        top, left, height, width = crop[i, 0].tolist()
        cut = np.array([[width, 0, left * side], [0, height, top * side], [0, 0, 1]])
        flip = np.array([[-1, 0, side], [0, 1, 0], [0, 0, 1]]) if mirrored[i, 0] else np.eye(3)
        expected = cut @ flip @ np.vstack([np.reshape(affine, (2, 3)), [0, 0, 1]])
        assert pixel_matrix(theta[i, 0], side) == pytest.approx(expected, abs=1e-9)


def colour(
    brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0
) -> Tensor:
    """The matrix at the upper end of the ranges, (3, 4)."""
    config = ViewsConfig(
        colour_p=1, brightness=brightness, contrast=contrast, saturation=saturation, hue=hue
    )
    u = torch.tensor([0.0, 1, 1, 1, 1], dtype=torch.float64)
    return dr._colour(u[None, None], config)[0, 0]


def test_colour_equals_its_steps_one_after_the_other() -> None:
    steps = [colour(brightness=0.2), colour(contrast=0.3), colour(saturation=0.4), colour(hue=0.1)]
    whole = np.eye(4)
    for step in steps:
        whole = np.vstack([step.numpy(), [0, 0, 0, 1]]) @ whole
    assert colour(0.2, 0.3, 0.4, 0.1).numpy() == pytest.approx(whole[:3], abs=1e-12)


def test_contrast_turns_about_mid_grey() -> None:
    # c = 1.3: 0.5 stays, 0.7 -> 1.3 * 0.7 - 0.15 = 0.76
    m = colour(contrast=0.3)
    assert (m[:, :3].sum(1) * 0.5 + m[:, 3]).tolist() == pytest.approx([0.5] * 3)
    assert (m[:, :3].sum(1) * 0.7 + m[:, 3]).tolist() == pytest.approx([0.76] * 3)


def test_hue_is_a_rotation_at_constant_luma() -> None:
    unit, luma = torch.eye(3, dtype=torch.float64), torch.tensor(dr._LUMA, dtype=torch.float64)
    third = colour(hue=1 / 3)[:, :3]
    assert torch.allclose(colour()[:, :3], unit)
    assert torch.allclose(third @ third @ third, unit)  # one turn
    half = colour(hue=0.5)[:, :3]
    assert torch.allclose(half @ half, unit)
    assert torch.allclose(luma @ third, luma)
    assert torch.allclose(third.sum(1), torch.ones(3, dtype=torch.float64))  # grey stays
    # YIQ by its published rows (three decimals): the same rotation in another frame
    yiq = torch.tensor(
        [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]],
        dtype=torch.float64,
    )
    inside = yiq @ colour(hue=0.1)[:, :3] @ torch.linalg.inv(yiq)
    cos, sin = math.cos(0.2 * math.pi), math.sin(0.2 * math.pi)
    expected = torch.tensor([[1, 0, 0], [0, cos, -sin], [0, sin, cos]], dtype=torch.float64)
    assert torch.allclose(inside.abs(), expected.abs(), atol=5e-3)


def test_hue_turns_the_way_of_torchvision() -> None:
    dull = torch.tensor([0.6, 0.4, 0.4])  # red, hue 0; 0.08 turns towards yellow at 1/6
    theirs = colorsys.rgb_to_hsv(*tvf.adjust_hue(dull[:, None, None], 0.08)[:, 0, 0].tolist())
    mine = colorsys.rgb_to_hsv(*(colour(hue=0.08)[:, :3].float() @ dull).tolist())
    assert theirs[0] == pytest.approx(0.08, abs=1e-3)
    assert mine[0] == pytest.approx(0.08, abs=0.02)

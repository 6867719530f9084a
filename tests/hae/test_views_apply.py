from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from hae.config import ViewsConfig
from hae.views import ViewParams, apply_views, draw_views, fixed_views, plain_view, sample_keys
from hae.views import apply as ap
from hae.views import draw as dr

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORM: dict[str, Any] = {"mean": MEAN, "std": STD}
RAW: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
KEYS = sample_keys([f"face {i}" for i in range(8)])
BLACK = (-torch.tensor(MEAN) / torch.tensor(STD))[:, None, None]


def noise(b: int, height: int, width: int | None = None) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (b, 3, height, width or height)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def smooth(side: int) -> Tensor:
    """Waves between 60 and 190 that interpolation follows closely, (1, 3, side, side)."""
    t = torch.arange(side) / side * 6.283
    waves = [
        torch.sin(t * a)[:, None] + torch.cos(t * c)[None] for a, c in ((1, 2), (2, 1), (1, 1))
    ]
    return (125 + 32 * torch.stack(waves)).round().to(torch.uint8)[None]


def params(
    theta: Tensor | None = None, colour: Tensor | None = None, box: list[float] | None = None
) -> ViewParams:
    plain = plain_view()
    return ViewParams(
        plain.theta if theta is None else theta.float()[None, None],
        plain.colour if colour is None else colour.float()[None, None],
        plain.box if box is None else torch.tensor(box)[None, None],
    )


@pytest.mark.parametrize("side", [16, 33, 64])
def test_plain_view_is_the_image(side: int) -> None:
    images = noise(2, side)
    expected = tv.normalize(images / 255, list(MEAN), list(STD))
    found = apply_views(images, plain_view(), size=side, **NORM)
    assert found.shape == (2, 1, 3, side, side)
    assert torch.allclose(found[:, 0], expected, atol=1e-4)


def test_geometry_equals_torchvisions_chain() -> None:
    # Crop to rows 3..63 and columns 5..59, mirror, rotate by 8 degrees, shift by (4, -3) pixels,
    # scale by 1.05, shear by 4 degrees: three interpolations of smooth waves against one.
    side, image = 64, smooth(64)
    config = ViewsConfig(affine_p=1, degrees=8, translate=4 / 64, scale=(0.9, 1.05), shear=4)
    u = torch.tensor([0, 1, 1, 0.125, 1, 1], dtype=torch.float64)  # ty = 4 (2/8 - 1) = -3 pixels
    inverse = dr._inverse_affine(u[None, None], config)
    crop = torch.tensor([3, 5, 60, 54], dtype=torch.float64)[None, None] / side
    theta = dr._compose(crop, torch.ones(1, 1, dtype=torch.bool), inverse)[0, 0]
    chain = tv.resized_crop(image / 255, 3, 5, 60, 54, [side, side], antialias=False)
    chain = tv.affine(
        tv.horizontal_flip(chain),
        angle=8,
        translate=[4, -3],
        scale=1.05,
        shear=[4, 0],
        interpolation=InterpolationMode.BILINEAR,
    )
    found = apply_views(image, params(theta), size=side, **RAW)[:, 0]
    inner = slice(12, -12)
    assert (found - chain)[..., inner, inner].abs().max() < 0.006
    wrong = tv.horizontal_flip(found)
    assert (wrong - chain)[..., inner, inner].abs().max() > 0.1


def test_upscaling_equals_torchvisions_resize() -> None:
    image = noise(1, 20)
    expected = tv.resize(image / 255, [32, 32], antialias=False)
    found = apply_views(image, plain_view(), size=32, **RAW)[:, 0]
    # at the edge torchvision repeats the last pixel, here black is mixed in
    assert torch.allclose(found[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-5)


def test_beyond_the_image_lies_black() -> None:
    shifted = torch.tensor([[1.0, 0, 1], [0, 1, 0]])  # half a side to the right
    found = apply_views(
        torch.full((1, 3, 16, 16), 255, dtype=torch.uint8), params(shifted), size=16, **NORM
    )
    assert torch.allclose(found[0, 0, :, :, 8:], BLACK.expand(3, 16, 8), atol=1e-5)
    assert found[0, 0, :, :, :7].min() > 2


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("op", ["brightness", "saturation"])
def test_one_colour_op_equals_torchvisions(op: str, factor: float) -> None:
    image = smooth(32)
    config = ViewsConfig(
        colour_p=1, **{"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, op: 0.2}
    )
    u = torch.full((1, 1, 5), 0.0 if factor < 1 else 1.0, dtype=torch.float64)
    u[..., 0] = 0
    expected = getattr(tv, f"adjust_{op}")(image / 255, factor)
    found = apply_views(image, params(colour=dr._colour(u, config)[0, 0]), size=32, **RAW)[:, 0]
    assert (found - expected).abs().max() < 1e-4  # torchvision's luma weights sum to 0.9999


def test_colour_is_clipped_to_black_and_white() -> None:
    bright = torch.eye(3, 4) * 3
    bright[:, 3] = -1
    images = torch.tensor([0, 128, 255], dtype=torch.uint8)[None, None, :, None].expand(1, 3, 3, 3)
    found = apply_views(images, params(colour=bright), size=3, **NORM)[0, 0, :, :, 0]
    white = (1 - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.allclose(found[:, 0], BLACK[:, 0, 0])
    assert torch.allclose(found[:, 2], white)
    middle = (3 * 128 / 255 - 1 - torch.tensor(MEAN)) / torch.tensor(STD)
    assert torch.allclose(found[:, 1], middle, atol=1e-5)


def test_erased_box_is_zero_and_nothing_else() -> None:
    # top .25, left .5, height .25, width .125 of 16 pixels: rows 4..7, columns 8..9
    image = noise(1, 16)
    found = apply_views(image, params(box=[0.25, 0.5, 0.25, 0.125]), size=16, **NORM)[0, 0]
    plain = apply_views(image, plain_view(), size=16, **NORM)[0, 0]
    assert not found[:, 4:8, 8:10].any()
    outside = torch.ones(16, 16, dtype=torch.bool)
    outside[4:8, 8:10] = False
    assert torch.equal(found[:, outside], plain[:, outside])
    assert found[:, outside].all()


@pytest.mark.parametrize(("side", "size"), [(64, 64), (40, 33)])
@pytest.mark.parametrize("k", [1, 4])
def test_bits_do_not_depend_on_the_batch(
    side: int, size: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise(8, side)
    drawn = draw_views(KEYS, ViewsConfig(k=k), seed=0, epoch=0)
    full = apply_views(images, drawn, size=size, **NORM)
    assert full.isfinite().all()
    for chunk in (1, 2**17, 2**30):
        monkeypatch.setattr(ap, "_CHUNK", chunk)
        for b in (1, 3, 8):
            for start in range(0, 8, b):
                rows = slice(start, start + b)
                part = ViewParams(drawn.theta[rows], drawn.colour[rows], drawn.box[rows])
                found = apply_views(images[rows], part, size=size, **NORM)
                assert torch.equal(found, full[rows])


def test_one_set_of_views_serves_every_face() -> None:
    images, fixed = noise(5, 24), fixed_views(ViewsConfig(k=3), seed=0)
    full = apply_views(images, fixed, size=24, **NORM)
    assert full.shape == (5, 3, 3, 24, 24)
    for i in range(5):
        assert torch.equal(apply_views(images[i : i + 1], fixed, size=24, **NORM)[0], full[i])


def test_layout_type_and_autocast_do_not_change_the_values() -> None:
    images, drawn = noise(8, 24), draw_views(KEYS, ViewsConfig(k=3), seed=0, epoch=0)
    full = apply_views(images, drawn, size=24, **NORM)
    last = apply_views(images, drawn, size=24, channels_last=True, **NORM)
    assert torch.equal(last, full)
    assert last.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    assert full.is_contiguous()
    low = apply_views(images, drawn, size=24, dtype=torch.bfloat16, **NORM)
    assert torch.equal(low, full.to(torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply_views(images, drawn, size=24, **NORM), full)
    stored = images.to(memory_format=torch.channels_last)
    assert torch.equal(apply_views(stored, drawn, size=24, **NORM), full)


def test_oblong_images_are_fitted_to_the_square() -> None:
    image = smooth(48)[:, :, :, ::2].contiguous()  # half as wide
    found = apply_views(image, plain_view(), size=24, **RAW)[0, 0]
    expected = smooth(48)[0, :, ::2, ::2] / 255
    assert (found - expected)[:, 2:-2, 2:-2].abs().max() < 0.05


def test_no_face_no_view() -> None:
    drawn = draw_views(KEYS[:0], ViewsConfig(k=3), seed=0, epoch=0)
    assert apply_views(noise(0, 16), drawn, size=16, **NORM).shape == (0, 3, 3, 16, 16)


def test_bad_input_is_refused() -> None:
    drawn = draw_views(KEYS, ViewsConfig(k=3), seed=0, epoch=0)
    with pytest.raises(
        ValueError, match=r"images are torch.float32 \(8, 3, 16, 16\), must be uint8"
    ):
        apply_views(noise(8, 16).float(), drawn, size=16, **NORM)
    with pytest.raises(ValueError, match=r"images are torch.uint8 \(3, 16, 16\)"):
        apply_views(noise(8, 16)[0], drawn, size=16, **NORM)
    with pytest.raises(ValueError, match=r"images are torch.uint8 \(8, 1, 16, 16\)"):
        apply_views(noise(8, 16)[:, :1], drawn, size=16, **NORM)
    with pytest.raises(ValueError, match="views of 8 faces for 5 images"):
        apply_views(noise(5, 16), drawn, size=16, **NORM)
    with pytest.raises(ValueError, match=r"box is torch.float32 \(7, 3, 4\)"):
        apply_views(
            noise(8, 16), ViewParams(drawn.theta, drawn.colour, drawn.box[:7]), size=16, **NORM
        )
    wide = ViewParams(drawn.theta.double(), drawn.colour, drawn.box)
    with pytest.raises(ValueError, match=r"theta is torch.float64 \(8, 3, 2, 3\)"):
        apply_views(noise(8, 16), wide, size=16, **NORM)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_and_makes_the_same_views() -> None:
    images, config = noise(8, 32), ViewsConfig()
    here = draw_views(KEYS, config, seed=0, epoch=0)
    there = draw_views(KEYS.cuda(), config, seed=0, epoch=0)
    for name in ("theta", "colour", "box"):
        assert torch.allclose(getattr(there, name).cpu(), getattr(here, name), atol=1e-6)
    expected = apply_views(images, here, size=32, **NORM)
    found = apply_views(images.cuda(), here, size=32, **NORM)
    assert torch.allclose(found.cpu(), expected, atol=1e-3)

"""What is done to each view, drawn from (seed, face, epoch, view, op) alone.

So a face gets the same views in every batch, order, batch size and process, and view j is the same
for every K. Parameters are computed in float64 and rounded once, so devices agree.

Distributions are those of torchvision 0.29's RandomResizedCrop, RandomHorizontalFlip, ColorJitter,
RandomAffine and RandomErasing in the order of the paper's code. The differences:

- Boxes and shifts are not rounded to whole pixels; boxes are shares of the image's own sides.
- Crop, flip and affine are one interpolation (bilinear; the paper's affine is bicubic). Beyond the
  *image* lies black as in the paper; beyond the crop lies what the image holds there.
- Colour has a fixed order, brightness, contrast, saturation, hue; clips once at its end; contrast
  turns about mid-grey 0.5, not about each image's mean luma; and hue turns the chroma plane of YIQ
  at constant luma, not the HSV hexagon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audit.hashing import text_keys
from hae.config import ViewsConfig
from hae.views.counter import states, stream, uniforms

_PURPOSE = 16
_CROP, _FLIP, _COLOUR, _AFFINE, _ERASE = range(5)
_TRIES = 10
_LUMA = (0.299, 0.587, 0.114)
_UV = (0.436 / (1 - _LUMA[2])) / (0.615 / (1 - _LUMA[0]))  # scale of B - Y over that of R - Y


@dataclass(frozen=True, eq=False)
class ViewParams:
    """K views of n faces; n = 1 serves every face.

    Attributes
    ----------
    theta : tensor
        float32 (n, k, 2, 3): from output to input coordinates, both -1 .. 1 between the outer edges
        of the image, x right and y down (``grid_sample`` with ``align_corners=False``).
    colour : tensor
        float32 (n, k, 3, 4): matrix and offset on RGB in [0, 1].
    box : tensor
        float32 (n, k, 4): top, left, height and width of the erased box as shares of the side; all
        0: none.
    """

    theta: Tensor
    colour: Tensor
    box: Tensor

    @property
    def k(self) -> int:
        """Views per face."""
        return self.theta.shape[1]

    def to(self, device: torch.device | str) -> ViewParams:
        """The same values on a device."""
        return ViewParams(self.theta.to(device), self.colour.to(device), self.box.to(device))


def sample_keys(ids: Sequence[str]) -> Tensor:
    """int64 (n,): the bits of ``text_keys(ids, "sample")``."""
    return torch.from_numpy(text_keys(ids, "sample").view(np.int64))


def plain_view() -> ViewParams:
    """The face as it is: n = 1, k = 1."""
    return ViewParams(
        torch.eye(2, 3)[None, None], torch.eye(3, 4)[None, None], torch.zeros(1, 1, 4)
    )


def fixed_views(config: ViewsConfig, *, seed: int) -> ViewParams:
    """The same K views for every face (n = 1): evaluation that no draw can move."""
    key = text_keys(["fixed"], "views").view(np.int64)
    return draw_views(torch.from_numpy(key), config, seed=seed, epoch=0)


def first_views(views: ViewParams, k: int | None) -> ViewParams:
    """The first k views of every face (all for None, or where there are fewer)."""
    return ViewParams(views.theta[:, :k], views.colour[:, :k], views.box[:, :k])


def draw_views(keys: Tensor, config: ViewsConfig, *, seed: int, epoch: int) -> ViewParams:
    """Draw K views of each face, on the device of its keys.

    Parameters
    ----------
    keys : tensor
        int64 (n,): `sample_keys`.
    config : ViewsConfig
        Ranges and probabilities.
    seed, epoch : int
        Of the run, and which pass over the data (not negative).

    Returns
    -------
    params
        n faces, ``config.k`` views.

    Raises
    ------
    ValueError
        Keys of another type or shape, or a negative epoch.
    """
    if keys.dtype != torch.int64 or keys.ndim != 1:
        raise ValueError(f"keys are {keys.dtype} {tuple(keys.shape)}, must be int64 (n,)")
    if epoch < 0:
        raise ValueError(f"epoch is {epoch}, must not be negative")
    state = states(keys, stream(_PURPOSE, seed, epoch), config.k)  # (n, k)
    crop = _crop(uniforms(state, _CROP, 2 * _TRIES + 2), config)
    mirrored = uniforms(state, _FLIP, 1)[..., 0] < config.flip
    inverse = _inverse_affine(uniforms(state, _AFFINE, 6), config)
    return ViewParams(
        _compose(crop, mirrored, inverse).float(),
        _colour(uniforms(state, _COLOUR, 5), config).float(),
        _erase(uniforms(state, _ERASE, 2 * _TRIES + 3), config).float(),
    )


def _between(u: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * u


def _boxes(
    u: Tensor, area: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The first of ten boxes that fits: (n, k, 4) and whether any does, (n, k).

    Area A is uniform, aspect ratio r = width / height log-uniform, width = sqrt(A r), height =
    sqrt(A / r), position uniform. Refusing what does not fit favours small and square boxes; it is
    kept because torchvision's distribution is meant.
    """
    a = _between(u[..., :_TRIES], *area)
    r = _between(u[..., _TRIES : 2 * _TRIES], math.log(ratio[0]), math.log(ratio[1])).exp()
    height, width = (a / r).sqrt(), (a * r).sqrt()  # (n, k, tries)
    fits = (height <= 1) & (width <= 1)
    first = fits.to(torch.int8).argmax(-1, keepdim=True)
    height, width = height.gather(-1, first)[..., 0], width.gather(-1, first)[..., 0]
    top, left = u[..., -2] * (1 - height), u[..., -1] * (1 - width)
    return torch.stack((top, left, height, width), -1), fits.any(-1)


def _crop(u: Tensor, config: ViewsConfig) -> Tensor:
    """The box that is scaled to the input, (n, k, 4); where none fits, the largest central one."""
    box, fits = _boxes(u, config.crop_scale, config.crop_ratio)
    low, high = config.crop_ratio
    height, width = min(1.0, 1 / low), min(1.0, high)
    whole = box.new_tensor([(1 - height) / 2, (1 - width) / 2, height, width])
    return torch.where(fits[..., None], box, whole)


def _erase(u: Tensor, config: ViewsConfig) -> Tensor:
    box, fits = _boxes(u[..., 1:], config.erase_area, config.erase_ratio)
    return box * (fits & (u[..., 0] < config.erase_p))[..., None]


def _inverse_affine(u: Tensor, config: ViewsConfig) -> Tensor:
    """From the affine's output back to its input, (n, k, 2, 3).

    Forward, about the centre: p -> R(a) s H p + t with H = [[1, -tan(x)], [0, 1]], angle a
    clockwise, shear x along the horizontal, t = 2 (shift as share of the side).
    """
    gate = u[..., 0] < config.affine_p

    def drawn(i: int, low: float, high: float, otherwise: float = 0.0) -> Tensor:
        return torch.where(gate, _between(u[..., i], low, high), otherwise)

    angle = torch.deg2rad(drawn(1, -config.degrees, config.degrees))
    tx = 2 * drawn(2, -config.translate, config.translate)
    ty = 2 * drawn(3, -config.translate, config.translate)
    scale = drawn(4, *config.scale, otherwise=1.0)
    tan = torch.tan(torch.deg2rad(drawn(5, -config.shear, config.shear)))
    cos, sin = torch.cos(angle), torch.sin(angle)
    # H^-1 R^-1 / s, with H^-1 = [[1, tan], [0, 1]] and R^-1 = [[cos, sin], [-sin, cos]]
    m00, m01 = (cos - tan * sin) / scale, (sin + tan * cos) / scale
    m10, m11 = -sin / scale, cos / scale
    rows = (m00, m01, -(m00 * tx + m01 * ty), m10, m11, -(m10 * tx + m11 * ty))
    return torch.stack(rows, -1).view(*u.shape[:-1], 2, 3)


def _compose(crop: Tensor, mirrored: Tensor, inverse: Tensor) -> Tensor:
    """Crop Flip Affine^-1, (n, k, 2, 3): the affine is done last, so it is undone first."""
    top, left, height, width = crop.unbind(-1)
    x_scale = torch.where(mirrored, -width, width)
    theta = inverse * torch.stack((x_scale, height), -1)[..., None]
    theta[..., 2] += torch.stack((2 * left + width - 1, 2 * top + height - 1), -1)
    return theta


def _colour(u: Tensor, config: ViewsConfig) -> Tensor:
    """Brightness b, contrast c, saturation s and hue h (turns) as one matrix and offset.

    With the luma projector L = 1 w' and N, a quarter turn of the chroma plane:
    M = b c (L + s cos(2 pi h) (I - L) + s sin(2 pi h) N), offset (1 - c) / 2. Grey stays grey.

    Returns
    -------
    colour
        (n, k, 3, 4).
    """
    gate = u[..., 0] < config.colour_p

    def drawn(i: int, half: float, centre: float) -> Tensor:
        low, high = centre - half, centre + half
        return torch.where(gate, _between(u[..., i], low, high), centre)[..., None, None]

    b, c = drawn(1, config.brightness, 1.0), drawn(2, config.contrast, 1.0)
    s, turn = drawn(3, config.saturation, 1.0), 2 * math.pi * drawn(4, config.hue, 0.0)
    unit = torch.eye(3, dtype=u.dtype, device=u.device)
    luma = u.new_tensor(_LUMA).expand(3, 3)
    chroma = s * torch.cos(turn) * (unit - luma) + s * torch.sin(turn) * _quarter_turn(luma, unit)
    offset = ((1 - c) / 2).expand(*u.shape[:-1], 3, 1)
    return torch.cat((b * c * (luma + chroma), offset), -1)


def _quarter_turn(luma: Tensor, unit: Tensor) -> Tensor:
    """N: chroma (U, V) -> (-V, U), the direction from red to yellow, (3, 3).

    U = u (B - Y) and V = v (R - Y), u / v = 0.561; I and Q are these axes turned by 33 degrees, so
    a rotation is the same in both. The row of G makes the luma of the result 0.
    """
    red = _UV * (unit[2] - luma[0])
    blue = -(unit[0] - luma[0]) / _UV
    green = -(_LUMA[0] * red + _LUMA[2] * blue) / _LUMA[1]
    return torch.stack((red, green, blue))

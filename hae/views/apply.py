"""uint8 faces and drawn parameters -> normalised views, in a dozen kernels on any device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from hae.views.draw import ViewParams

_CHUNK = 2**17  # pixels per channel made at once on a CPU, so that they stay in its cache


def apply_views(
    images: Tensor,
    params: ViewParams,
    *,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    channels_last: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Make K views of each face where the images lie.

    Sampling is bilinear between pixel centres, without a low-pass filter: store images near
    ``size``, for more than about twice its side aliases. Beyond the image lies black. Then colour
    (of that black too), clipped to [0, 1]; normalisation (x - mean) / std; the erased box is 0, the
    mean colour.
    On a CPU the bits of a face do not depend on its batch.

    Parameters
    ----------
    images : tensor
        uint8 RGB (b, 3, H, W).
    params : ViewParams
        Of b faces, or of one for all.
    size : int
        Side of the views in pixels.
    mean, std : sequence of float
        Normalisation of RGB in [0, 1].
    channels_last : bool
        Store ``views.flatten(0, 1)`` in channels-last order.
    dtype : dtype
        Of the result; the work is done in float32.

    Returns
    -------
    views
        (b, k, 3, size, size).

    Raises
    ------
    ValueError
        Images of another type or shape, or parameters that do not fit them.
    """
    _check(images, params)
    params = params.to(images.device)
    b, k = len(images), params.k
    colour = _to_normalised(params.colour, mean, std)
    views = torch.empty((b, k, 3, size, size), device=images.device)
    for faces, cut in _chunks(images, k, size):
        own = (faces if len(params.theta) > 1 else slice(None), cut)
        part = views[faces, cut]
        _recolour(_sample(images[faces], params.theta[own], size), colour[own], out=part.flatten(3))
        for channel, (m, s) in enumerate(zip(mean, std, strict=True)):
            part[:, :, channel].clamp_(-m / s, (1 - m) / s)  # black and white, normalised
        part.mul_(_outside(params.box[own], size))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    flat = views.view(-1, 3, size, size).to(dtype=dtype, memory_format=layout)
    return flat.view(b, k, 3, size, size)


def _chunks(images: Tensor, k: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Faces and views that are made together: all, or on a CPU what fits into its cache."""
    b, pixels = len(images), max(size * size, images.shape[2] * images.shape[3])
    at_once = b * k if images.device.type != "cpu" else max(1, _CHUNK // pixels)
    some_faces, some_views = max(1, at_once // k), min(k, max(1, at_once))
    for face in range(0, b, some_faces):
        for view in range(0, k, some_views):
            yield slice(face, face + some_faces), slice(view, view + some_views)


def _check(images: Tensor, params: ViewParams) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}, must be uint8 (b, 3, H, W)"
        )
    n, k = params.theta.shape[:2]
    for name, tail in (("theta", (2, 3)), ("colour", (3, 4)), ("box", (4,))):
        found: Tensor = getattr(params, name)
        if found.dtype != torch.float32 or found.shape != (n, k, *tail):
            raise ValueError(
                f"{name} is {found.dtype} {tuple(found.shape)}, must be float32 {(n, k, *tail)}"
            )
    if n not in (1, len(images)):
        raise ValueError(f"views of {n} faces for {len(images)} images, must be as many or 1")


def _to_normalised(colour: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Colour from bytes straight to normalised values, (n, k, 3, 4).

    (M x / 255 + o - mean) / std, so that scaling, colour and normalisation are one pass.
    """
    m = torch.tensor(mean, dtype=torch.float64, device=colour.device)[:, None]
    s = torch.tensor(std, dtype=torch.float64, device=colour.device)[:, None]
    matrix, offset = colour[..., :3].double(), colour[..., 3:].double()
    return torch.cat((matrix / (255 * s), (offset - m) / s), -1).float()


def _sample(images: Tensor, theta: Tensor, size: int) -> Tensor:
    """Bytes of each view as float32, (b, k, 3, size²)."""
    b, k = len(images), theta.shape[1]
    centres = (2 * torch.arange(size, device=images.device) + 1) / size - 1
    x, y, shift = theta[..., None, None].unbind(3)  # (n, k, 2, 1, 1) each
    grid = (x * centres + (y * centres[:, None] + shift)).movedim(2, -1)  # (n, k, size, size, 2)
    copies = images[:, None].expand(b, k, *images.shape[1:]).to(torch.float32)
    found = grid_sample(
        copies.flatten(0, 1),
        grid.expand(b, *grid.shape[1:]).flatten(0, 1),
        mode="bilinear",
        padding_mode="zeros",
        align_corners=False,
    )
    return found.view(b, k, 3, size * size)


def _recolour(pixels: Tensor, colour: Tensor, out: Tensor) -> None:
    """M x + offset, (b, k, 3, p), written to a view of the result: fresh memory is slow.

    Not a matrix product: autocast and TF32 would round that to 8 or 11 bits.
    """
    red, green, blue, offset = colour[..., None].unbind(3)  # (n, k, 3, 1) each
    torch.addcmul(offset, red, pixels[:, :, 0:1], out=out)
    out.addcmul_(green, pixels[:, :, 1:2]).addcmul_(blue, pixels[:, :, 2:3])


def _outside(box: Tensor, size: int) -> Tensor:
    """0 where a pixel's centre lies in the box, else 1: float32 (n, k, 1, size, size).

    A factor, for masked filling is several times slower on a CPU.
    """
    centres = (torch.arange(size, device=box.device) + 0.5) / size
    start, end = box[..., :2, None], (box[..., :2] + box[..., 2:])[..., None]
    hit = ((centres >= start) & (centres < end)).float()  # (n, k, 2, size)
    return (1 - hit[:, :, 0, :, None] * hit[:, :, 1, None, :])[:, :, None]

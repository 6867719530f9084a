"""An image file as a network's input pixels, or the reason why not."""

from __future__ import annotations

import math
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = npt.NDArray[np.uint8]
_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What images of faces come in; some of Pillow's other decoders run programs."""
_FAINT = 4096
"""A picture of 16 bits that stays below is of another range, and would come out black."""
WHITE = (255, 255, 255, 255)
_LARGEST_BOX = 4
"""A face's region may have this many times the image's longer side."""


@dataclass(frozen=True)
class Cut:
    """A face in its image: ``box`` (left, top, right, bottom) in pixels of the upright image.

    ``margin`` as in :class:`hae.data.crop.Crop`; ``roll`` in degrees, clockwise as seen.
    """

    box: tuple[float, float, float, float]
    margin: float
    roll: float = 0.0


def load_face(
    path: Path,
    size: tuple[int, int],
    keep: float,
    *,
    cut: Cut | None = None,
    root: Path | None = None,
) -> Pixels | str:
    """Read an image, cut out its middle or a face and scale it; or say why that is impossible.

    The cut has the shape of ``size`` and ``keep`` times the largest height that fits, about the
    centre. EXIF orientation is applied, CMYK and grey become RGB, 16 bits are cut to the upper 8,
    transparent pixels are laid on white, and of a moving image the first picture is taken. With
    ``cut`` it is a square about the box (a rectangle of the shape of ``size``), black where it
    leaves the image.

    Parameters
    ----------
    path : Path
        The file.
    size : (height, width)
        Of the result, pixels.
    keep : float
        Share of the side to keep, in (0, 1].
    cut : Cut, optional
        Where the face is.
    root : Path, optional
        A folder that a symbolic link below it must not leave.

    Returns
    -------
    pixels : (height, width, 3) uint8 RGB, or the reason in words
    """
    try:
        if root is not None and leaves(path, root):
            return "a symbolic link out of the data set's folder; give the real one"
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return "is no regular file"  # a pipe would be waited for
        with Image.open(path, formats=_formats()) as image:
            return fit_face(image, size, keep) if cut is None else cut_face(image, size, keep, cut)
    except FileNotFoundError:
        return "no such file"
    except UnidentifiedImageError:
        return "not an image in a known format"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels: refused"
    except OSError as error:
        return f"cannot be read: {error.strerror or _one_line(error)}"
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever they like on bad bytes
        return f"cannot be decoded: {_one_line(error)}"


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)  # not every Pillow has all


def fit_face(image: Image.Image, size: tuple[int, int], keep: float) -> Pixels:
    """Cut and scale an open image as :func:`load_face` does; errors are Pillow's."""
    height, width = size
    enough = 2 * max(height, width) / keep
    image.draft(None, (round(enough), round(enough)))  # a large JPEG is decoded at a smaller scale
    image = _rgb(ImageOps.exif_transpose(image))
    small = image.resize(
        (width, height), Image.Resampling.BILINEAR, box=_centre(image.size, size, keep)
    )
    return np.asarray(small, dtype=np.uint8)


def cut_face(image: Image.Image, size: tuple[int, int], keep: float, cut: Cut) -> Pixels | str:
    """Cut a face out of an open image as :func:`load_face` does; errors are Pillow's."""
    stored = image.size
    longer = max(cut.box[2] - cut.box[0], cut.box[3] - cut.box[1])
    side = keep * longer * (1 + 2 * cut.margin)
    if side > 0:
        enough = min(1.0, 2 * max(size) / side)
        image.draft(None, (math.ceil(enough * stored[0]), math.ceil(enough * stored[1])))
    scale = image.width / stored[0]  # of a JPEG that is decoded smaller
    image = _rgb(ImageOps.exif_transpose(image))
    wrong = _wrong(cut.box, image, scale, side)
    if wrong:
        return wrong
    left, top, right, bottom = (scale * edge for edge in cut.box)
    x, y, unit = (left + right) / 2, (top + bottom) / 2, scale * side / min(size)
    half = (unit * size[1] / 2, unit * size[0] / 2)
    if cut.roll:
        return _turned(image, (x, y), half, size, cut.roll)
    region = (x - half[0], y - half[1], x + half[0], y + half[1])
    whole = (*map(math.floor, region[:2]), *map(math.ceil, region[2:]))
    piece = image.crop((whole[0], whole[1], whole[2], whole[3]))  # black outside
    inside = (
        region[0] - whole[0],
        region[1] - whole[1],
        region[2] - whole[0],
        region[3] - whole[1],
    )
    small = piece.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=inside)
    return np.asarray(small, dtype=np.uint8)


def _wrong(
    box: tuple[float, float, float, float], image: Image.Image, scale: float, side: float
) -> str:
    """Why a box cannot be cut out; "" where it can."""
    left, top, right, bottom = box
    width, height = image.width / scale, image.height / scale
    shown = f"the box {left:g}, {top:g}, {right:g}, {bottom:g}"
    if right <= left or bottom <= top:
        return f"{shown} (left, top, right, bottom) has no area"
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return f"{shown} lies outside the image of {width:.0f} x {height:.0f} pixels"
    if side > _LARGEST_BOX * max(width, height):
        return f"{shown} with its margin is over {_LARGEST_BOX} times the image's side"
    return ""


def _turned(
    image: Image.Image,
    centre: tuple[float, float],
    half: tuple[float, float],
    size: tuple[int, int],
    roll: float,
) -> Pixels:
    """The region about a centre after turning it back by its roll."""
    reach = math.ceil(math.hypot(*half)) + 1
    left, top = math.floor(centre[0]) - reach, math.floor(centre[1]) - reach
    piece = image.crop((left, top, left + 2 * reach + 1, top + 2 * reach + 1))
    x, y = centre[0] - left, centre[1] - top
    piece = piece.rotate(roll, Image.Resampling.BILINEAR, center=(x, y))
    inside = (x - half[0], y - half[1], x + half[0], y + half[1])
    small = piece.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=inside)
    return np.asarray(small, dtype=np.uint8)


def leaves(path: Path, root: Path) -> bool:
    """Whether a path that is written as lying below a folder leads out of it by a link."""
    written, folder = (Path(os.path.normpath(place.absolute())) for place in (path, root))
    if not written.is_relative_to(folder):
        return False  # named outside, and meant so
    return not path.resolve().is_relative_to(root.resolve())


def is_there(path: Path) -> bool:
    """Whether a file has this name; a name that no file can have is of none."""
    try:
        return path.is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def _centre(
    have: tuple[int, int], size: tuple[int, int], keep: float
) -> tuple[float, float, float, float]:
    scale = keep * min(have[0] / size[1], have[1] / size[0])
    width, height = size[1] * scale, size[0] * scale
    left, top = max((have[0] - width) / 2, 0.0), max((have[1] - height) / 2, 0.0)
    return left, top, min(left + width, have[0]), min(top + height, have[1])


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        wide = np.asarray(image).astype(np.int64)
        if 0 < wide.max() < _FAINT:
            raise ValueError(f"16 bits that reach only {wide.max()} of 65535: range not known")
        return Image.fromarray((wide.clip(0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no known range")
    if image.mode in _ALPHA or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


@contextmanager
def strict_decoding() -> Iterator[None]:
    """Turn Pillow's warning about huge images into an error, and silence its other warnings.

    Warning filters belong to the process: enter this once, around all decoding threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield

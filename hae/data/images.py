"""An image file as a network's input pixels, or the reason why not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

Pixels = npt.NDArray[np.uint8]
_SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
WHITE = (255, 255, 255, 255)


def load_face(path: Path, size: tuple[int, int], keep: float) -> Pixels | str:
    """Read an image, cut out its middle and scale it; or say why that is impossible.

    The cut has the shape of ``size`` and ``keep`` times the largest height that fits, about the
    centre. EXIF orientation is applied, CMYK and grey become RGB, 16 bits are cut to the upper 8,
    and transparent pixels are laid on white.

    Parameters
    ----------
    path : Path
        The file.
    size : (height, width)
        Of the result, pixels.
    keep : float
        Share of the side to keep, in (0, 1].

    Returns
    -------
    pixels : (height, width, 3) uint8 RGB, or the reason in words
    """
    try:
        with Image.open(path) as image:
            return fit_face(image, size, keep)
    except FileNotFoundError:
        return "no such file"
    except UnidentifiedImageError:
        return "not an image in a known format"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels: refused"
    except OSError as error:
        return f"cannot be read: {error.strerror or _one_line(error)}"
    except (ValueError, SyntaxError, EOFError, IndexError, KeyError, ArithmeticError) as error:
        return f"cannot be decoded: {_one_line(error)}"  # what Pillow's decoders raise on bad bytes


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

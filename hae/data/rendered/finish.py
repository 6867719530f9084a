"""From painted scene to photo: exposure, blur, noise, bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from audit.hashing import Keys, mix
from hae.data.rendered.anatomy import Measures

_UNIFORM_SD = np.float32(73.9)  # of a byte: sqrt((256² - 1) / 12)
_STREAM = np.uint64(1) << np.uint64(40)  # apart from the numbers that roughen the skin


def developed(image: npt.NDArray[np.float32], p: Measures, keys: Keys) -> npt.NDArray[np.uint8]:
    """Expose, blur, add noise, round: (3, n, h, w) grey levels to (n, h, w, 3) bytes."""
    _expose(image, p)
    _blur(image, p)
    _grain(image, p, keys)
    image += np.float32(0.5)
    np.clip(image, np.float32(0), np.float32(255), out=image)
    return image.astype(np.uint8).transpose(1, 2, 3, 0)


def _expose(image: npt.NDArray[np.float32], p: Measures) -> None:
    warm = np.float32(0.07) * p["warmth"]
    image *= p["exposure"]
    image[0] *= 1 + warm
    image[2] *= 1 - warm


def _blur(image: npt.NDArray[np.float32], p: Measures) -> None:
    """A Gaussian of the face's own SD, pixels of a 64-pixel picture; face by face, few have one."""
    sharp = p["blur"].ravel()
    for index in np.flatnonzero(sharp > 0):
        sigma = float(sharp[index]) * image.shape[-1] / 64
        for axis in (1, 2):
            image[:, index] = gaussian_filter1d(image[:, index], sigma, axis=axis, mode="nearest")


def _grain(image: npt.NDArray[np.float32], p: Measures, keys: Keys) -> None:
    """Uniform noise of the camera's and the planted SD: a hash of the photo and the pixel."""
    _, n, height, width = image.shape
    count = -(-3 * height * width // 8)
    words = mix(keys[:, None] ^ (_STREAM | np.arange(count, dtype=np.uint64)))
    grain = words.astype("<u8").view(np.uint8)[:, : 3 * height * width].astype(np.float32)
    grain -= np.float32(127.5)
    deviation = np.sqrt(p["sensor"] * p["sensor"] + p["noise"] * p["noise"]) / _UNIFORM_SD
    grain *= deviation[:, 0]
    image += grain.reshape(n, 3, height, width).transpose(1, 0, 2, 3)

"""Grad-CAM of age and expression models, by captum.

Selvaraju et al., "Grad-CAM", ICCV 2017, doi:10.1109/ICCV.2017.74: with A_k the channels of the last
map and a_k the mean over places of dy / dA_k, the map is sum_k a_k A_k. For the predicted
expression y is its logit and the positive part is kept, as in the paper. For an age y is the
estimate in years, and places that make a face look younger tell as much as those that make it look
older: the absolute value is kept.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
INSTALL = "pip install 'hae-audit[where]'"


def grad_cam(
    answer: Callable[[Tensor], Tensor], tap: nn.Module, images: Tensor, *, signed: bool
) -> FloatArray:
    """Maps (n, h, w) of images (n, 3, s, s).

    Parameters
    ----------
    answer : callable
        Images to one number each, (n,), on which it depends through ``tap``.
    tap : Module
        Gives the map (m, c, h, w); m is n, or a multiple of it where the images go through it
        several times, one after another: their maps are added.
    signed : bool
        Keep the positive part; else the absolute value.

    Raises
    ------
    InputError
        captum is not installed.
    """
    attribute = _layer_grad_cam()(answer, tap).attribute
    found: Tensor = attribute(images.clone().requires_grad_(), relu_attributions=False)
    n, (h, w) = len(images), found.shape[-2:]
    added = found.detach().reshape(-1, n, h, w).sum(dim=0).double().cpu().numpy()
    return np.asarray(np.maximum(added, 0.0) if signed else np.abs(added))


def _layer_grad_cam() -> type:
    try:
        from captum.attr import LayerGradCam
    except ImportError:
        raise InputError(f"--where: needs captum, which is not installed; run {INSTALL}") from None
    return LayerGradCam  # type: ignore[no-any-return]

"""Calibration of the predicted class: binned errors, biased upward by noise.

A perfectly calibrated model shows such an error too, the larger the fewer the faces: these metrics
have no interval and no gaps, but stand beside what perfect calibration would show. What can be
compared between groups is in ``audit.metrics.confidence``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from audit.metrics.binning import MASS_RULE
from audit.metrics.core import Array, Formula, Metric, Sums, divide

FloatArray = npt.NDArray[np.float64]


def _ece(s: Sums, suffix: str = "") -> Array:
    gap = np.abs(s[f"bin_conf{suffix}"] - s[f"bin_hit{suffix}"])
    return divide(gap.sum(axis=-1), s["w"])


def _mass(s: Sums, suffix: str = "") -> Array:
    return divide(np.abs(s[f"mass_gap{suffix}"]).sum(axis=-1), s["w"])


def _average(s: Sums, suffix: str = "") -> Array:
    gaps = bin_gaps(s, suffix)
    full = gaps >= 0
    return divide(np.where(full, gaps, 0.0).sum(axis=-1), full.sum(axis=-1))


def _l2(s: Sums, suffix: str = "") -> Array:
    gap, weight = s[f"bin_conf{suffix}"] - s[f"bin_hit{suffix}"], s[f"bin_w{suffix}"]
    square = np.where(weight > 0, gap**2 / np.where(weight > 0, weight, 1.0), 0.0)
    return np.sqrt(divide(square.sum(axis=-1), s["w"]))


def _classwise(s: Sums, suffix: str = "") -> Array:
    gaps = np.abs(s[f"class_gap{suffix}"])
    return divide(gaps.sum(axis=(-2, -1)), s["w"] * gaps.shape[-2])


def _top_label(s: Sums, suffix: str = "") -> Array:
    return divide(np.abs(s[f"top_gap{suffix}"]).sum(axis=(-2, -1)), s["w"])


def bin_gaps(s: Sums, suffix: str = "") -> Array:
    """abs(confidence - accuracy) of every bin, -1 where a bin is empty, shape (..., B)."""
    gap = np.abs(s[f"bin_conf{suffix}"] - s[f"bin_hit{suffix}"])
    gap = divide(gap, s[f"bin_w{suffix}"])
    return np.where(np.isnan(gap), -1.0, gap)


def _mce(s: Sums, suffix: str = "") -> Array:
    worst = bin_gaps(s, suffix).max(axis=-1)
    return np.where(worst < 0, np.nan, worst)


def _mce_n(s: Sums, suffix: str = "") -> Array:
    at = bin_gaps(s, suffix).argmax(axis=-1)
    return np.asarray(np.take_along_axis(s[f"bin_n{suffix}"], at[..., None], axis=-1)[..., 0])


_PLUG_IN: tuple[tuple[str, str, str, str, Callable[..., Array], tuple[str, ...]], ...] = (
    (
        "ece",
        "equal-width",
        "sum_b share_b abs(confidence_b - accuracy_b) of the top class",
        "Naeini et al. (2015), Guo et al. (2017)",
        _ece,
        ("bin_conf", "bin_hit"),
    ),
    (
        "ece_equal_mass",
        "equal-mass",
        "sum_b share_b abs(confidence_b - accuracy_b) of the top class",
        "Nguyen and O'Connor (2015)",
        _mass,
        ("mass_gap",),
    ),
    (
        "average_ce",
        "equal-width",
        "unweighted mean of abs(confidence_b - accuracy_b) over the bins that hold a face",
        "Neumann, Zisserman and Vedaldi (2018)",
        _average,
        ("bin_conf", "bin_hit", "bin_w"),
    ),
    (
        "l2_ce",
        "equal-width",
        "square root of sum_b share_b (confidence_b - accuracy_b)^2 of the top class",
        "Kumar, Liang and Ma (2019)",
        _l2,
        ("bin_conf", "bin_hit", "bin_w"),
    ),
    (
        "classwise_ece",
        "equal-width",
        "mean over {k} classes of sum_b share_b abs(mean p_k - share of class k)",
        "Naeini et al. (2015), Guo et al. (2017)",
        _classwise,
        ("class_gap",),
    ),
    (
        "top_label_ece",
        "equal-width",
        "ece within each predicted class, weighted by the share of that class",
        "Gupta and Ramdas (2022)",
        _top_label,
        ("top_gap",),
    ),
    (
        "mce",
        "equal-width",
        "largest abs(confidence_b - accuracy_b); n is the size of that bin",
        "Naeini et al. (2015), Guo et al. (2017)",
        _mce,
        ("bin_conf", "bin_hit", "bin_w"),
    ),
)


def calibration_metrics(n_classes: int, n_bins: int, suffix: str = "") -> tuple[Metric, ...]:
    """Plug-in calibration errors: biased upward, so no interval and no gaps, but a null.

    ``suffix`` names the set of scores: "" for the ordinary ones, "_raw" for the unscaled ones.
    """
    rules = {
        "equal-width": f"{n_bins} equal-width bins [j/{n_bins}, (j + 1)/{n_bins}), the last closed",
        "equal-mass": f"{n_bins} equal-mass bins, {MASS_RULE}",
    }
    scaled = "; of the logits before they are scaled" if suffix else ""

    def metric(
        name: str, bins: str, text: str, source: str, formula: Formula, features: tuple[str, ...]
    ) -> Metric:
        return Metric(
            name=name + suffix,
            interval="none",
            unit="probability",
            better="lower",
            definition=f"{text.format(k=n_classes)}; {rules[bins]}{scaled}",
            source=source,
            features=(*(part + suffix for part in features), "w"),
            formula=partial(formula, suffix=suffix),
            counts=partial(_mce_n, suffix=suffix) if name == "mce" else None,
        )

    return tuple(metric(*row) for row in _PLUG_IN)

"""Calibration of the predicted class: binned errors and what perfect calibration would show."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from audit.hashing import Keys, uniforms
from audit.metrics.core import Array, Formula, Metric, Sums, divide

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NULL_DRAWS = 100


def bin_index(confidence: FloatArray, n_bins: int) -> IntArray:
    """Equal-width bin j of [j/B, (j + 1)/B), the last one closed; edges are exactly j/B.

    Examples
    --------
    >>> bin_index(np.array([0.0, 1 / 15, 0.2, 1.0]), 15).tolist()
    [0, 1, 3, 14]
    """
    edges = np.arange(1, n_bins) / n_bins
    return np.searchsorted(edges, confidence, side="right").astype(np.int64)


def _ece(s: Sums, suffix: str = "") -> Array:
    gap = np.abs(s[f"bin_conf{suffix}"] - s[f"bin_hit{suffix}"])
    return divide(gap.sum(axis=-1), s["w"])


def _classwise(s: Sums, suffix: str = "") -> Array:
    gaps = np.abs(s[f"class_gap{suffix}"])
    return divide(gaps.sum(axis=(-2, -1)), s["w"] * gaps.shape[-2])


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


def calibration_metrics(n_classes: int, n_bins: int, suffix: str = "") -> tuple[Metric, ...]:
    """Plug-in calibration errors: biased upward, so no interval and no gaps, but a null.

    ``suffix`` names the set of scores: "" for the ordinary ones, "_raw" for the unscaled ones.
    """
    bins = f"{n_bins} equal-width bins [j/{n_bins}, (j + 1)/{n_bins}), the last one closed"
    if suffix:
        bins += "; of the logits before they are scaled"

    def metric(name: str, definition: str, formula: Formula, features: tuple[str, ...]) -> Metric:
        return Metric(
            name=name + suffix,
            interval="none",
            unit="probability",
            better="lower",
            definition=f"{definition}; {bins}",
            source="Naeini et al. (2015), Guo et al. (2017)",
            features=(*(part + suffix for part in features), "w"),
            formula=partial(formula, suffix=suffix),
            counts=partial(_mce_n, suffix=suffix) if name == "mce" else None,
        )

    return (
        metric(
            "ece",
            "sum_b share_b abs(confidence_b - accuracy_b) of the top class",
            _ece,
            ("bin_conf", "bin_hit"),
        ),
        metric(
            "classwise_ece",
            f"mean over {n_classes} classes of the same for each p_k",
            _classwise,
            ("class_gap",),
        ),
        metric(
            "mce",
            "largest abs(confidence_b - accuracy_b); n is the size of that bin",
            _mce,
            ("bin_conf", "bin_hit", "bin_w"),
        ),
    )


def redrawn_labels(proba: FloatArray, keys: Keys, seed: int, draw: int) -> IntArray:
    """Labels drawn from the predicted probabilities: a perfectly calibrated world, shape (n,)."""
    steps = np.cumsum(proba, axis=1)
    target = uniforms(keys, seed, draw) * steps[:, -1]
    label = (steps <= target[:, None]).sum(axis=1)
    return np.asarray(np.minimum(label, proba.shape[1] - 1), dtype=np.int64)


def null_draws(
    proba: FloatArray,
    keys: Keys,
    weight: FloatArray,
    cell: IntArray,
    n_cells: int,
    n_bins: int,
    seed: int,
    n_draws: int = NULL_DRAWS,
    suffix: str = "",
) -> Iterator[dict[str, FloatArray]]:
    """Per draw, the bin sums of every cell with labels redrawn from the probabilities.

    Yields the features that the calibration errors read: ``w`` (C,), ``bin_w``, ``bin_conf``,
    ``bin_hit`` (C, B) and ``class_gap`` (C, K, B), all but ``w`` with the suffix of the scores.
    """
    rows, k = np.arange(len(proba)), proba.shape[1]
    confidence, top = proba.max(axis=1), proba.argmax(axis=1)
    at = cell * n_bins + bin_index(confidence, n_bins)
    class_bin = np.stack([bin_index(proba[:, j], n_bins) for j in range(k)], axis=1)
    class_at = (cell[:, None] * k + np.arange(k)) * n_bins + class_bin
    shape, wide = (n_cells, n_bins), (n_cells, k, n_bins)

    def summed(index: IntArray, values: FloatArray, size: tuple[int, ...]) -> FloatArray:
        return np.bincount(index, values, int(np.prod(size))).reshape(size).astype(np.float64)

    fixed = {
        "w": summed(cell, weight, (n_cells,)),
        f"bin_w{suffix}": summed(at, weight, shape),
        f"bin_conf{suffix}": summed(at, weight * confidence, shape),
    }
    class_conf = summed(class_at.ravel(), (weight[:, None] * proba).ravel(), wide)
    for draw in range(n_draws):
        label = redrawn_labels(proba, keys, seed, draw)
        right = label == top
        hits = summed(class_at[rows, label], weight, wide)
        yield fixed | {
            f"bin_hit{suffix}": summed(at[right], weight[right], shape),
            f"class_gap{suffix}": class_conf - hits,
        }

"""What perfect calibration would show: the same errors with labels drawn from the probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from audit.hashing import Keys, uniforms
from audit.metrics.binning import N_BINS, bin_index, mass_index

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
NULL_DRAWS = 100


def redrawn_labels(proba: FloatArray, keys: Keys, seed: int, n_draws: int) -> IntArray:
    """Labels drawn from the predicted probabilities: perfectly calibrated worlds, (n_draws, n)."""
    n, k = proba.shape
    steps = np.cumsum(proba, axis=1).T.copy()
    found = np.empty((n_draws, n), dtype=np.min_scalar_type(k))
    for draw in range(n_draws):
        target = uniforms(keys, seed, draw) * steps[-1]
        found[draw] = 0
        for step in steps[:-1]:
            found[draw] += step <= target
    return found


def null_sums(
    proba: FloatArray,
    labels: Iterable[IntArray],
    weight: FloatArray,
    cell: IntArray,
    n_cells: int,
    edges: Mapping[int, FloatArray],
    suffix: str = "",
) -> Iterator[dict[str, FloatArray]]:
    """The bin sums of every cell with drawn labels (n,) in place of the truth, draw by draw.

    The sums are the features that the plug-in calibration errors read: ``w`` (C,), ``bin_w``,
    ``bin_conf``, ``bin_hit``, ``mass_gap`` (C, B), ``class_gap`` and ``top_gap`` (C, K, B), all but
    ``w`` with the suffix of the scores. ``edges`` are those of the equal-mass bins.
    """
    n_bins, k = N_BINS, proba.shape[1]
    rows = np.arange(len(proba))
    confidence, top = proba.max(axis=1), proba.argmax(axis=1)
    width = bin_index(confidence, n_bins)
    at, mass_at = cell * n_bins + width, cell * n_bins + mass_index(confidence, edges[n_bins])
    top_at = (cell * k + top) * n_bins + width
    class_bin = np.stack([bin_index(proba[:, j], n_bins) for j in range(k)], axis=1)
    class_at = (cell[:, None] * k + np.arange(k)) * n_bins + class_bin
    shape, wide = (n_cells, n_bins), (n_cells, k, n_bins)

    def summed(index: IntArray, values: FloatArray, size: tuple[int, ...]) -> FloatArray:
        return np.bincount(index, values, int(np.prod(size))).reshape(size).astype(np.float64)

    sure = weight * confidence
    fixed = {
        "w": summed(cell, weight, (n_cells,)),
        f"bin_w{suffix}": summed(at, weight, shape),
        f"bin_conf{suffix}": summed(at, sure, shape),
    }
    mass_conf, top_conf = summed(mass_at, sure, shape), summed(top_at, sure, wide)
    class_conf = summed(class_at.ravel(), (weight[:, None] * proba).ravel(), wide)
    for label in labels:
        hit = np.where(label == top, weight, 0.0)
        top_hit = summed(top_at, hit, wide)
        yield fixed | {
            f"bin_hit{suffix}": top_hit.sum(axis=1),
            f"mass_gap{suffix}": mass_conf - summed(mass_at, hit, shape),
            f"class_gap{suffix}": class_conf - summed(class_at[rows, label], weight, wide),
            f"top_gap{suffix}": top_conf - top_hit,
        }

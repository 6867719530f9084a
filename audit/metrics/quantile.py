"""Weighted quantiles of |e|: exact values from rows, replicates from a grid of bins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EDGES: FloatArray = np.concatenate(
    [np.arange(0, 6.4, 0.05), np.arange(6.4, 16, 0.1), np.arange(16, 48, 1.0)]
)
"""Lower edges of the 256 bins in years; the last one holds everything above."""

_LAST = len(EDGES) - 1
_WIDTHS: FloatArray = np.diff(EDGES, append=EDGES[-1] + 1.0)


def bin_of(abs_error: FloatArray) -> IntArray:
    """Bin of each error."""
    return (np.searchsorted(EDGES, abs_error, side="right") - 1).astype(np.int64)


def weighted_quantile(values: FloatArray, weight: FloatArray, q: float) -> float:
    """Averaged inverted CDF: weight 2 equals the row twice.

    Equal weights give ``numpy.quantile`` with ``method="averaged_inverted_cdf"``.

    Examples
    --------
    >>> weighted_quantile(np.array([1.0, 2.0, 3.0, 10.0]), np.ones(4), 0.5)
    2.5
    """
    order = np.argsort(values, kind="stable")
    values, weight = values[order], weight[order]
    return sorted_quantile(values[weight > 0], np.cumsum(weight[weight > 0]), q)


def sorted_quantile(
    values: FloatArray, cumulative: FloatArray, q: float, total: float | None = None
) -> float:
    """The quantile of values in order, from their cumulative weights (and the whole weight)."""
    if len(values) == 0:
        return np.nan
    total = float(cumulative[-1]) if total is None else total
    target, slack = q * total, 1e-12 * total
    low = min(int(np.searchsorted(cumulative, target - slack)), len(values) - 1)
    high = min(int(np.searchsorted(cumulative, target + slack, side="right")), len(values) - 1)
    return float((values[low] + values[high]) / 2)


def grid_quantiles(cumulative: FloatArray, q: float) -> FloatArray:
    """The quantile from cumulative weights (groups, 256, R), linear within the bin that holds it.

    At a tie the mean of both neighbours, as in the exact value. Returns shape (groups, R), NaN
    where there is no weight or the quantile is above the grid.
    """
    total = cumulative[:, -1]
    below = (cumulative < ((q - 1e-9) * total)[:, None]).sum(axis=1)
    above = (cumulative <= ((q + 1e-9) * total)[:, None]).sum(axis=1)
    low = _within(cumulative, np.minimum(below, _LAST), (q - 1e-9) * total)
    high = _within(cumulative, np.minimum(above, _LAST), (q + 1e-9) * total)
    inside = (total > 0) & (below < _LAST) & (above < _LAST)
    return np.where(inside, (low + high) / 2, np.nan)


def _within(cumulative: FloatArray, at: IntArray, target: FloatArray) -> FloatArray:
    """Linear interpolation inside a bin."""
    end = np.take_along_axis(cumulative, at[:, None], axis=1)[:, 0]
    start = np.take_along_axis(cumulative, np.maximum(at - 1, 0)[:, None], axis=1)[:, 0]
    start = np.where(at > 0, start, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip(np.nan_to_num((target - start) / (end - start)), 0.0, 1.0)
    return np.asarray(EDGES[at] + _WIDTHS[at] * share)

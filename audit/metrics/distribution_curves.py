"""What every face adds to the curves of a predicted distribution: few of many bins each.

These sums are sparse and apart from those of the metrics: no gap is made from them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.distribution import AgeDistribution
from audit.metrics.age_features import over
from audit.metrics.distribution_features import DistributionPlan, chunks, ranges
from audit.metrics.pieces import Piece
from audit.metrics.scores import FLOOR
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
PIT_BINS = OVER_BINS = SPREAD_BINS = 10
_SPREAD = ("spread_w", "spread_s2", "spread_e2", "spread_v")
_OVER = ("over_bin_n", "over_bin_w", "over_bin_q", "over_bin_h")


def distribution_curve_shapes(plan: DistributionPlan) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the sums of the curves of a distribution."""
    return {
        "pit": (PIT_BINS,),
        **({} if plan.is_band else dict.fromkeys(_SPREAD, (SPREAD_BINS,))),
        **dict.fromkeys(_OVER, (len(plan.legal), OVER_BINS)),
    }


def distribution_pieces(
    predictions: Predictions, plan: DistributionPlan, weight: FloatArray
) -> list[Piece]:
    """What every face adds to them."""
    pieces: list[Piece] = []
    for rows, dist, low, high, w in chunks(predictions, weight):
        pieces += _pit(rows, dist, low, high, w, plan)
        pieces += _over(rows, dist, low, high, w, plan)
        pieces += [] if plan.is_band else _spread(rows, dist, low, w, plan)
    return pieces


def pit_shares(first: FloatArray, last: FloatArray) -> FloatArray:
    """How much of each range of probabilities [first, last] lies in each bin, (n, PIT_BINS).

    Every row sums to 1: the non-randomised probability integral transform of Czado, Gneiting and
    Held (2009, doi:10.1111/j.1541-0420.2009.01191.x). A range without width lies in one bin.
    """
    edges = np.arange(PIT_BINS + 1) / PIT_BINS
    width = last - first
    wide = width > FLOOR
    part = np.minimum(last[:, None], edges[1:]) - np.maximum(first[:, None], edges[:-1])
    part = np.clip(part, 0.0, None) / np.where(wide, width, 1.0)[:, None]
    at = np.clip(np.searchsorted(edges, first, side="right") - 1, 0, PIT_BINS - 1)
    point = np.zeros_like(part)
    point[np.arange(len(first)), at] = 1.0
    return np.asarray(np.where(wide[:, None], part, point))


def _pit(
    rows: IntArray,
    dist: AgeDistribution,
    low: FloatArray,
    high: FloatArray,
    w: FloatArray,
    plan: DistributionPlan,
) -> list[Piece]:
    first, last = ranges(dist, low, high) if plan.is_band else dist.cdf(low)
    shares = pit_shares(first, last)
    face, bin_ = np.nonzero(shares)
    return [(rows[face], "pit", bin_, w[face] * shares[face, bin_])]


def _spread(
    rows: IntArray, dist: AgeDistribution, y: FloatArray, w: FloatArray, plan: DistributionPlan
) -> list[Piece]:
    std, error = dist.std, y - dist.mean
    at = np.searchsorted(np.array(plan.spread_edges), std, side="right")
    values = (w, w * std**2, w * error**2, w * w * dist.spread_of_square)
    return [(rows, name, at, value) for name, value in zip(_SPREAD, values, strict=True)]


def _over(
    rows: IntArray,
    dist: AgeDistribution,
    low: FloatArray,
    high: FloatArray,
    w: FloatArray,
    plan: DistributionPlan,
) -> list[Piece]:
    found: list[Piece] = []
    q = np.clip(1 - dist.below(np.array(plan.legal, dtype=np.float64)), 0.0, 1.0)
    edges = np.arange(1, OVER_BINS) / OVER_BINS
    for k, age in enumerate(plan.legal):
        h = over(low, high, age, is_band=plan.is_band)
        at = k * OVER_BINS + np.searchsorted(edges, q[:, k], side="right")
        values = ((w > 0).astype(np.float64), w, w * q[:, k], w * h)
        found += [(rows, name, at, x) for name, x in zip(_OVER, values, strict=True)]
    return found

"""What every face adds to the sums of the metrics of predicted age distributions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.bands import Band, overlap
from audit.distribution import AgeDistribution
from audit.metrics.age_features import over
from audit.metrics.core import Array
from audit.metrics.scores import FLOOR
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
LEVELS = (50, 80, 90, 95)
PINBALL = (5, 50, 95)
LEGAL_AGES = (13.0, 16.0, 18.0, 21.0, 25.0)
_CHUNK = 2**15


@dataclass(frozen=True)
class DistributionPlan:
    """What the features of a table's distributions need to know of the whole table.

    ``legal`` are the ages at which P(age >= L) is checked, ``spread_edges`` the edges in years
    that part the faces of the table by the spread of their distribution, as equally as ties allow.
    """

    bands: tuple[Band, ...]
    is_band: bool
    legal: tuple[float, ...] = ()
    spread_edges: tuple[float, ...] = ()


def chunks(
    predictions: Predictions, weight: FloatArray
) -> Iterator[tuple[IntArray, AgeDistribution, FloatArray, FloatArray, FloatArray]]:
    """Used rows in parts: their index, distribution, true age (low and high) and weight."""
    assert predictions.truth is not None
    assert predictions.distribution is not None
    used = np.flatnonzero(predictions.labelled & predictions.processed)
    for start in range(0, len(used), _CHUNK):
        rows = used[start : start + _CHUNK]
        truth = predictions.truth
        found = predictions.distribution.take(rows)
        yield rows, found, truth.low[rows], truth.high[rows], weight[rows]


def distribution_shapes(plan: DistributionPlan) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features that the metrics read."""
    levels, legal = (len(LEVELS),), (len(plan.legal),)
    exact: dict[str, tuple[int, ...]] = {
        "crps": (),
        "pinball": (len(PINBALL),),
        "interval_score": levels,
        "covered": levels,
        **dict.fromkeys(("z", "z2", "z_w", "z_n"), ()),
    }
    return {
        **({"band_covered": levels} if plan.is_band else exact),
        "width": levels,
        **dict.fromkeys(("rps", "band_nll", "floored_n"), ()),
        **dict.fromkeys(("over_gap", "over_brier"), legal),
    }


def distribution_features(
    predictions: Predictions, plan: DistributionPlan, weight: FloatArray
) -> FloatArray:
    """Features of every face, shape (n, F), 0 where a row does not enter."""
    shapes = distribution_shapes(plan)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    found = np.zeros((len(predictions), int(ends[-1])))
    for rows, dist, low, high, w in chunks(predictions, weight):
        parts = {**_spread(dist), **_bands(dist, low, high, plan)}
        parts |= {} if plan.is_band else _exact(dist, low)
        plain = {"floored_n": parts.pop("floored_n") * (w > 0)}
        if not plan.is_band:
            plain["z_n"] = parts.pop("z_n") * (w > 0)
        parts |= _legal(dist, low, high, plan)
        weighted = {name: part * _beside(w, part) for name, part in parts.items()}
        every = {**weighted, **plain}
        found[rows] = np.concatenate([_two(every[name]) for name in shapes], axis=1)
    return found


def _beside(w: FloatArray, part: FloatArray) -> FloatArray:
    return w if part.ndim == 1 else w[:, None]


def _two(part: Array) -> Array:
    return part[:, None] if part.ndim == 1 else part


def _central(dist: AgeDistribution) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends of the central intervals, (n, levels) each."""
    tails = [(1 - level / 100) / 2 for level in LEVELS]
    ends = dist.quantiles([*tails, *(1 - tail for tail in tails)])
    return ends[:, : len(LEVELS)], ends[:, len(LEVELS) :]


def _spread(dist: AgeDistribution) -> dict[str, FloatArray]:
    low, high = _central(dist)
    return {"width": high - low}


def _exact(dist: AgeDistribution, y: FloatArray) -> dict[str, FloatArray]:
    low, high = _central(dist)
    alpha = np.array([1 - level / 100 for level in LEVELS])
    under, above = np.maximum(low - y[:, None], 0), np.maximum(y[:, None] - high, 0)
    levels = np.array([q / 100 for q in PINBALL])
    off = y[:, None] - dist.quantiles(levels.tolist())
    std = dist.std
    spread = std > 0
    z = np.where(spread, (y - dist.mean) / np.where(spread, std, 1.0), 0.0)
    return {
        "crps": dist.crps(y),
        "pinball": np.maximum(levels * off, (levels - 1) * off),
        "interval_score": high - low + 2 / alpha * (under + above),
        "covered": ((under == 0) & (above == 0)).astype(np.float64),
        "z": z,
        "z2": z * z,
        "z_w": spread.astype(np.float64),
        "z_n": spread.astype(np.float64),
    }


def _bands(
    dist: AgeDistribution, low: FloatArray, high: FloatArray, plan: DistributionPlan
) -> dict[str, FloatArray]:
    lows = np.array([band[0] for band in plan.bands])
    highs = np.array([band[1] for band in plan.bands])
    if not plan.is_band:
        at = np.clip(np.searchsorted(lows, low, side="right") - 1, 0, None)
        low, high = lows[at], highs[at]
    first, last = ranges(dist, low, high)
    proba = np.maximum(last - first, 0.0)
    found = {
        "band_nll": -np.log(np.maximum(proba, FLOOR)),
        "floored_n": (proba < FLOOR).astype(np.float64),
        "rps": np.zeros(len(low)),
    }
    if not overlap(plan.bands) and len(lows) > 1:
        before = dist.below(lows[1:])
        reached = (low[:, None] < lows[None, 1:]).astype(np.float64)
        found["rps"] = ((before - reached) ** 2).mean(axis=1)
    if plan.is_band:
        found["band_covered"] = np.stack(
            [inside(first, last, (1 - v / 100) / 2, (1 + v / 100) / 2) for v in LEVELS], axis=1
        )
    return found


def ranges(
    dist: AgeDistribution, low: FloatArray, high: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """P(Y < low) and P(Y < high) of each face's band; below 0 nobody is, so it counts as 0."""
    return dist.cdf(np.where(low <= 0, -np.inf, low))[0], dist.cdf(high)[0]


def inside(first: FloatArray, last: FloatArray, low: float, high: float) -> FloatArray:
    """Share of each range of probabilities [first, last] that lies in [low, high)."""
    width = last - first
    wide = width > FLOOR
    part = np.clip(np.minimum(last, high) - np.maximum(first, low), 0.0, None)
    point = (first >= low) & (first < high)
    return np.where(wide, part / np.where(wide, width, 1.0), point)


def _legal(
    dist: AgeDistribution, low: FloatArray, high: FloatArray, plan: DistributionPlan
) -> dict[str, FloatArray]:
    q = 1 - dist.below(np.array(plan.legal, dtype=np.float64))
    h = np.empty((len(low), len(plan.legal)))
    for k, age in enumerate(plan.legal):
        h[:, k] = over(low, high, age, is_band=plan.is_band)
    return {"over_gap": q - h, "over_brier": (q - h) ** 2}

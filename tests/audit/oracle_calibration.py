"""Calibration metrics a second time: loops over faces, and sklearn's isotonic regression."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from tests.audit.oracle_rows import Array, Oracle, Rows


def binned(
    score: Array, hit: Array, weight: Array, edges: Sequence[float]
) -> list[tuple[float, float]]:
    """(weight, abs(mean score - mean hit)) of every bin that holds weight."""
    bins: list[list[int]] = [[] for _ in range(len(edges) + 1)]
    for i, s in enumerate(score.tolist()):
        bins[bisect_right(edges, s)].append(i)
    found = []
    for at in bins:
        total = math.fsum(weight[i] for i in at)
        if total > 0:
            gap = math.fsum(weight[i] * (score[i] - hit[i]) for i in at) / total
            found.append((total, abs(gap)))
    return found


WIDTH = [j / 15 for j in range(1, 15)]


def _hit(r: Rows) -> Array:
    return (r.proba.argmax(axis=1) == r.y).astype(float)


def _top(r: Rows, edges: Sequence[float] = WIDTH) -> list[tuple[float, float]]:
    return binned(r.proba.max(axis=1), _hit(r), r.weight, edges)


def ece(r: Rows) -> float:
    return math.fsum(w * gap for w, gap in _top(r)) / math.fsum(r.weight)


def mce(r: Rows) -> float:
    return max((gap for _, gap in _top(r)), default=math.nan)


def classwise_ece(r: Rows) -> float:
    total = 0.0
    for k in range(r.n_classes):
        bins = binned(r.proba[:, k], r.y == k, r.weight, WIDTH)
        total += math.fsum(w * gap for w, gap in bins) / math.fsum(r.weight)
    return total / r.n_classes


def ece_equal_mass(r: Rows) -> float:
    return math.fsum(w * gap for w, gap in _top(r, r.edges[15])) / math.fsum(r.weight)


def average_ce(r: Rows) -> float:
    gaps = [gap for _, gap in _top(r)]
    return math.fsum(gaps) / len(gaps) if gaps else math.nan


def l2_ce(r: Rows) -> float:
    return math.sqrt(math.fsum(w * gap**2 for w, gap in _top(r)) / math.fsum(r.weight))


def top_label_ece(r: Rows) -> float:
    total, top = 0.0, r.proba.argmax(axis=1)
    for k in range(r.n_classes):
        on = top == k
        bins = binned(r.proba[on].max(axis=1), _hit(r)[on], r.weight[on], WIDTH)
        total += math.fsum(w * gap for w, gap in bins)
    return total / math.fsum(r.weight)


def confidence_bias(r: Rows) -> float:
    return float(np.average(r.proba.max(axis=1) - _hit(r), weights=r.weight))


def squared_ce(r: Rows) -> float:
    """Product of the mean gaps of the two halves, bin by bin."""
    top, bottom = 0.0, 0.0
    at = [bisect_right(r.edges[5], c) for c in r.proba.max(axis=1).tolist()]
    for b in range(5):
        gaps, weights = [], []
        for half in (0, 1):
            on = (np.array(at) == b) & (r.half == half) & (r.weight > 0)
            if on.any():
                gaps.append(confidence_bias(_part(r, on)))
                weights.append(math.fsum(r.weight[on]))
        if len(gaps) == 2:
            top += sum(weights) * gaps[0] * gaps[1]
            bottom += sum(weights)
    return top / bottom if bottom else math.nan


def _part(r: Rows, on: Array) -> Rows:
    return Rows(weight=r.weight[on], failed=r.failed[on], y=r.y[on], proba=r.proba[on])


def spiegelhalter_z(r: Rows) -> float:
    top, var = 0.0, 0.0
    for c, h, w in zip(r.proba.max(axis=1), _hit(r), r.weight, strict=True):
        top += w * (h - c) * (1 - 2 * c)
        var += w**2 * (1 - 2 * c) ** 2 * c * (1 - c)
    return top / math.sqrt(var) if var > 0 else math.nan


def _parts(r: Rows) -> tuple[float, float, float]:
    """Miscalibration, discrimination and uncertainty by sklearn's isotonic regression."""
    on = r.weight > 0
    weight, total = r.weight[on], np.zeros(3)
    for k in range(r.n_classes):
        p, hit = r.proba[on, k], (r.y[on] == k).astype(float)
        fit = IsotonicRegression(out_of_bounds="clip").fit(p, hit, sample_weight=weight)
        share = np.full(len(p), np.average(hit, weights=weight))
        score, best, none = (
            np.average((f - hit) ** 2, weights=weight) for f in (p, fit.predict(p), share)
        )
        total += [score - best, none - best, none]
    return tuple(total)


def _differences(r: Rows) -> list[float]:
    """Cumulative differences after every distinct confidence."""
    c = r.proba.max(axis=1)
    order = np.argsort(c, kind="stable")
    found, total = [], 0.0
    for i, j in enumerate(order):
        total += r.weight[j] * (_hit_of(r, j) - c[j])
        if i + 1 == len(order) or c[order[i + 1]] != c[j]:
            found.append(total / math.fsum(r.weight))
    return found


def _hit_of(r: Rows, i: int) -> float:
    return float(int(r.proba[i].argmax()) == r.y[i])


def ecce_mad(r: Rows) -> float:
    return max(map(abs, _differences(r)))


def ecce_range(r: Rows) -> float:
    found = _differences(r)
    return max(*found, 0.0) - min(*found, 0.0)


CALIBRATION: dict[str, tuple[str, Oracle]] = {
    "confidence_bias": ("numpy average", confidence_bias),
    "squared_ce": ("loop over bins and halves", squared_ce),
    "spiegelhalter_z": ("loop over faces", spiegelhalter_z),
    "ece": ("loop over bins", ece),
    "ece_equal_mass": ("loop over bins", ece_equal_mass),
    "average_ce": ("loop over bins", average_ce),
    "l2_ce": ("loop over bins", l2_ce),
    "classwise_ece": ("loop over bins and classes", classwise_ece),
    "top_label_ece": ("loop over classes and bins", top_label_ece),
    "mce": ("loop over bins", mce),
    "brier_miscalibration": ("sklearn IsotonicRegression", lambda r: _parts(r)[0]),
    "brier_discrimination": ("sklearn IsotonicRegression", lambda r: _parts(r)[1]),
    "brier_uncertainty": ("numpy average", lambda r: _parts(r)[2]),
    "ecce_mad": ("loop over faces", ecce_mad),
    "ecce_range": ("loop over faces", ecce_range),
}

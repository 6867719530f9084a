"""Scores in order: isotonic recalibration, the parts of the Brier score, cumulative differences.

These are statistics of sorted faces, not of sums: they have no gradient and no interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from audit.metrics.core import Array, Metric, Sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ordered:
    """The distinct scores of every group in rising order, D of them in all.

    ``at`` (n,) is the distinct score of each face; ``group``, ``score``, ``mass`` and ``square``
    (D,) are its group and value, the weight and the sum of squared weights of its faces; the
    scores of group g are ``starts[g] : starts[g + 1]``.
    """

    at: IntArray
    group: IntArray
    score: FloatArray
    mass: FloatArray
    square: FloatArray
    starts: IntArray

    def parts(self) -> Iterator[slice]:
        """Where each group lies."""
        for first, end in zip(self.starts[:-1], self.starts[1:], strict=True):
            yield slice(first, end)

    def by_group(self, values: FloatArray) -> FloatArray:
        """Sums (G,) of values (D,)."""
        return np.bincount(self.group, values, len(self.starts) - 1).astype(np.float64)

    def hits(self, hit: npt.NDArray[np.bool_], weight: FloatArray) -> FloatArray:
        """Weight of the faces that are right, by distinct score (D,)."""
        return np.bincount(self.at, np.where(hit, weight, 0.0), len(self.score)).astype(np.float64)


def ordered(score: FloatArray, group: IntArray, n_groups: int, weight: FloatArray) -> Ordered:
    """Sort the scores of faces within their groups; faces of weight 0 must be left out before."""
    order = np.lexsort((score, group))
    s, g = score[order], group[order]
    new = np.concatenate([[True], (s[1:] != s[:-1]) | (g[1:] != g[:-1])]) if len(s) else s > 0
    at = np.empty(len(s), dtype=np.int64)
    at[order] = np.cumsum(new) - 1
    size = int(new.sum())
    return Ordered(
        at=at,
        group=g[new],
        score=s[new],
        mass=np.bincount(at, weight, size).astype(np.float64),
        square=np.bincount(at, weight**2, size).astype(np.float64),
        starts=np.searchsorted(g[new], np.arange(n_groups + 1)).astype(np.int64),
    )


def isotonic(o: Ordered, hits: FloatArray) -> FloatArray:
    """The rising step function of the score nearest to what was right, group by group, (D,).

    Pool adjacent violators: the calibrated probability of each score if a higher score never means
    less (Dimitriadis, Gneiting and Jordan, 2021, doi:10.1073/pnas.2016191118).

    Examples
    --------
    >>> o = ordered(np.array([0.2, 0.4, 0.6]), np.zeros(3, int), 1, np.ones(3))
    >>> isotonic(o, np.array([1.0, 0.0, 1.0])).tolist()
    [0.5, 0.5, 1.0]
    """
    found = np.empty(len(hits))
    for part in o.parts():
        if part.stop > part.start:
            mean = hits[part] / o.mass[part]
            found[part] = isotonic_regression(mean, weights=o.mass[part]).x
    return found


def brier_parts(o: Ordered, hits: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Miscalibration, discrimination and uncertainty of a probability score in every group, (G,).

    With S the mean of (p - h)^2 and f the isotonic fit: MCB = S(p) - S(f), DSC = S(mean h) - S(f),
    UNC = S(mean h), so S(p) = MCB - DSC + UNC. NaN for a group without a face.
    """
    total = o.by_group(o.mass)
    good = total > 0
    safe = np.where(good, total, 1.0)

    def score(p: FloatArray) -> FloatArray:
        return o.by_group(p * p * o.mass - 2.0 * p * hits + hits) / safe

    fitted, rate = score(isotonic(o, hits)), o.by_group(hits) / safe
    spread = rate * (1.0 - rate)
    found = (score(o.score) - fitted, spread - fitted, spread)
    return tuple(np.where(good, part, np.nan) for part in found)  # type: ignore[return-value]


def cumulative_differences(o: Ordered, hits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The largest absolute cumulative difference and its range in every group, (G,) each.

    S_j = sum over faces with a score up to the j-th of w (h - score), over the weight of all;
    max abs(S) and max(S, 0) - min(S, 0) (Arrieta-Ibarra et al., 2022, arXiv:2205.09680).
    """
    largest, span = np.full(len(o.starts) - 1, np.nan), np.full(len(o.starts) - 1, np.nan)
    for g, part in enumerate(o.parts()):
        if part.stop > part.start:
            steps = np.cumsum(hits[part] - o.score[part] * o.mass[part]) / o.mass[part].sum()
            largest[g] = np.abs(steps).max()
            span[g] = max(steps.max(), 0.0) - min(steps.min(), 0.0)
    return largest, span


def cumulative_null(o: Ordered) -> tuple[FloatArray, FloatArray]:
    """About what both are under perfect calibration: those of a Brownian motion, (G,) each.

    sqrt(pi / 2) and 2 sqrt(2 / pi) times the standard deviation of the last step.
    """
    total = o.by_group(o.mass)
    spread = np.sqrt(o.by_group(o.score * (1.0 - o.score) * o.square))
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.where(total > 0, spread / total, np.nan)
    return np.sqrt(np.pi / 2) * sigma, 2 * np.sqrt(2 / np.pi) * sigma


ROWWISE = (
    (
        "brier_miscalibration",
        "MCB = sum over classes of S(p_k) - S(f_k), S the mean squared error and f_k the isotonic "
        "fit of class k; brier = MCB - DSC + UNC",
        "biased_small_n",
        "lower",
    ),
    (
        "brier_discrimination",
        "DSC = sum over classes of S(share of class k) - S(f_k): what the order of the scores is "
        "worth",
        "descriptive",
        "higher",
    ),
    (
        "brier_uncertainty",
        "UNC = sum over classes of S(share of class k): the score of always giving the shares",
        "descriptive",
        "none",
    ),
    (
        "ecce_mad",
        "largest absolute cumulative difference max_j abs(S_j), S_j = sum over faces up to the "
        "j-th confidence of (h - c) over the sum over all; equal confidences are added together",
        "biased_small_n",
        "lower",
    ),
    (
        "ecce_range",
        "range of the cumulative differences, max(S, 0) - min(S, 0)",
        "biased_small_n",
        "lower",
    ),
)


def rowwise_metrics(suffix: str = "") -> tuple[Metric, ...]:
    """The statistics of sorted faces; their values do not come from sums."""
    scaled = "; of the logits before they are scaled" if suffix else ""
    return tuple(
        Metric(
            name=name + suffix,
            interval="none",
            unit="squared probability" if name.startswith("brier") else "probability",
            better=better,  # type: ignore[arg-type]
            definition=definition + scaled,
            source=(
                "Dimitriadis, Gneiting and Jordan (2021), doi:10.1073/pnas.2016191118"
                if name.startswith("brier")
                else "Arrieta-Ibarra et al. (2022), arXiv:2205.09680"
            ),
            features=("w",),
            formula=_not_from_sums,
            bare=bare,
            rowwise=True,
        )
        for name, definition, bare, better in ROWWISE
    )


def _not_from_sums(s: Sums) -> Array:
    raise TypeError("a statistic of sorted faces cannot be computed from sums")

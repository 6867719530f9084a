"""Scores in order: isotonic recalibration, the parts of the Brier score, cumulative differences.

These are statistics of sorted faces, not of sums: they have no gradient and no interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from audit.metrics.core import Array, Metric, Sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ordered:
    """The distinct scores of every group in rising order, D of them in all.

    ``face`` (n,) are the faces in that order and ``weight`` their weights; those of distinct score
    d are ``face[first[d] : first[d + 1]]``. ``group``, ``score``, ``mass`` and ``square`` (D,) are
    its group and value, the weight and the sum of squared weights of its faces; the scores of
    group g are ``starts[g] : starts[g + 1]``.
    """

    face: IntArray
    weight: FloatArray
    first: IntArray
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
        return _sums(values, self.starts)

    @cached_property
    def total(self) -> FloatArray:
        """Weight of every group, (G,)."""
        return self.by_group(self.mass)

    @cached_property
    def squares(self) -> FloatArray:
        """Weighted sum of the squared scores of every group, (G,)."""
        return self.by_group(self.score**2 * self.mass)

    def hits(self, hit: BoolArray) -> FloatArray:
        """Weight of the faces that are right, by distinct score (D,)."""
        each = np.where(hit[self.face], self.weight, 0.0)
        return each if len(each) == len(self.score) else _sums(each, self.first)

    def only(self, groups: BoolArray) -> Ordered:
        """The same without the scores of some groups, which are left empty."""
        kept = groups[self.group]
        faces = np.repeat(kept, np.diff(self.first))
        sizes = np.where(groups, np.diff(self.starts), 0)
        return Ordered(
            face=self.face[faces],
            weight=self.weight[faces],
            first=np.concatenate([[0], np.cumsum(np.diff(self.first)[kept])]),
            group=self.group[kept],
            score=self.score[kept],
            mass=self.mass[kept],
            square=self.square[kept],
            starts=np.concatenate([[0], np.cumsum(sizes)]),
        )


def _sums(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums of ``values[starts[i] : starts[i + 1]]``; 0 where that is nothing."""
    found = np.zeros(len(starts) - 1)
    filled = starts[1:] > starts[:-1]
    if filled.any():
        found[filled] = np.add.reduceat(values, starts[:-1][filled])
    return found


def rising(score: FloatArray) -> IntArray:
    """Places of scores in rising order; equal ones stay in theirs."""
    return np.argsort(score, kind="stable")


def ordered(
    score: FloatArray,
    group: IntArray,
    n_groups: int,
    weight: FloatArray,
    order: IntArray | None = None,
) -> Ordered:
    """Sort the scores of faces within their groups; faces of weight 0 must be left out before.

    ``order``: ``rising(score)`` where it is known already.
    """
    order = rising(score) if order is None else order
    small = np.min_scalar_type(max(n_groups, 1))  # few bits are sorted by counting
    order = order[np.argsort(group[order].astype(small), kind="stable")]
    s, g, w = score[order], group[order], weight[order]
    new = np.concatenate([[True], (s[1:] != s[:-1]) | (g[1:] != g[:-1])]) if len(s) else s > 0
    first = np.append(np.flatnonzero(new), len(s))
    return Ordered(
        face=order,
        weight=w,
        first=first,
        group=g[new],
        score=s[new],
        mass=_sums(w, first),
        square=_sums(w**2, first),
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

    Notes
    -----
    f is the share of hits on each of its steps, so sum f h = sum f^2, hence with mean squares
    MCB = mean p^2 - 2 mean p h + mean f^2 and DSC = mean f^2 - (mean h)^2.
    """
    total = np.where(o.total > 0, o.total, np.nan)
    fitted = o.by_group(isotonic(o, hits) ** 2 * o.mass) / total
    rate = o.by_group(hits) / total
    miscalibration = (o.squares - 2.0 * o.by_group(o.score * hits)) / total + fitted
    return miscalibration, fitted - rate**2, rate * (1.0 - rate)


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
    spread = np.sqrt(o.by_group(o.score * (1.0 - o.score) * o.square))
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.where(o.total > 0, spread / o.total, np.nan)
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

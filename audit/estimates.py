"""Values and their variances in every group, and in everyone else, from sums per person.

The influence of person s on a metric is psi_s = gradient . (sums of s), so the variance of a value
is gradient' Q gradient with Q = sum_s (sums of s)(sums of s)', computed once for all metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.intervals import Estimates
from audit.metrics.core import Layout, Metric, gradient
from audit.moments import Moments, Tally, tally
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_RARE = 5
_TOLERANCE = 1e-12
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class Panel:
    """Several groups: sums (G, F), and second moments over persons (G, f, f) of some columns."""

    totals: FloatArray
    moments: FloatArray
    columns: IntArray

    def take(self, index: IntArray) -> Panel:
        """Some of the groups."""
        return Panel(self.totals[index], self.moments[index], self.columns)


@dataclass(frozen=True, eq=False)
class Panels:
    """The groups of a combination, everyone else for each, and how the two share persons.

    ``cross[g]`` is the sum over persons of (sums in g)(sums in the rest)', 0 without shared ones.
    """

    groups: Panel
    rest: Panel
    cross: FloatArray | None


@dataclass(frozen=True, eq=False)
class Persons:
    """Who enters a metric, per group: persons m, effective persons, and the rarer outcome."""

    m: FloatArray
    effective: FloatArray
    rarer: FloatArray

    def take(self, index: IntArray) -> Persons:
        """Some of the groups."""
        return Persons(self.m[index], self.effective[index], self.rarer[index])


def panels(moments: Moments, known: npt.NDArray[np.bool_]) -> Panels:
    """Sums and moments of every group, and of everyone else whose group is known."""
    totals, second, cross = moments.totals, moments.second, moments.cross
    columns = moments.wanted.columns
    rest = moments.everyone - second
    if cross is not None:
        rest = rest - cross - np.swapaxes(cross, 1, 2)
    rest = np.where(known[:, None, None], rest, 0.0)
    others = np.where(known[:, None], totals[known].sum(axis=0) - totals, 0.0)
    return Panels(Panel(totals, second, columns), Panel(others, rest, columns), cross)


def amounts(metrics: Sequence[Metric], layout: Layout) -> FloatArray:
    """Every amount whose persons some metric counts, as coefficients of the sums (T, F)."""
    rows = [row for metric in metrics for row in _amounts_of(metric, layout)]
    return np.array([np.frombuffer(row) for row in dict.fromkeys(row.tobytes() for row in rows)])


def _amounts_of(metric: Metric, layout: Layout) -> tuple[FloatArray, ...]:
    """The size of a metric, and for a proportion its hits and misses.

    ``parts`` are linear, so their coefficients are the parts of the identity.
    """
    identity = layout.unpack(np.eye(layout.size))
    top, bottom = metric.parts(identity) if metric.parts else (identity["w"], identity["w"])
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return (
        (bottom, top, bottom - top) if metric.parts and metric.interval == "wilson" else (bottom,)
    )


def persons(
    metrics: Sequence[Metric],
    layout: Layout,
    grouped: GroupedSums,
    known: npt.NDArray[np.bool_],
) -> dict[str, tuple[Persons, Persons]]:
    """Persons that enter each metric, in every group and in everyone else, by ``metric.key``.

    The units of ``grouped`` must be persons. See :func:`persons_of`.
    """
    coefficients = amounts(metrics, layout)
    return persons_of(metrics, layout, tally(grouped, known, coefficients), coefficients, known)


def persons_of(
    metrics: Sequence[Metric],
    layout: Layout,
    counts: Tally,
    coefficients: FloatArray,
    known: npt.NDArray[np.bool_],
) -> dict[str, tuple[Persons, Persons]]:
    """Persons that enter each metric, in every group and in everyone else, by ``metric.key``.

    A ratio counts those with a positive denominator; a proportion also needs the rarer of its
    outcomes. ``coefficients`` are the amounts that were counted; they must be those of the metrics.
    """
    others = counts.total[:, known].sum(axis=1, keepdims=True) - counts.total
    m = (counts.m, counts.everyone[:, None] - counts.gone)
    effective = (
        _effective(counts.total, counts.square),
        _effective(others, counts.square_everyone[:, None] - counts.square_gone),
    )
    place = {row.tobytes(): index for index, row in enumerate(coefficients)}
    found = {}
    for metric in metrics:
        at = [place[row.tobytes()] for row in _amounts_of(metric, layout)]
        sides = []
        for side in (0, 1):
            rarer = np.full(len(known), np.inf)
            if len(at) > 1:
                rarer = np.minimum(m[side][at[1]], m[side][at[2]])
            sides.append(Persons(m[side][at[0]], effective[side][at[0]], rarer))
        found[metric.key] = (sides[0], sides[1])
    return found


def _effective(total: FloatArray, square: FloatArray) -> FloatArray:
    good = square > 0
    return np.where(good, total**2 / np.where(good, square, 1.0), 0.0)


def estimate(
    metric: Metric,
    layout: Layout,
    panel: Panel,
    who: Persons,
    classes: npt.NDArray[np.bool_] | None = None,
) -> tuple[Estimates, FloatArray]:
    """A metric in every group of a panel, and the gradient that its influence comes from."""
    mask = {} if classes is None else {"classes": classes}
    sums = layout.unpack(panel.totals)
    value = np.asarray(metric.formula(sums, **mask), dtype=np.float64)
    if metric.interval == "wilson":
        value = np.where(np.abs(value - np.rint(value)) <= _TOLERANCE, np.rint(value), value)
    slope = (
        np.zeros_like(panel.totals)
        if metric.interval == "none"
        else np.nan_to_num(gradient(metric, layout, panel.totals, **mask))
    )
    steep = slope[:, panel.columns]
    var = np.einsum("gi,gij,gj->g", steep, panel.moments, steep)
    var = np.where(who.m > 1, var * who.m / np.maximum(who.m - 1, 1), np.nan)
    noise = _ROUNDING * np.einsum("gi,gii->g", steep**2, panel.moments)
    var = np.where(var <= noise, 0.0, var)
    df = np.minimum(who.m, who.effective) - 1
    n = metric.counts(sums) if metric.counts is not None else sums["n"]
    n_eff, normal = _effective_faces(metric, n, value, var, who)
    df = np.where(df >= 1 - _TOLERANCE, df, np.nan)
    m_eff = who.effective
    if metric.interval == "wilson" and metric.parts is None:
        n = m_eff = n_eff * (df + 1) / df
    return Estimates(value, var, df, n_eff, normal, n, m_eff), slope


def _effective_faces(
    metric: Metric, n: FloatArray, value: FloatArray, var: FloatArray, who: Persons
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    if metric.interval != "wilson":
        return np.full(len(value), np.nan), np.zeros(len(value), dtype=np.bool_)
    return wilson_faces(n, value, var, who.m, who.rarer)


def wilson_faces(
    n: FloatArray, value: FloatArray, var: FloatArray, m: FloatArray, rarer: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Faces for Wilson's interval, n / deff, and whether the rate shows no variation at all.

    At most m where fewer than 5 persons hold the rarer outcome; without any variance the m persons
    are m independent draws.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        n_eff = np.minimum(np.where(var > 0, value * (1 - value) / var, np.inf), n)
    n_eff = np.where(rarer < _RARE, np.minimum(n_eff, m), n_eff)
    degenerate = ((value <= 0) | (value >= 1)) & (m > 1)
    n_eff = np.where(degenerate, m, n_eff)
    return np.where(n_eff > 0, n_eff, np.nan), np.asarray(degenerate, dtype=np.bool_)


def influence(grouped: GroupedSums, slope: FloatArray) -> csr_array:
    """Psi of every person in every group, sparse of shape (persons, G)."""
    psi = np.concatenate(
        [np.asarray(grouped.of(g) @ slope[g]).reshape(-1) for g in range(grouped.n_groups)]
    )
    return csr_array(
        (psi, (grouped.unit, grouped.group)), shape=(len(grouped.keys), grouped.n_groups)
    )


def pair_covariances(
    grouped: GroupedSums,
    shares: npt.NDArray[np.bool_],
    i: IntArray,
    j: IntArray,
    slope_i: FloatArray,
    slope_j: FloatArray,
) -> FloatArray:
    """Covariance of both sides of some pairs of groups, each side with its own gradient, (pairs,).

    See :func:`covariances`.
    """
    found = np.zeros(len(i))
    for row in np.flatnonzero(shares[i, j]):
        psi = np.zeros((2, len(grouped.keys)))
        for side, g, slope in ((0, i[row], slope_i[row]), (1, j[row], slope_j[row])):
            part = slice(grouped.starts[g], grouped.starts[g + 1])
            psi[side, grouped.unit[part]] = grouped.of(g) @ slope
        found[row] = psi[0] @ psi[1]
    return found


def covariances(
    grouped: GroupedSums, slope: FloatArray, shares: npt.NDArray[np.bool_]
) -> FloatArray:
    """Covariance of a metric between all groups, (G, G); 0 where two groups share no person.

    The units of ``grouped`` are persons, or buckets of them: then the products of different persons
    of a bucket are noise of mean 0.
    """
    psi = influence(grouped, slope)
    return np.where(shares, np.asarray((psi.T @ psi).todense()), 0.0)

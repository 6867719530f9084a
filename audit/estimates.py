"""Values and their variances in every group, and in everyone else, from sums per person.

The influence of person s on a metric is psi_s = gradient . (sums of s), so the variance of a value
is gradient' Q gradient with Q = sum_s (sums of s)(sums of s)', computed once for all metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from audit.intervals import Estimates
from audit.metrics.core import Layout, Metric, gradient
from audit.units import GroupedSums, Values

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


def panels(grouped: GroupedSums, known: npt.NDArray[np.bool_], columns: IntArray) -> Panels:
    """Sums and moments of every group, and of everyone else whose group is known."""
    core = grouped.values[:, columns]
    everyone = _unit_totals(grouped, core, known) if grouped.shared else None
    totals = np.zeros((grouped.n_groups, grouped.values.shape[1]))
    moments = np.zeros((grouped.n_groups, len(columns), len(columns)))
    cross = np.zeros_like(moments) if grouped.shared else None
    for g in range(grouped.n_groups):
        entries = slice(grouped.starts[g], grouped.starts[g + 1])
        totals[g] = grouped.values[entries].sum(axis=0)
        moments[g] = _dense(core[entries].T @ core[entries])
        if cross is not None and everyone is not None:
            cross[g] = _dense(core[entries].T @ everyone[grouped.unit[entries]]) - moments[g]
    if cross is None or everyone is None:
        rest = moments[known].sum(axis=0) - moments
    else:
        rest = _dense(everyone.T @ everyone) - moments - cross - np.swapaxes(cross, 1, 2)
    rest = np.where(known[:, None, None], rest, 0.0)
    others = np.where(known[:, None], totals[known].sum(axis=0) - totals, 0.0)
    rest_panel = Panel(others, rest, columns)
    return Panels(Panel(totals, moments, columns), rest_panel, cross)


def _dense(values: Values) -> FloatArray:
    return np.asarray(values.todense() if issparse(values) else values)


def _unit_totals(grouped: GroupedSums, core: Values, known: npt.NDArray[np.bool_]) -> Values:
    used = np.flatnonzero(known[grouped.group])
    indicator = csr_array(
        (np.ones(len(used)), (grouped.unit[used], used)),
        shape=(len(grouped.keys), len(grouped.unit)),
    )
    found = indicator @ core
    return csr_array(found) if isinstance(core, csr_array) else np.asarray(found)


def persons(
    metrics: Sequence[Metric],
    layout: Layout,
    grouped: GroupedSums,
    known: npt.NDArray[np.bool_],
) -> dict[str, tuple[Persons, Persons]]:
    """Persons that enter each metric, in every group and in everyone else, by ``metric.key``.

    A ratio counts those with a positive denominator; a proportion also needs the rarer of its
    outcomes. ``parts`` are linear, so their coefficients are the parts of the identity.
    """
    identity = layout.unpack(np.eye(layout.size))
    seen: dict[bytes, _Tally] = {}

    def tally(coefficients: FloatArray) -> _Tally:
        key = coefficients.tobytes()
        if key not in seen:
            seen[key] = _tally(grouped, known, coefficients)
        return seen[key]

    found = {}
    for metric in metrics:
        top, bottom = metric.parts(identity) if metric.parts else (identity["w"], identity["w"])
        size = tally(np.asarray(bottom, dtype=np.float64))
        rarer = (np.full(grouped.n_groups, np.inf),) * 2
        if metric.parts and metric.interval == "wilson":
            hits, misses = tally(np.asarray(top)), tally(np.asarray(bottom - top))
            rarer = (np.minimum(hits.m[0], misses.m[0]), np.minimum(hits.m[1], misses.m[1]))
        found[metric.key] = (
            Persons(size.m[0], size.effective[0], rarer[0]),
            Persons(size.m[1], size.effective[1], rarer[1]),
        )
    return found


@dataclass(frozen=True, eq=False)
class _Tally:
    m: tuple[FloatArray, FloatArray]
    effective: tuple[FloatArray, FloatArray]


def _tally(grouped: GroupedSums, known: npt.NDArray[np.bool_], coefficients: FloatArray) -> _Tally:
    amount = _amounts(grouped.values, coefficients)
    size = _amounts(grouped.values, np.abs(coefficients))
    amount = np.where(np.abs(amount) <= _TOLERANCE * size, 0.0, amount)

    def by_group(values: npt.NDArray[np.generic]) -> FloatArray:
        return np.add.reduceat(values, grouped.starts[:-1], dtype=np.float64)

    m, total, square = by_group(amount > 0), by_group(amount), by_group(amount * amount)
    if grouped.shared:
        used = known[grouped.group]
        whole = np.bincount(grouped.unit[used], amount[used], len(grouped.keys))
        here = whole[grouped.unit]
        left = np.where(used, here - amount, 0.0)
        left = np.where(left > _TOLERANCE * here, left, 0.0)
        m_rest = (whole > 0).sum() - by_group(used & (here > 0) & (left <= 0))
        square_rest = (whole**2).sum() - by_group(np.where(used, here**2 - left**2, 0.0))
    else:
        m_rest = m[known].sum() - m
        square_rest = square[known].sum() - square
    total_rest = total[known].sum() - total
    return _Tally((m, m_rest), (_effective(total, square), _effective(total_rest, square_rest)))


def _amounts(values: Values, coefficients: FloatArray) -> FloatArray:
    if isinstance(values, csr_array):
        return np.asarray(values @ coefficients)
    used = np.flatnonzero(coefficients)
    return np.asarray(sum((values[:, i] * coefficients[i] for i in used), np.zeros(len(values))))


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


def covariances(grouped: GroupedSums, slope: FloatArray) -> FloatArray:
    """Covariance of a metric between all groups, (G, G); 0 where two groups share no person."""
    if not grouped.shared:
        return np.zeros((grouped.n_groups, grouped.n_groups))
    psi = influence(grouped, slope)
    return np.asarray((psi.T @ psi).todense())

"""Two runs on the same faces: values of both, and the influence of every person on each.

A person's influence on the difference is that on one run minus that on the other, so the runs'
common luck with the faces cancels. Differences of groups are taken of these in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from audit.block import Setting
from audit.estimates import Persons, persons
from audit.groups import Grouping
from audit.metrics.core import Metric, gradient
from audit.units import GroupedSums, Values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Pair:
    """Sums of two runs in one combination: by (person, group), and by (face, group).

    Both runs hold the same faces, so their entries stand in the same order. ``faces`` is ``None``
    where every face is its own person.
    """

    grouping: Grouping
    runs: tuple[GroupedSums, GroupedSums]
    faces: tuple[GroupedSums, GroupedSums] | None


@dataclass(frozen=True, eq=False)
class Sides:
    """One metric of two runs in R places: groups, or everyone outside one.

    ``values`` are (2, R); ``psi`` are the influences of the persons on each, (U, R), with the
    factor sqrt(m / (m - 1)); ``df`` is min(m, m_eff) - 1. ``n_eff`` and ``spread`` describe the
    difference of shares: independent faces, and their mean square difference; NaN otherwise.
    """

    values: FloatArray
    psi: tuple[csc_array, csc_array]
    var: FloatArray
    df: FloatArray
    n_eff: FloatArray
    spread: FloatArray
    n: FloatArray
    m: FloatArray
    m_eff: FloatArray

    @property
    def change(self) -> FloatArray:
        """Second run minus first, (R,)."""
        return np.asarray(self.values[1] - self.values[0])

    def take(self, index: IntArray) -> Sides:
        """Some of the places."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        parts = {k: v[index] for k, v in found.items() if k not in {"values", "psi"}}
        psi = (csc_array(self.psi[0][:, index]), csc_array(self.psi[1][:, index]))
        return Sides(values=self.values[:, index], psi=psi, **parts)

    @property
    def psi_change(self) -> csc_array:
        """Influence on the difference."""
        return csc_array(self.psi[1] - self.psi[0])


@dataclass(frozen=True, eq=False)
class Places:
    """Where a metric is taken: group ``index``, or where ``rest`` everyone outside it, (R,) each.

    ``classes`` (R, K) are the classes of a mean over classes.
    """

    index: IntArray
    rest: bool = False
    classes: BoolArray | None = None

    def take(self, chosen: IntArray) -> Places:
        """Some of the places."""
        classes = None if self.classes is None else self.classes[chosen]
        return Places(self.index[chosen], self.rest, classes)


def all_groups(pair: Pair) -> Places:
    """Every group of the combination."""
    return Places(np.arange(len(pair.grouping.groups)))


def totals_of(pair: Pair, run: int, places: Places) -> FloatArray:
    """Sums of one run in each place, (R, F)."""
    grouped, known = pair.runs[run], pair.grouping.known
    sums = np.stack([_total(grouped, g) for g in range(grouped.n_groups)])
    if not places.rest:
        return np.asarray(sums[places.index])
    return np.asarray(sums[known].sum(axis=0) - sums[places.index])


def _total(grouped: GroupedSums, g: int) -> FloatArray:
    return np.asarray(grouped.of(g).sum(axis=0)).reshape(-1)


def sides_of(setting: Setting, pair: Pair, metric: Metric, places: Places) -> Sides:
    """A metric of both runs in some places, and how much of its difference is chance."""
    mask = {} if places.classes is None else {"classes": places.classes}
    layout = setting.layout
    totals = [totals_of(pair, run, places) for run in (0, 1)]
    values = np.stack([metric.formula(layout.unpack(total), **mask) for total in totals])
    slopes = [np.nan_to_num(gradient(metric, layout, total, **mask)) for total in totals]
    who = [_persons(setting, metric, pair.runs[run], pair.grouping, places) for run in (0, 1)]
    m, m_eff = (np.minimum(getattr(who[0], x), getattr(who[1], x)) for x in ("m", "effective"))
    factor = np.where(m > 1, np.sqrt(m / np.maximum(m - 1, 1)), np.nan)
    psi = _influences(pair.runs, pair.grouping, places, (slopes[0], slopes[1]))
    scaled = (_scale(psi[0], factor), _scale(psi[1], factor))
    var = np.where(m > 1, squares(csc_array(scaled[1] - scaled[0])), np.nan)
    df = np.minimum(m, m_eff) - 1
    df = np.where(df >= 1 - _ROUNDING, df, np.nan)
    counts = [_counts(setting, metric, total) for total in totals]
    n = np.minimum(*counts)
    n_eff = spread = np.full(len(n), np.nan)
    if metric.interval == "wilson":
        sizes = _sizes(setting, pair, metric, places, values, (slopes[0], slopes[1]))
        n_eff, var = _effective(sizes, var, factor, m_eff)
        change = values[1] - values[0]
        spread = np.maximum(n_eff * var / factor**2 + change**2, np.abs(change))
    return Sides(values, scaled, var, df, n_eff, spread, n, m, m_eff)


def squares(psi: csc_array) -> FloatArray:
    """Sum over persons of the squares of each column."""
    return np.asarray(psi.multiply(psi).sum(axis=0)).reshape(-1)


def _scale(psi: csc_array, factor: FloatArray) -> csc_array:
    found = psi.copy()
    found.data = found.data * np.repeat(np.nan_to_num(factor), np.diff(found.indptr))
    return found


def _counts(setting: Setting, metric: Metric, totals: FloatArray) -> FloatArray:
    sums = setting.layout.unpack(totals)
    return np.asarray(metric.counts(sums) if metric.counts is not None else sums["n"])


def _persons(
    setting: Setting, metric: Metric, grouped: GroupedSums, grouping: Grouping, places: Places
) -> Persons:
    pair = persons([metric], setting.layout, grouped, grouping.known)[metric.key]
    return pair[int(places.rest)].take(places.index)


def _influences(
    runs: tuple[GroupedSums, GroupedSums],
    grouping: Grouping,
    places: Places,
    slopes: tuple[FloatArray, FloatArray],
) -> tuple[csc_array, csc_array]:
    """Influence of every unit on both runs in each place, (U, R) each.

    Where the two are equal within rounding they are made equal, so that runs that agree differ by
    exactly nothing.
    """
    first, second = [], []
    for r, g in enumerate(places.index):
        entries = _entries(runs[0], grouping, int(g), rest=places.rest)
        both = [run.values[entries] for run in runs]
        x, y = (_times(part, slope[r]) for part, slope in zip(both, slopes, strict=True))
        size = sum(
            _times(abs(part), abs(slope[r])) for part, slope in zip(both, slopes, strict=True)
        )
        y = np.where(np.abs(y - x) <= _ROUNDING * size, x, y)
        units = runs[0].unit[entries]
        first.append((units, x))
        second.append((units, y))
    n = len(runs[0].keys)
    return _columns(n, first), _columns(n, second)


def _entries(grouped: GroupedSums, grouping: Grouping, g: int, *, rest: bool) -> slice | IntArray:
    """The entries of a group, or of every other known group."""
    if not rest:
        return slice(int(grouped.starts[g]), int(grouped.starts[g + 1]))
    return np.flatnonzero(grouping.known[grouped.group] & (grouped.group != g))


def _times(values: Values, slope: FloatArray) -> FloatArray:
    return np.asarray(values @ slope).reshape(-1)


def _columns(n_units: int, parts: list[tuple[IntArray, FloatArray]]) -> csc_array:
    """Sparse matrix from (units, values) of each column; a unit may occur several times."""
    column = np.repeat(np.arange(len(parts)), [len(u) for u, _ in parts])
    unit = np.concatenate([u for u, _ in parts])
    value = np.concatenate([v for _, v in parts])
    return csc_array((value, (unit, column)), shape=(n_units, len(parts)))


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Per place: faces of equal weight, and the variance of the difference by face."""

    faces: FloatArray
    var: FloatArray


def _sizes(
    setting: Setting,
    pair: Pair,
    metric: Metric,
    places: Places,
    values: FloatArray,
    slopes: tuple[FloatArray, FloatArray],
) -> _Sizes:
    """How many faces of equal weight a share rests on.

    (sum w)^2 / sum w^2 over the faces in its denominator; for means over classes the number of
    faces that gives the same variance, M (1 - M) / var, averaged over both runs.
    """
    by_face = pair.runs if pair.faces is None else pair.faces
    psi = _influences(by_face, pair.grouping, places, slopes)
    var = squares(csc_array(psi[1] - psi[0]))
    who = [_persons(setting, metric, run, pair.grouping, places) for run in by_face]
    faces = np.minimum(who[0].effective, who[1].effective)
    if metric.parts is None:
        spread = values * (1 - values)
        own = np.stack([squares(part) for part in psi])
        with np.errstate(divide="ignore", invalid="ignore"):
            equal = np.where(own > 0, spread / np.where(own > 0, own, 1.0), np.inf).mean(axis=0)
        faces = np.where(np.isfinite(equal), np.minimum(equal, faces), faces)
    return _Sizes(faces, var)


def _effective(
    sizes: _Sizes, var: FloatArray, factor: FloatArray, m_eff: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Independent faces n / deff with deff >= 1, and the variance that goes with it.

    Where no person differs between the runs, the persons are that many independent draws.
    """
    by_face = sizes.var * factor**2
    used = np.maximum(var, by_face)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(used > 0, sizes.faces * by_face / used, m_eff)
    n = np.where(np.isnan(var) | ~(n > 0), np.nan, n)
    return n, np.where(np.isnan(var), np.nan, used)

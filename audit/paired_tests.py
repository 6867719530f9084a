"""How sure a paired difference is: its interval, its statistic, and that under resampling.

Means and coefficients: t from the influence of each person on the difference. Shares: the score
interval of Tango (1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B) with
independent faces n / deff. Changes of differences of shares: t with half a face of imagined
disagreement each way in either group, after Bonett and Price (2012,
doi:10.3102/1076998611411915), so that runs that agree are not taken for certain to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, diags_array
from scipy.special import stdtr

from audit.intervals import Contrast, Limits, critical, order_p
from audit.metrics.core import Metric
from audit.paired import Sides, squares
from audit.values import percentile_limits

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_BISECTIONS = 50
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class QuantileSides:
    """A quantile of both runs in R places: ``values`` (2, R), replicates about them (2, B, R)."""

    values: FloatArray
    samples: FloatArray
    n: FloatArray
    m: FloatArray
    m_eff: FloatArray

    @property
    def change(self) -> FloatArray:
        """Second run minus first, (R,)."""
        return np.asarray(self.values[1] - self.values[0])

    def take(self, index: IntArray) -> QuantileSides:
        """Some of the places."""
        own = (part[index] for part in (self.n, self.m, self.m_eff))
        return QuantileSides(self.values[:, index], self.samples[..., index], *own)


AnySides: TypeAlias = Sides | QuantileSides


@dataclass(frozen=True, eq=False)
class Statistic:
    """R paired differences, ready to be tested alone and together.

    ``limits`` gives the interval at critical values (R,); ``t`` is the statistic of no difference,
    beyond such a value exactly where that interval excludes 0. ``psi`` (U, R) and ``pad`` (R,)
    give it under a resampling of persons, or ``samples`` (B, R) do.
    """

    value: FloatArray
    t: FloatArray
    df: FloatArray
    limits: Callable[[FloatArray], Limits]
    method: str
    psi: csc_array | None = None
    pad: FloatArray | None = None
    samples: FloatArray | None = None
    own: Contrast | None = None

    def critical(self, level: float) -> FloatArray:
        """Each row's own critical value."""
        return critical(self.df, np.isinf(self.df), level)

    @cached_property
    def contrast(self) -> Contrast:
        """Value, 95 % and 90 % interval, and p of each row alone."""
        if self.own is not None:
            return self.own
        low, high = self.limits(self.critical(0.95))
        low_90, high_90 = self.limits(self.critical(0.90))
        return Contrast(self.value, low, high, low_90, high_90, self.p())

    def p(self) -> FloatArray:
        """Two-sided p of each row alone: below 0.05 exactly where the interval excludes 0."""
        return np.asarray(2 * stdtr(self.df, -np.abs(self.t)))


@dataclass(frozen=True, eq=False)
class Trainings:
    """What training adds to the variance of a mean over several of them, and its degrees."""

    var: FloatArray | float = 0.0
    most: float = np.inf

    def df(self, df: FloatArray) -> FloatArray:
        """Degrees of freedom: never more than those of the trainings."""
        return np.minimum(df, self.most)


ONE_TRAINING = Trainings()
"""Nothing: what is compared are these checkpoints."""


def between_runs(metric: Metric, sides: AnySides) -> Statistic:
    """Second run minus first in every place."""
    if isinstance(sides, QuantileSides):
        return _sampled(sides.change, sides.samples[1] - sides.samples[0])
    if metric.interval == "wilson":
        return _score(sides)
    return _student(sides.change, sides.psi_change, sides.var, sides.df)


def between_gaps(
    metric: Metric, here: AnySides, there: AnySides, more: Trainings = ONE_TRAINING
) -> Statistic:
    """How a difference of groups changes: (here - there) of the second run minus of the first."""
    value = here.change - there.change
    if isinstance(here, QuantileSides) or isinstance(there, QuantileSides):
        assert isinstance(here, QuantileSides)
        assert isinstance(there, QuantileSides)
        first, second = here.samples - there.samples
        return _sampled(value, second - first)
    df = _welch(here.var, there.var, here, there)
    if metric.interval != "wilson":
        psi = csc_array(here.psi_change - there.psi_change)
        return _student(value, psi, squares(psi) + more.var, more.df(df), more.var)
    first, second = _padded(here), _padded(there)
    psi, pad = csc_array(first.psi - second.psi), first.pad + second.pad
    df = _welch(first.var + first.pad, second.var + second.pad, here, there)
    return _adjusted(value, first.centre - second.centre, psi, pad + more.var, more.df(df), 2.0)


def between_means(metric: Metric, sides: Sides, more: Trainings = ONE_TRAINING) -> Statistic:
    """Second less first in every place, where values and influences are means over trainings.

    A mean of shares is no share of faces, so it has no score interval: t with half a face of
    imagined disagreement each way.
    """
    if metric.interval != "wilson":
        psi, var = sides.psi_change, sides.var + more.var
        return _student(sides.change, psi, var, more.df(sides.df), more.var)
    found = _padded(sides)
    pad, df = found.pad + more.var, more.df(sides.df)
    return _adjusted(sides.change, found.centre, found.psi, pad, df, 1.0)


def _adjusted(
    value: FloatArray, centre: FloatArray, psi: csc_array, pad: FloatArray, df: FloatArray,
    largest: float,
) -> Statistic:  # fmt: skip
    se = np.sqrt(squares(psi) + pad)

    def limits(z: FloatArray) -> Limits:
        ends = centre - z * se, centre + z * se
        return np.clip(ends[0], -largest, largest), np.clip(ends[1], -largest, largest)

    return Statistic(value, centre / se, df, limits, "adjusted_t (paired)", psi, pad)


def of_sum(metric: Metric, here: AnySides, there: AnySides | None = None) -> Callable[..., Limits]:
    """Intervals of the sum of both runs' values, or of their differences of groups.

    With the difference of two numbers their sum tells which is the larger without its sign.
    """
    parts = [here] if there is None else [here, there]
    value = here.values.sum(axis=0) - (0.0 if there is None else there.values.sum(axis=0))
    if isinstance(here, QuantileSides):
        drawn = [part.samples.sum(axis=0) for part in parts if isinstance(part, QuantileSides)]
        return _sampled(value, drawn[0] - (drawn[1] if there is not None else 0.0)).limits
    exact = [part for part in parts if isinstance(part, Sides)]
    psi = csc_array(exact[0].psi[0] + exact[0].psi[1])
    if there is not None:
        psi = csc_array(psi - exact[1].psi[0] - exact[1].psi[1])
    var = squares(psi)
    if metric.interval == "wilson":
        var = var + np.sum([_padded(part).pad for part in exact], axis=0)
    se = np.sqrt(var)
    return lambda z: (value - z * se, value + z * se)


def _sampled(value: FloatArray, samples: FloatArray) -> Statistic:
    """Differences of quantiles from their joint replicates (B, R), centred at the values."""
    enough = len(samples) > 1
    sd = np.nanstd(samples, axis=0, ddof=1) if enough else np.full(len(value), np.nan)
    sd = np.where(sd > 0, sd, np.nan)
    low, high, low_90, high_90 = percentile_limits(np.where(np.isnan(sd), np.nan, samples))
    p = np.array([order_p(s[~np.isnan(s)]) for s in samples.T]) if enough else sd
    own = Contrast(value, low, high, low_90, high_90, np.where(np.isnan(low), np.nan, p))
    far = np.full(len(value), np.inf)

    def limits(z: FloatArray) -> Limits:
        return value - z * sd, value + z * sd

    shifted = (samples - value) / sd if enough else samples
    return Statistic(
        value, value / sd, far, limits, "percentile (paired)", samples=shifted, own=own
    )


def _student(
    value: FloatArray, psi: csc_array, var: FloatArray, df: FloatArray, pad: FloatArray | float = 0
) -> Statistic:
    se = np.where(var > 0, np.sqrt(np.maximum(var, 0)), np.nan)

    def limits(z: FloatArray) -> Limits:
        return value - z * se, value + z * se

    added = np.zeros(len(value)) + pad
    return Statistic(value, value / se, df, limits, "cluster_t (paired)", psi, added)


def _welch(a: FloatArray, b: FloatArray, here: Sides, there: Sides) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((a + b) ** 2 / (a**2 / here.df + b**2 / there.df))


@dataclass(frozen=True, eq=False)
class _Padded:
    """Differences of shares with imagined faces: centre, scaled influence, and what they add."""

    centre: FloatArray
    psi: csc_array
    var: FloatArray
    pad: FloatArray


def _padded(sides: Sides) -> _Padded:
    """As if one more face had gone half to either run.

    With mean difference d and mean square difference q over n faces: d' = n d / (n + 1) and
    q' = (n q + 1) / (n + 1); the variance (q' - d'^2) / (n + 1) is the shrunken one plus ``pad``.
    """
    n, d = sides.n_eff, sides.change
    shrink = n / (n + 2 * _HALF)
    pad = 2 * _HALF * (1 + shrink * d * d) / (n + 2 * _HALF) ** 2
    psi = sides.psi_change
    plain = squares(psi)
    scale = shrink * np.sqrt(np.where(plain > 0, sides.var / np.where(plain > 0, plain, 1), 1))
    scaled = csc_array(psi @ diags_array(np.nan_to_num(scale)))
    return _Padded(shrink * d, scaled, shrink**2 * sides.var, pad)


def _score(sides: Sides) -> Statistic:
    n, d, q = sides.n_eff, sides.change, sides.spread
    known = ~np.isnan(n) & ~np.isnan(d) & ~np.isnan(sides.df)
    z0 = np.where(q > 0, d * np.sqrt(n / np.where(q > 0, q, 1)), 0.0)
    padded = _padded(sides)

    def limits(z: FloatArray) -> Limits:
        return _score_limits(n, d, q, np.where(known, z, np.nan))

    t, df = np.where(known, z0, np.nan), np.where(known, sides.df, np.nan)
    return Statistic(d, t, df, limits, "score_neff (paired)", padded.psi, padded.pad)


def _score_z(n: FloatArray, d: FloatArray, q: FloatArray, gap: FloatArray) -> FloatArray:
    """Tango's statistic of the hypothesis that the mean difference is ``gap``."""
    b = (2 - d) * gap - q
    c = -(q - d) / 2 * gap * (1 - gap)
    share = (np.sqrt(np.maximum(b * b - 8 * c, 0)) - b) / 4
    var = np.maximum(2 * share + gap * (1 - gap), 0)
    off = d - gap
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(off == 0, 0.0, off * np.sqrt(n / var))


def _score_limits(n: FloatArray, d: FloatArray, q: FloatArray, z: FloatArray) -> Limits:
    """All differences that the score test at critical value z does not reject, by bisection."""
    found = []
    for end in (-1.0, 1.0):
        near, far = d.copy(), np.full(len(d), end)
        for _ in range(_BISECTIONS):
            middle = (near + far) / 2
            inside = np.abs(_score_z(n, d, q, middle)) <= z
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        found.append(np.where(np.isnan(z), np.nan, near))
    return found[0], found[1]

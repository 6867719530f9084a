"""Rates of many columns at once: the points of a curve, each with its interval by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.estimates import wilson_faces
from audit.intervals import Estimates
from audit.units import GroupedSums, Values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class RateSums:
    """What rates hits / base and their intervals need of the persons: arrays (J,) or (G, J).

    ``hit``, ``base`` and ``n`` are totals; ``hit2``, ``cross`` and ``base2`` sums over persons of
    hits squared, hits x base and base squared; ``m``, ``hitting`` and ``missing`` are persons with
    a base, with hits and with misses. Parts of a table that share no person add up.
    """

    hit: FloatArray
    base: FloatArray
    hit2: FloatArray
    cross: FloatArray
    base2: FloatArray
    n: FloatArray
    m: FloatArray
    hitting: FloatArray
    missing: FloatArray

    @classmethod
    def empty(cls, *shape: int) -> RateSums:
        """Of nobody."""
        return cls(*(np.zeros(shape) for _ in range(9)))

    def __add__(self, other: RateSums) -> RateSums:
        """Of the persons of both."""
        return RateSums(*(a + b for a, b in zip(_parts(self), _parts(other), strict=True)))


def _parts(sums: RateSums) -> tuple[FloatArray, ...]:
    return tuple(vars(sums).values())


def joined(found: Sequence[RateSums]) -> RateSums:
    """Several groups (J,) as one value (G, J)."""
    return RateSums(*(np.stack(part) for part in zip(*map(_parts, found), strict=True)))


def rate_sums(persons: Values, hits: IntArray, base: IntArray, counts: IntArray) -> RateSums:
    """The sums of J rates over the persons of one group: sparse (persons, F) -> arrays (J,)."""
    part = csr_array(persons)
    hit, all_ = csr_array(part[:, hits]), csr_array(part[:, base])

    def total(values: csr_array) -> FloatArray:
        return np.asarray(values.sum(axis=0), dtype=np.float64).ravel()

    return RateSums(
        hit=total(hit),
        base=total(all_),
        hit2=total(hit.multiply(hit)),
        cross=total(hit.multiply(all_)),
        base2=total(all_.multiply(all_)),
        n=total(part[:, counts]),
        m=_count(all_),
        hitting=_count(hit),
        missing=_count(csr_array(all_ - hit)),
    )


def rates(s: RateSums) -> tuple[Estimates, FloatArray]:
    """The rates (G, J) with what their intervals need, and the persons that enter each.

    The variance by person is sum (h - r b)^2 / (sum b)^2 x m / (m - 1) for hits h, base b, rate r.
    """
    value = np.where(s.base > 0, s.hit / np.where(s.base > 0, s.base, 1.0), np.nan)
    value = np.where(np.abs(value - np.rint(value)) <= _TOLERANCE, np.rint(value), value)
    square = np.maximum(s.hit2 - 2 * value * s.cross + value**2 * s.base2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        var = np.where(s.m > 1, square / s.base**2 * s.m / (s.m - 1), np.nan)
        m_eff = s.base**2 / s.base2
    df = np.minimum(s.m, m_eff) - 1
    df = np.where(df >= 1 - _TOLERANCE, df, np.nan)
    n_eff, normal = wilson_faces(s.n, value, var, s.m, np.minimum(s.hitting, s.missing))
    e = Estimates(value=value, var=var, df=df, n_eff=n_eff, normal=normal, n=s.n, m_eff=m_eff)
    return e, s.m


def column_rates(
    grouped: GroupedSums, hits: IntArray, base: IntArray, counts: IntArray
) -> tuple[Estimates, FloatArray]:
    """Rates hits / base of J pairs of columns in every group, arrays of shape (G, J).

    What :func:`audit.estimates.estimate` gives for each pair as a proportion of its own, without
    the moments between the columns, which no curve needs.

    Parameters
    ----------
    grouped : GroupedSums
        Sparse sums by (person, group).
    hits, base, counts : array of int (J,)
        Columns of the weight of the hits, of all, and of the number of faces.

    Returns
    -------
    Estimates, array (G, J)
        The rates, and the persons that enter each.
    """
    found = [rate_sums(grouped.of(g), hits, base, counts) for g in range(grouped.n_groups)]
    return rates(joined(found)) if found else rates(RateSums.empty(0, len(hits)))


def _count(values: csr_array) -> FloatArray:
    """Persons with a positive amount in each column."""
    return np.asarray((values > _TOLERANCE).sum(axis=0), dtype=np.float64).ravel()

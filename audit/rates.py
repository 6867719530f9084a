"""Rates of many columns at once: the points of a curve, each with its interval by person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.estimates import wilson_faces
from audit.intervals import Estimates
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_TOLERANCE = 1e-12


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
    shape = (grouped.n_groups, len(hits))
    found = {name: np.full(shape, np.nan) for name in ("value", "var", "df", "n", "m_eff")}
    n_eff, persons = np.full(shape, np.nan), np.zeros(shape)
    normal = np.zeros(shape, dtype=np.bool_)
    for g in range(grouped.n_groups):
        part = csr_array(grouped.of(g))
        hit, all_ = csr_array(part[:, hits]), csr_array(part[:, base])
        a, w = (np.asarray(x.sum(axis=0)).ravel() for x in (hit, all_))
        value = np.where(w > 0, a / np.where(w > 0, w, 1.0), np.nan)
        value = np.where(np.abs(value - np.rint(value)) <= _TOLERANCE, np.rint(value), value)
        residual = hit - all_.multiply(np.nan_to_num(value)[None, :])
        m = _count(all_)
        square = np.asarray(residual.multiply(residual).sum(axis=0)).ravel()
        with np.errstate(divide="ignore", invalid="ignore"):
            var = np.where(m > 1, square / w**2 * m / (m - 1), np.nan)
            m_eff = w**2 / np.asarray(all_.multiply(all_).sum(axis=0)).ravel()
        rarer = np.minimum(_count(hit), _count(csr_array(all_ - hit)))
        n = np.asarray(part[:, counts].sum(axis=0)).ravel()
        df = np.minimum(m, m_eff) - 1
        n_eff[g], normal[g] = wilson_faces(n, value, var, m, rarer)
        found["df"][g] = np.where(df >= 1 - _TOLERANCE, df, np.nan)
        found["value"][g], found["var"][g], found["n"][g] = value, var, n
        found["m_eff"][g], persons[g] = m_eff, m
    return Estimates(n_eff=n_eff, normal=normal, **found), persons


def _count(values: csr_array) -> FloatArray:
    """Persons with a positive amount in each column."""
    return np.asarray((values > _TOLERANCE).sum(axis=0), dtype=np.float64).ravel()

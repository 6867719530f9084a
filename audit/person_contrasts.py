"""Contrasts with intervals by person, from what each owes to the sums of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Adjust
from audit.contrasts import needed
from audit.families import LEVEL, Hypotheses, family_of
from audit.intervals import Contrast, Estimates, critical, difference
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Influences:
    """What every resampled unit owes to P contrasts, (units, P), and their variance by cell."""

    psi: FloatArray
    by_cell: FloatArray


def influences(grouped: GroupedSums, columns: IntArray, slopes: FloatArray) -> Influences:
    """Influence of every unit on contrasts that are linear in the sums of cells.

    Parameters
    ----------
    grouped : GroupedSums
        Sums by (unit, cell).
    columns : array of int (F,)
        The features that the slopes are of.
    slopes : array (P, C, F)
        Derivative of each contrast by the sums of each cell.
    """
    psi = np.zeros((len(grouped.keys), len(slopes)))
    by_cell = np.zeros((len(slopes), grouped.n_groups))
    for c in range(grouped.n_groups):
        entries = slice(grouped.starts[c], grouped.starts[c + 1])
        used = np.flatnonzero(np.any(slopes[:, c] != 0, axis=1))
        if not len(used) or entries.start == entries.stop:
            continue
        part = grouped.values[entries][:, columns] @ slopes[used, c].T
        psi[grouped.unit[entries][:, None], used] += part
        by_cell[used, c] = (part**2).sum(axis=0)
    return Influences(psi, by_cell)


def satterthwaite(parts: FloatArray, df: FloatArray) -> FloatArray:
    """Degrees of freedom of a sum of variances, (P,), from its parts (P, K) and theirs (K,).

    Satterthwaite (1946, doi:10.2307/3002019). NaN where a part has none.
    """
    total = parts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(parts > 0, parts**2 / np.where(df > 0, df, np.nan), 0.0)
        return np.asarray(total**2 / each.sum(axis=1))


def contrast_of(value: FloatArray, var: FloatArray, df: FloatArray) -> Contrast:
    """The contrast of some differences from their variances and degrees of freedom."""
    none, plain = np.zeros(len(value)), np.zeros(len(value), dtype=np.bool_)
    there = Estimates(value, var, df, none, plain, none, none)
    zero = Estimates(none, none, np.full(len(value), np.inf), none, plain, none, none)
    return difference("t", there, zero, np.where(np.isfinite(df), var, np.nan))


@dataclass(frozen=True, eq=False)
class Together:
    """Contrasts adjusted for their family, (P,); NaN where not tested, ``note`` says why."""

    p: FloatArray
    low: FloatArray
    high: FloatArray
    detectable: FloatArray
    note: str | None = None


def together(
    method: Adjust,
    c: Contrast,
    var: FloatArray,
    df: FloatArray,
    tested: BoolArray,
    psi: FloatArray,
    boot: FloatArray,
) -> Together:
    """Adjust some contrasts that are read side by side.

    ``psi`` (units, P) are the influences, ``boot`` (B, units) the weights of the units. With max-T
    the replicates are sum_s (w_s - 1) psi_s over their own sqrt(sum_s w_s psi_s^2).
    """
    bare = ~tested | np.isnan(c.p)
    p, t = np.where(bare, np.nan, c.p), np.where(bare, np.nan, c.value / np.sqrt(var))
    family = family_of(method, [Hypotheses(t, p, _maxima(psi[:, ~bare], boot))])
    nothing = np.full(len(p), np.nan)
    if family.critical is None and family.level is None:
        return Together(nothing, nothing, nothing, nothing, family.note)
    plain, se, found = np.zeros(len(p), dtype=np.bool_), np.sqrt(var), family.p[0]
    own = critical(df, plain, LEVEL if family.level is None else family.level)
    crit = own if family.critical is None else np.maximum(family.critical, own)
    found = np.where(bare, np.nan, np.maximum(found, p))
    low, high = c.value - crit * se, c.value + crit * se
    rejected = found < 1 - LEVEL
    low = np.where(rejected & (c.value > 0), np.maximum(low, 0.0), low)
    high = np.where(rejected & (c.value < 0), np.minimum(high, 0.0), high)
    low = np.where(rejected, low, np.minimum(low, 0.0))
    high = np.where(rejected, high, np.maximum(high, 0.0))
    low, high, least = (np.where(bare, np.nan, x) for x in (low, high, needed(crit, df) * se))
    return Together(found, low, high, least)


def _maxima(psi: FloatArray, boot: FloatArray) -> FloatArray | None:
    """The largest absolute statistic of every replicate, (B,)."""
    if not len(boot) or not psi.shape[1]:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (boot @ psi - psi.sum(axis=0)) / np.sqrt(boot @ psi**2)
    return np.asarray(np.abs(t).max(axis=1))

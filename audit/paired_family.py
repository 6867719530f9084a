"""Paired differences tested together: max-T from the joint bootstrap of persons, Holm, or BH."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array

from audit.block import Adjust
from audit.bootstrap import boot_weights
from audit.families import LEVEL, bh, holm, max_t
from audit.hashing import Keys
from audit.paired_tests import Statistic
from audit.units import bucket_keys

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
_LEAST = 0.05


@dataclass(frozen=True, eq=False)
class Resampling:
    """Bootstrap weights (B, V) of persons, or of hash buckets of them, and who is in which.

    A person has the same weight in every run, group and metric.
    """

    boot: FloatArray
    bucket: csc_array | None


@dataclass(frozen=True, eq=False)
class Together:
    """What holds for all rows of a family at once: p and limits, (R,) each, NaN if not tested."""

    p: FloatArray
    critical: FloatArray
    low: FloatArray
    high: FloatArray
    note: str | None


def resampling(keys: Keys, seed: int, n_boot: int) -> Resampling:
    """Weights of persons by their keys; buckets of persons above 2^14 of them."""
    small = bucket_keys(keys, len(keys))
    distinct, at = np.unique(small, return_inverse=True)
    boot = boot_weights(distinct, seed, n_boot)
    if len(distinct) == len(keys):
        return Resampling(np.asarray(boot[:, at]), None)
    ones = np.ones(len(keys))
    shape = (len(distinct), len(keys))
    return Resampling(boot, csc_array((ones, (at, np.arange(len(keys)))), shape=shape))


def moved(psi: csc_array, weights: Resampling) -> FloatArray:
    """How far values with influences (U, R) lie from the estimate in every replicate, (B, R)."""
    found = psi if weights.bucket is None else csc_array(weights.bucket @ psi)
    return np.asarray(found.T @ weights.boot.T).T


def replicates(found: Statistic, weights: Resampling) -> FloatArray:
    """The statistics of a world without differences, (B, R), studentised in every replicate.

    The influences are those at the estimate, whose squares lie about 0 and not about the
    replicate's own mean; T / sqrt(1 - T^2 / (df + 1)) puts them about it. Without that the tails
    are too short: with 40 persons a group and 12 groups the family-wise error is 9 %.
    """
    if found.samples is not None:
        return found.samples
    assert found.psi is not None
    psi = found.psi if weights.bucket is None else csc_array(weights.bucket @ found.psi)
    spread = np.asarray(psi.multiply(psi).T @ weights.boot.T).T + found.pad
    with np.errstate(divide="ignore", invalid="ignore"):
        about_0 = np.where(spread > 0, moved(found.psi, weights) / np.sqrt(spread), np.nan)
        centred = np.maximum(1 - about_0**2 / (found.df + 1), _LEAST)
        return np.asarray(about_0 / np.sqrt(centred))


def together(
    adjust: Adjust, rows: Sequence[Statistic], tested: Sequence[BoolArray], weights: Resampling
) -> list[Together]:
    """Adjust a family.

    Parameters
    ----------
    adjust : {"max_t", "holm", "bh"}
        The limits of Holm are Bonferroni's, those of Benjamini and Hochberg have the level at
        which it rejects (Benjamini and Yekutieli, 2005, doi:10.1198/016214504000001907).
    rows : sequence of Statistic
        The family in parts, such as the classes of a metric.
    tested : sequence of bool array (R,)
        Which of their rows are in the family; the rest gets NaN.

    Returns
    -------
    list of Together
        One for each part. A limit is never nearer, a p never smaller than the row's own.
    """
    own = np.concatenate([row.contrast.p for row in rows])
    inside = np.concatenate(list(tested)) & ~np.isnan(own)
    p, wanted, note = np.full(len(own), np.nan), np.full(len(own), np.nan), None
    if inside.any():
        if adjust == "max_t":
            p, wanted, note = _by_max_t(rows, own, inside, weights)
        else:
            alone = np.where(inside, own, np.nan)
            p = holm(alone) if adjust == "holm" else bh(alone)
            level = _level(adjust, p[inside])
            wanted = np.concatenate([row.critical(level) for row in rows])
            wanted = np.where(inside, wanted, np.nan)
    found, start = [], 0
    for row in rows:
        part = slice(start, start + len(row.value))
        start = part.stop
        found.append(_limited(row, p[part], wanted[part], note))
    return found


def _by_max_t(
    rows: Sequence[Statistic], own: FloatArray, inside: BoolArray, weights: Resampling
) -> tuple[FloatArray, FloatArray, str | None]:
    nothing = np.full(len(own), np.nan)
    observed = np.where(inside, np.concatenate([row.t for row in rows]), np.nan)
    drawn = np.concatenate([replicates(row, weights) for row in rows], axis=1)
    found = max_t(observed, drawn)
    if found is None:
        return nothing, nothing, "unstable_replicates"
    if np.isinf(found.critical):
        return nothing, nothing, "too_few_replicates"
    alone = np.concatenate([row.critical(LEVEL) for row in rows])
    wanted = np.where(inside, np.maximum(alone, found.critical), np.nan)
    return np.where(inside, np.maximum(own, found.p), np.nan), wanted, None


def _level(adjust: Adjust, p: FloatArray) -> float:
    size = len(p) if adjust == "holm" else len(p) / max(1, int((p < 1 - LEVEL).sum()))
    return 1 - (1 - LEVEL) / size


def _limited(row: Statistic, p: FloatArray, wanted: FloatArray, note: str | None) -> Together:
    low, high = row.limits(wanted)
    own = row.contrast
    low, high = np.minimum(low, own.low), np.maximum(high, own.high)
    return Together(p, wanted, low, high, note)

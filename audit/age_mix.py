"""Gaps at equal age: standardised to a common mix of ages, and split into mix and rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.bands import parse_band
from audit.block import Setting
from audit.groups import Grouping
from audit.metrics.core import Metric
from audit.mix_rows import Estimated, Groups, Kind, Pairs, adjusted_rows
from audit.person_contrasts import influences
from audit.reference import weights_of
from audit.rows import AdjustedGap
from audit.standardise import (
    MAX_EXCLUDED,
    Contrast,
    Strata,
    kitagawa_mix,
    kitagawa_rate,
    slopes,
    standardised,
)
from audit.units import GroupedSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
YEARS, BANDS = ("mae", "bias"), ("within_band_accuracy", "band_distance")
GATES = ("gate_fpr", "gate_fnr")
_SINGLE = "one_subject: in one of the strata"


@dataclass(frozen=True, eq=False)
class Mix:
    """A mean by group and stratum: numerator, denominator, persons and degrees of freedom (G, S).

    ``place`` (N, 3) says which cell, group and stratum belong together; ``of_top`` and
    ``of_bottom`` (S, f) make numerator and denominator of a stratum from the features of the sums.
    ``cell_df`` (C,) are the degrees of freedom of what a cell contributes.
    """

    strata: tuple[str, ...]
    top: FloatArray
    bottom: FloatArray
    m: FloatArray
    cell_df: FloatArray
    place: IntArray
    of_top: FloatArray
    of_bottom: FloatArray

    @property
    def pool(self) -> FloatArray:
        """Denominator of everyone by stratum, (S,)."""
        return np.asarray(self.bottom.sum(axis=0))


def mixed_metrics(setting: Setting) -> list[Metric]:
    """The metrics that are compared at equal age: errors in years where they exist, and gates."""
    names = BANDS if setting.impossible.get("mae") else YEARS
    return [
        metric
        for metric in setting.metrics
        if metric.name in (*names, *GATES) and metric.name not in setting.impossible
    ]


def standardised_rows(
    setting: Setting,
    groups: Groups,
    mix: Mix,
    pairs: Pairs,
    small: GroupedSums,
    boot: FloatArray,
    reference: Mapping[str, float] | None,
    over: str = "age",
) -> list[AdjustedGap]:
    """Standardised differences and Kitagawa's parts of one metric.

    ``small`` are the sums of the resampled units by cell, whose weights are ``boot``; ``over``
    names what the strata are.
    """
    rows: list[AdjustedGap] = []
    for kind, contrast, notes in _kinds(mix, pairs, reference, over):
        found = _estimated(mix, pairs, contrast, notes, small)
        rows += adjusted_rows(setting, groups, pairs, found, kind, boot)
    return rows


def mix_of(
    grouped: GroupedSums,
    item: Grouping,
    groups: Grouping,
    strata: tuple[str, ...],
    of_top: FloatArray,
    of_bottom: FloatArray,
) -> Mix:
    """A mean of a combination by age band.

    Parameters
    ----------
    grouped : GroupedSums
        Sums of the persons by group and age, ``item``, of the features that the two read.
    groups : Grouping
        The combination without the age.
    of_top, of_bottom : array (f,)
        What makes numerator and denominator from those features.
    """
    at = {group: g for g, group in enumerate(groups.groups) if groups.known[g]}
    place = np.array(
        [
            (c, at[cell[:-1]], strata.index(cell[-1]))
            for c, cell in enumerate(item.groups)
            if cell[:-1] in at and cell[-1] is not None
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    size = len(item.groups)
    base = grouped.values @ of_bottom
    top = np.bincount(grouped.group, grouped.values @ of_top, size)
    bottom = np.bincount(grouped.group, base, size)
    m = np.bincount(grouped.group, base > 0, size).astype(np.float64)
    square = np.bincount(grouped.group, base**2, size)
    effective = np.where(square > 0, bottom**2 / np.where(square > 0, square, 1.0), 0.0)

    def table(values: npt.NDArray[Any]) -> FloatArray:
        found = np.zeros((len(groups.groups), len(strata)))
        found[place[:, 1], place[:, 2]] = values[place[:, 0]]
        return found

    every = np.ones((len(strata), 1))
    cell_df = np.minimum(m, effective) - 1
    tables = (table(top), table(bottom), table(m))
    return Mix(strata, *tables, cell_df, place, every * of_top, every * of_bottom)


def overlap_notes(mix: Mix, pairs: Pairs, weights: FloatArray, outside: float) -> list[str | None]:
    """Why two groups cannot be compared at equal age, or what part of the reference they lack."""
    total = weights.sum() + outside
    common = _common(mix, pairs)
    if total <= 0 or (mix.pool > 0).sum() < 2:
        return ["one_stratum"] * len(pairs)
    lost = 1 - (common * weights).sum(axis=1) / total
    return [
        f"no_overlap: {100 * share:.0f} % of the reference"
        if share > MAX_EXCLUDED
        else f"strata_left_out: {100 * share:.1f} % of the reference"
        if share > 1e-12
        else None
        for share in lost
    ]


def _common(mix: Mix, pairs: Pairs) -> BoolArray:
    """Bands in which both groups have at least two persons, (P, S)."""
    enough = mix.m >= 2
    return np.asarray(enough[pairs.i] & enough[pairs.j])


def _kinds(
    mix: Mix, pairs: Pairs, reference: Mapping[str, float] | None, over: str
) -> Iterator[tuple[Kind, Contrast, list[str | None]]]:
    common, pool = _common(mix, pairs), mix.pool
    held = (over,)
    pooled = Kind("standardised_difference", "pooled", held)
    yield pooled, standardised(common), overlap_notes(mix, pairs, pool, 0.0)
    even = (pool > 0).astype(np.float64)
    uniform = Kind("standardised_difference", "uniform", held)
    yield uniform, standardised(common, even), overlap_notes(mix, pairs, even, 0.0)
    if reference is not None:
        given, outside = weights_of(reference, [parse_band(b) or (0.0, 0.0) for b in mix.strata])
        user = Kind("standardised_difference", "user", held)
        yield user, standardised(common, given), overlap_notes(mix, pairs, given, outside)
    notes = _one_sided(mix, pairs)
    yield Kind("kitagawa_mix", None, held), kitagawa_mix, notes
    yield Kind("kitagawa_rate", None, held), kitagawa_rate, notes


def _one_sided(mix: Mix, pairs: Pairs) -> list[str | None]:
    """Kitagawa's parts need every band of either group in both."""
    a, b = mix.bottom[pairs.i] > 0, mix.bottom[pairs.j] > 0
    if (mix.pool > 0).sum() < 2:
        return ["one_stratum"] * len(pairs)
    single = ((mix.m[pairs.i] == 1) | (mix.m[pairs.j] == 1)).any(axis=1)
    return [
        f"no_overlap: {one} strata in one group only" if one else _SINGLE if s else None
        for one, s in zip((a != b).sum(axis=1), single, strict=True)
    ]


def _estimated(
    mix: Mix, pairs: Pairs, contrast: Contrast, notes: list[str | None], small: GroupedSums
) -> Estimated:
    p = len(pairs)
    pool = np.broadcast_to(mix.pool, (p, len(mix.pool)))
    sides = (mix.top[pairs.i], mix.bottom[pairs.i], mix.top[pairs.j], mix.bottom[pairs.j])
    s = Strata(*sides, pool)
    bad = np.array([(note or "").startswith(("no_overlap", "one_stratum")) for note in notes])
    bare = np.array([note == _SINGLE for note in notes])
    value = np.where(bad, np.nan, contrast(s))
    by_sum = slopes(contrast, s)
    factor = np.sqrt(mix.m / np.maximum(mix.m - 1, 1))
    steep = np.zeros((p, len(mix.cell_df), mix.of_top.shape[1]))
    for c, g, k in mix.place:
        top, own = np.zeros(p), np.zeros(p)
        for side, at in (("a", pairs.i == g), ("b", pairs.j == g)):
            top += by_sum[f"top_{side}"][:, k] * at
            own += by_sum[f"bottom_{side}"][:, k] * at
        steep[:, c] += factor[g, k] * (
            np.outer(top, mix.of_top[k]) + np.outer(own, mix.of_bottom[k])
        )
        steep[:, c] += np.outer(by_sum["pool"][:, k], mix.of_bottom[k])
    steep[bad | bare] = 0.0
    found = influences(small, np.arange(mix.of_top.shape[1]), steep)
    return Estimated(value, found.psi, found.by_cell, np.maximum(mix.cell_df, 0.5), notes)

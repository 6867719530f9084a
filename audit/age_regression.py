"""Adjusted differences: what stays between two groups in a regression on age and the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audit.adjust import Design, Fit, fit
from audit.age_mix import YEARS, Mix, overlap_notes
from audit.block import Setting
from audit.collect import Collected
from audit.groups import Cell, Grouping, grouping
from audit.metrics.spline import N_BASIS, OUTCOMES, PAIRS, spline_layout
from audit.mix_rows import Estimated, Groups, Kind, Pairs, adjusted_rows
from audit.person_contrasts import influences
from audit.rows import AdjustedGap
from audit.units import GroupedSums, UnitSums, group_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def regression_rows(
    setting: Setting,
    table: Collected,
    others: tuple[str, ...],
    groups: Groups,
    mix: Mix,
    pairs: Pairs,
    narrow: UnitSums,
    boot: FloatArray,
) -> list[AdjustedGap]:
    """Adjusted differences of one metric of one combination that is not of age.

    Errors in years on a spline of the age for every group; shares and distances of age bands on the
    bands, the same for all groups. ``others`` are held equal too. ``narrow`` are the sums of the
    resampled units from which ``mix`` is made.
    """
    names = groups.grouping.names
    overlap = overlap_notes(mix, pairs, mix.pool, 0.0)
    notes = [note if note and not note.startswith("strata") else None for note in overlap]
    if groups.metric.name in YEARS:
        if table.splines is None:
            return []
        item = _cut(table, (*names, *others))
        grouped = group_sums(table.splines, item)
        found = _by_spline(groups, grouped, item, pairs, notes)
    else:
        item = _cut(table, (*names, *others, "age"))
        found = _by_band(groups, group_sums(narrow, item), mix, item, pairs, notes)
    kind = Kind("adjusted_difference", None, ("age", *others))
    return adjusted_rows(setting, groups, pairs, found, kind, boot)


def _cut(table: Collected, names: tuple[str, ...]) -> Grouping:
    return grouping(table.sums.cells, table.attributes, names, table.order)


def design_of(groups: Grouping, item: Grouping) -> Design:
    """Group of every cell of ``item``, and dummies of its further attributes but their first level.

    The attributes of ``groups`` come first in ``item``. An empty cell is a level of its own.
    """
    size = len(groups.names)
    at = {group: g for g, group in enumerate(groups.groups) if groups.known[g]}
    group = np.array([at.get(cell[:size], -1) for cell in item.groups], dtype=np.int64)
    columns = [
        [float(cell[k] == level) for cell in item.groups]
        for k in range(size, len(item.names))
        for level in _levels(item.groups, k)[1:]
    ]
    return Design(group, np.array(columns).reshape(len(columns), len(group)).T)


def _levels(cells: Sequence[Cell], k: int) -> list[str | None]:
    return sorted({cell[k] for cell in cells}, key=lambda value: (value is None, str(value)))


def spline_sums(totals: FloatArray, outcome: str) -> tuple[FloatArray, FloatArray]:
    """Sums of w z z' (C, Z, Z) and of w z y (C, Z) from the sums of the spline features (C, F)."""
    s = spline_layout().unpack(totals)
    zz = np.zeros((len(totals), N_BASIS + 1, N_BASIS + 1))
    zz[:, 0, 0] = s["w"]
    zz[:, 0, 1:] = zz[:, 1:, 0] = s["b"]
    for place, (k, j) in enumerate(PAIRS):
        zz[:, k + 1, j + 1] = zz[:, j + 1, k + 1] = s["bb"][:, place]
    return zz, np.concatenate([s[f"y_{outcome}"][:, None], s[f"by_{outcome}"]], axis=1)


def spline_slopes(found: Fit, outcome: str) -> FloatArray:
    """Derivative of the adjusted means by the sums of the spline features, (G, C, F)."""
    layout = spline_layout()
    out = np.zeros((*found.of_zy.shape[:2], layout.size))
    zz = found.of_zz + found.of_ages
    out[..., layout.columns("w")[0]] = zz[..., 0, 0]
    out[..., layout.columns("b")] = zz[..., 0, 1:] + zz[..., 1:, 0]
    for place, (k, j) in zip(layout.columns("bb"), PAIRS, strict=True):
        both = zz[..., k + 1, j + 1] + (zz[..., j + 1, k + 1] if k != j else 0.0)
        out[..., place] = both
    out[..., layout.columns(f"y_{outcome}")[0]] = found.of_zy[..., 0]
    out[..., layout.columns(f"by_{outcome}")] = found.of_zy[..., 1:]
    return out


def _by_spline(
    groups: Groups,
    grouped: GroupedSums,
    item: Grouping,
    pairs: Pairs,
    notes: list[str | None],
) -> Estimated:
    outcome = dict(zip(YEARS, OUTCOMES, strict=True))[groups.metric.name]
    totals = np.stack([grouped.of(c).sum(axis=0) for c in range(grouped.n_groups)])
    design = design_of(groups.grouping, item)
    found = fit(design, *spline_sums(totals, outcome))
    steep = spline_slopes(found, outcome)
    return _estimated(groups, found, steep, design, grouped, pairs, notes, N_BASIS + 1)


def _by_band(
    groups: Groups,
    grouped: GroupedSums,
    mix: Mix,
    item: Grouping,
    pairs: Pairs,
    notes: list[str | None],
) -> Estimated:
    totals = np.stack([grouped.of(c).sum(axis=0) for c in range(grouped.n_groups)])
    bottom, top = np.stack([mix.of_bottom[0], mix.of_top[0]]) @ totals.T
    design = design_of(groups.grouping, item)
    found = fit(design, bottom[:, None, None], top[:, None])
    steep = (found.of_zz + found.of_ages)[..., 0] * mix.of_bottom[0] + found.of_zy * mix.of_top[0]
    return _estimated(groups, found, steep, design, grouped, pairs, notes, 1)


def _estimated(
    groups: Groups,
    found: Fit,
    steep: FloatArray,
    design: Design,
    grouped: GroupedSums,
    pairs: Pairs,
    notes: list[str | None],
    own: int,
) -> Estimated:
    """Pairs of adjusted means; each group pays for the ``own`` parameters that are its alone."""
    who = groups
    value = found.mean[pairs.i] - found.mean[pairs.j]
    bad = np.isnan(value) | np.array([note is not None for note in notes])
    notes = [note or ("no_overlap" if b else None) for note, b in zip(notes, bad, strict=True)]
    slope = steep[pairs.i] - steep[pairs.j]
    slope[bad] = 0.0
    m = np.append(who.m, 0.0)[design.group]
    slope *= np.sqrt(m / np.maximum(m - own, 1.0))[:, None]
    psi = influences(grouped, np.arange(slope.shape[-1]), slope)
    parts = np.zeros((len(pairs), design.n_groups))
    for g in range(design.n_groups):
        parts[:, g] = psi.by_cell[:, design.group == g].sum(axis=1)
    df = np.minimum(who.m, who.effective)[: design.n_groups] - own
    return Estimated(np.where(bad, np.nan, value), psi.psi, parts, np.maximum(df, 0.5), notes)

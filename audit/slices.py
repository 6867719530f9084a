"""Worst slices: who is served worst among all groups of up to three attributes.

Looking for the worst of hundreds of groups and measuring it on the same people flatters: some group
is always bad by chance. So slices are found on one half of the persons (by hash) and measured on
the other half; p-values of the second half are honest, and Holm's correction is over the few slices
that were found. The price is half of the people.

A slice is kept when it is worse than the rest of each group that it is cut from, so that it is not
bad only because its parent is. Slices are ranked by the lower 95 % limit of their gap to everyone
else; of slices that are cut from one another the best ranked stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from audit.block import Block, Setting, build_block, faces, possible, rest_covariance
from audit.bootstrap import N_SPLITS
from audit.collect import Collected
from audit.estimates import Panel, Persons, estimate
from audit.families import holm
from audit.groups import Cell, grouping
from audit.hashing import folds
from audit.intervals import Contrast, difference
from audit.metrics.core import Layout, Metric
from audit.rows import Group, SliceRow
from audit.units import group_sums

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
HEADLINES = ("mae", "band_distance", "accuracy")
DEPTH, TOP = 3, 5
_ALPHA = 0.05
_REFINES = float(ndtri(0.95))
Items = frozenset[tuple[str, str | None]]


@dataclass(frozen=True, eq=False)
class _Half:
    """The sums of one half of the persons, with only the features that the metric needs."""

    setting: Setting
    table: Collected

    @property
    def n_persons(self) -> int:
        """How many persons are in this half."""
        return len(np.unique(self.table.sums.unit))

    def block(self, names: tuple[str, ...]) -> Block:
        """The groups of one combination that this half has."""
        table = self.table
        item = grouping(table.sums.cells, table.attributes, names, table.order)
        return build_block(self.setting, item, group_sums(table.sums, item), {})


@dataclass(frozen=True)
class _Candidate:
    label: Group
    score: float
    gap: float

    @property
    def items(self) -> Items:
        """The slice as {(attribute, value)}."""
        return frozenset(self.label.items())


def slice_rows(
    setting: Setting, table: Collected, names: Sequence[str]
) -> tuple[list[SliceRow], str]:
    """The worst slices of the headline metric, and what was searched, in words.

    The metric is ``mae``, else ``band_distance``, else ``accuracy``. Slices have at least ``min_n``
    persons in each half, as has everyone else. Persons that lie in several slices are counted in
    each, with the covariance of the two sides.
    """
    metric = next(m for name in HEADLINES for m in possible(setting) if m.name == name)
    find, confirm = _halves(setting, table, metric)
    if min(find.n_persons, confirm.n_persons) < 2 * setting.min_n:
        return [], f"not searched: a half of the persons has fewer than {2 * setting.min_n}"
    candidates, n_searched = [], 0
    for chosen in _subsets(names):
        here, there = find.block(chosen), confirm.block(chosen)
        confirmable = _enough(there, metric, setting.min_n)
        here_too = _enough(here, metric, setting.min_n)
        enough = np.array([g in here_too and g in confirmable for g in here.grouping.groups])
        n_searched += int(enough.sum())
        worse = _against_rest(here, metric, metric.better)
        better_than_parents = _refines(find, here, metric, setting.min_n)
        for g in np.flatnonzero(enough & better_than_parents & (worse.value > 0)):
            label = here.grouping.label(int(g))
            candidates.append(_Candidate(label, float(worse.low_90[g]), float(worse.value[g])))
    rows = [_row(confirm, metric, found) for found in _best(candidates)]
    p = np.array([np.nan if row.p is None else row.p for row in rows])
    adjusted = holm(p) if len(p) else p
    said = (
        f"{n_searched} slices of up to {DEPTH} of {', '.join(names)} with at least "
        f"{setting.min_n} persons in each half, by {metric.name}: the worst {len(rows)} found on "
        "one half of the persons (by hash) and measured on the other; Holm over these"
    )
    return [_adjusted(row, q, metric) for row, q in zip(rows, adjusted.tolist(), strict=True)], said


def _adjusted(row: SliceRow, p: float, metric: Metric) -> SliceRow:
    """With the p of the family; a slice that turns out better than the rest confirms nothing."""
    if np.isnan(p):
        return row
    worse = -(row.gap or 0.0) if metric.better == "higher" else row.gap or 0.0
    confirmed = p < _ALPHA and worse > 0
    return row.model_copy(update={"p_adjusted": p, "confirmed": confirmed})


def _halves(setting: Setting, table: Collected, metric: Metric) -> tuple[_Half, _Half]:
    """Both halves of the persons; split and folds of the debiasing are independent."""
    needed = tuple(dict.fromkeys((*metric.features, "n", "w")))
    layout = Layout({name: setting.layout.shapes[name] for name in needed})
    small = replace(
        setting,
        metrics=(metric,),
        layout=layout,
        columns=np.arange(layout.size, dtype=np.int64),
        counted=(),
    )
    sums = table.sums
    side = folds(sums.unit, setting.seed, N_SPLITS, 2)
    values = sums.values[:, setting.layout.columns(*needed)]
    parts = []
    for half in (0, 1):
        at = np.flatnonzero(side == half)
        present, cell = np.unique(sums.cell[at], return_inverse=True)
        cells = tuple(sums.cells[i] for i in present)
        part = replace(sums, cells=cells, unit=sums.unit[at], cell=cell, values=values[at])
        parts.append(_Half(small, replace(table, sums=part)))
    return parts[0], parts[1]


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for depth in range(1, min(DEPTH, len(names)) + 1):
        yield from combinations(names, depth)


def _enough(block: Block, metric: Metric, min_n: int) -> set[Cell]:
    """The known groups of at least ``min_n`` persons with as many outside."""
    here, rest = block.who[metric.key]
    good = block.grouping.known & (here.m >= min_n) & (rest.m >= min_n)
    return {block.grouping.groups[g] for g in np.flatnonzero(good)}


def _against_rest(block: Block, metric: Metric, better: str) -> Contrast:
    """Each group minus everyone else, turned so that worse is above 0."""
    a, b = block.estimates[metric.key], block.rest[metric.key]
    slopes = block.slopes[metric.key], block.rest_slopes[metric.key]
    cov = rest_covariance(block, *slopes, block.who[metric.key])
    found = difference(metric.interval, a, b, np.maximum(a.var + b.var - 2 * cov, 0))
    if better != "higher":
        return found
    return Contrast(-found.value, -found.high, -found.low, -found.high_90, -found.low_90, found.p)


def _refines(find: _Half, block: Block, metric: Metric, min_n: int) -> BoolArray:
    """Whether each group is worse than the rest of every group that it is cut from."""
    names, n_groups = block.grouping.names, len(block.grouping.groups)
    good = np.ones(n_groups, dtype=np.bool_)
    if len(names) == 1:
        return good
    sign = -1.0 if metric.better == "higher" else 1.0
    e, who = block.estimates[metric.key], block.who[metric.key][0]
    for drop in range(len(names)):
        keys = [group[:drop] + group[drop + 1 :] for group in block.grouping.groups]
        index = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        parent = np.array([index[key] for key in keys])
        others, m = _others(block, parent, who.m)
        people = Persons(m, m, np.full(n_groups, np.inf))
        left, _ = estimate(metric, find.setting.layout, others, people)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = sign * (e.value - left.value) / np.sqrt(e.var + left.var)
        good &= (m >= min_n) & (np.nan_to_num(z, nan=-np.inf) >= _REFINES)
    return good


def _others(block: Block, parent: npt.NDArray[np.int64], m: FloatArray) -> tuple[Panel, FloatArray]:
    """The rest of each group's parent: its sums less the group's own; and its persons."""
    groups, n_parents = block.panels.groups, int(parent.max()) + 1

    def left(values: FloatArray) -> FloatArray:
        total = np.zeros((n_parents, *values.shape[1:]))
        np.add.at(total, parent, values)
        return np.asarray(total[parent] - values)

    return Panel(left(groups.totals), left(groups.moments), groups.columns), left(m)


def _best(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best ranked, none cut from another; ties go to the slice of fewer attributes, by name."""
    chosen: list[_Candidate] = []
    ranked = sorted(
        (c for c in candidates if not np.isnan(c.score)),
        key=lambda c: (-round(c.score, 12), len(c.items), sorted(map(str, c.items))),
    )
    for candidate in ranked:
        nested = any(c.items <= candidate.items or candidate.items <= c.items for c in chosen)
        if not nested and len(chosen) < TOP:
            chosen.append(candidate)
    return chosen


def _row(confirm: _Half, metric: Metric, found: _Candidate) -> SliceRow:
    """The slice on the confirming half; the gap keeps the direction of the metric."""
    block = confirm.block(tuple(found.label))
    g = block.grouping.groups.index(tuple(found.label.values()))
    gap = _against_rest(block, metric, "lower")
    who = block.who[metric.key][0]
    bare = bool(np.isnan(gap.low[g]) or np.isnan(gap.high[g]))
    return SliceRow(
        metric=metric.name,
        class_=metric.class_,
        group=found.label,
        value=float(block.estimates[metric.key].value[g]),
        gap=float(gap.value[g]),
        low=None if bare else float(gap.low[g]),
        high=None if bare else float(gap.high[g]),
        p=None if bare else float(gap.p[g]),
        found=float(-found.gap if metric.better == "higher" else found.gap),
        n=round(faces(confirm.setting, metric, block.panels.groups)[g]),
        n_subjects=round(who.m[g]),
        note="zero_variance" if bare else None,
    )

"""Permutation of whole persons between groups: a second opinion on each group against the rest.

The statistic is studentised with the cluster error, so that groups of unequal scatter do not pass
for groups of unequal value (unstudentised: 14 % errors at nominal 5 %; Chung and Romano, 2013,
doi:10.1214/13-AOS1090). The persons of each group keep their number; their photos move with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.block import Setting, possible
from audit.errors import InputError
from audit.groups import Grouping, known_ages
from audit.hashing import Keys
from audit.metrics.core import Metric
from audit.moments import linear_sums
from audit.predictions import Predictions
from audit.units import UnitSums, person_keys, sample_keys

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
N_PERMUTATIONS = 999
MAX_PERSONS = 200_000
HEADLINES = ("mae", "within_band_accuracy", "accuracy")
_SLACK = 1e-12
_CHUNK = 2**22
_STREAM = 0x7065726D


@dataclass(frozen=True, eq=False)
class Permuted:
    """Two-sided p of every group of a combination (G,), or the note why there is none."""

    p: FloatArray | None = None
    note: str | None = None


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over persons (..., G): their number, and t, d of a ratio t / d with their products."""

    m: FloatArray
    t: FloatArray
    d: FloatArray
    tt: FloatArray
    td: FloatArray
    dd: FloatArray

    def map(self, f: Callable[[FloatArray], FloatArray]) -> _Sums:
        """The same function of every sum."""
        return _Sums(*(f(getattr(self, item.name)) for item in fields(self)))

    def square(self, value: FloatArray) -> FloatArray:
        """Cluster variance of t / d about a value: m / (m - 1) sum (t - value d)^2 / d^2."""
        found = self.tt - 2 * value * self.td + value**2 * self.dd
        return np.asarray(np.maximum(found, 0.0) / self.d**2 * self.m / (self.m - 1))


def permuted_metrics(setting: Setting) -> list[Metric]:
    """The metrics named beforehand; if none, the headline: MAE, band accuracy or accuracy."""
    metrics = [m for m in possible(setting) if m.interval != "none"]
    headline = [name for name in HEADLINES if any(m.name == name for m in metrics)][:1]
    return [metric for metric in metrics if metric.name in (setting.primary or headline)]


def permute(
    setting: Setting, sums: UnitSums, groupings: Sequence[Grouping], strata: IntArray | None = None
) -> list[dict[str, Permuted]]:
    """Permutation p of each group against the rest, per combination by ``metric.key``.

    Parameters
    ----------
    sums : UnitSums
        By person, not by bucket.
    strata : array (persons,), optional
        In the order of the sorted keys of the persons, who then move within their stratum only.

    Notes
    -----
    999 seeded permutations, the same for all metrics and combinations. T = [log M_g - log M_rest] /
    se for positive errors; for proportions the error is that about the pooled proportion, for
    signed metrics plain. p = (1 + #{abs(T*) >= abs(T)}) / 1000; within strata, where T* is not
    centred at 0, twice the smaller tail.
    """
    keys, person = np.unique(sums.unit, return_inverse=True)
    labels = [_labels(item, sums, person, len(keys)) for item in groupings]
    notes = [
        _note(item, label, len(keys), stratified=strata is not None)
        for item, label in zip(groupings, labels, strict=True)
    ]
    metrics = permuted_metrics(setting)
    found = [{m.key: Permuted(note=note or "no_permutation") for m in metrics} for note in notes]
    sound = {k: label for k, label in enumerate(labels) if notes[k] is None and label is not None}
    tables = {m.key: _table(setting, m, sums, person, len(keys)) for m in metrics if m.parts}
    if not sound or not tables:
        return found
    cells, code = np.unique(np.array([*sound.values()]), axis=1, return_inverse=True)
    blocks = _blocks(code.reshape(-1), cells, strata)
    drawn: dict[tuple[int, str], list[FloatArray]] = {}
    for codes in _shuffled(setting.seed, code.reshape(-1), blocks, cells.shape[1]):
        for metric in metrics:
            if metric.key not in tables:
                continue
            by_cell = _by_cell(codes, tables[metric.key], cells.shape[1])
            for row, k in enumerate(sound):
                t = _statistic(metric, _grouped(by_cell, cells[row], groupings[k]), groupings[k])
                drawn.setdefault((k, metric.key), []).append(t)
    for (k, key), parts in drawn.items():
        found[k][key] = Permuted(_two_sided(np.concatenate(parts), centred=strata is None))
    return found


def _note(item: Grouping, label: IntArray | None, n: int, *, stratified: bool) -> str | None:
    if not item.names:
        return "single_group"
    if n > MAX_PERSONS:
        return "too_many_persons"
    if label is None:
        return "varies_within_subject"
    return "fixed_by_strata" if stratified and "age" in item.names else None


def _labels(item: Grouping, sums: UnitSums, person: IntArray, n: int) -> IntArray | None:
    """The group of every person, -1 unknown; ``None`` if anybody lies in several groups."""
    group = np.where(item.known[item.of_cell], item.of_cell, -1)[sums.cell]
    low, high = np.full(n, len(item.groups)), np.full(n, -1)
    np.minimum.at(low, person, group)
    np.maximum.at(high, person, group)
    return None if (low != high).any() else high


def _table(
    setting: Setting, metric: Metric, sums: UnitSums, person: IntArray, n: int
) -> tuple[list[FloatArray], IntArray]:
    """Distinct columns (n,) of a metric's sums, and which of them each of the six sums is."""
    assert metric.parts is not None
    top, bottom = metric.parts(setting.layout.unpack(np.eye(setting.layout.size)))
    t, d = (np.bincount(person, linear_sums(sums.values, part), n) for part in (top, bottom))
    columns: list[FloatArray] = []
    which = []
    for column in ((d > 0).astype(np.float64), t, d, t * t, t * d, d * d):
        column = np.asarray(column, dtype=np.float64)
        same = [i for i, old in enumerate(columns) if np.array_equal(old, column)]
        which.append(same[0] if same else len(columns))
        if not same:
            columns.append(column)
    return columns, np.array(which)


def _blocks(code: IntArray, cells: IntArray, strata: IntArray | None) -> list[IntArray]:
    """The persons who may change places: of the same stratum, known in the same combinations."""
    pattern = (cells >= 0)[:, code]
    stacked = np.vstack([pattern, np.zeros(len(code)) if strata is None else strata])
    _, block = np.unique(stacked, axis=1, return_inverse=True)
    block = block.reshape(-1)
    order = np.argsort(block, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(block[order])) + 1)


def _shuffled(
    seed: int, code: IntArray, blocks: Sequence[IntArray], n_cells: int
) -> Iterator[IntArray]:
    """Cells of all persons, some permutations at a time (b, n); the first is the table as it is."""
    rng = np.random.default_rng([_STREAM, seed])
    order = np.concatenate(blocks)
    ends = np.cumsum([0, *map(len, blocks)])
    current = code[order]
    step = max(1, _CHUNK // max(len(code), n_cells))
    for start in range(0, N_PERMUTATIONS + 1, step):
        rows = []
        for draw in range(start, min(start + step, N_PERMUTATIONS + 1)):
            for first, last in pairwise(ends) if draw else ():
                rng.shuffle(current[first:last])
            row = np.empty_like(code)
            row[order] = current
            rows.append(row)
        yield np.array(rows)


def _by_cell(codes: IntArray, table: tuple[list[FloatArray], IntArray], n_cells: int) -> _Sums:
    """Sums by cell under every permutation (b, cells)."""
    columns, which = table
    summed = [
        np.array([np.bincount(code, column, n_cells) for code in codes]) for column in columns
    ]
    return _Sums(*(summed[i] for i in which))


def _grouped(sums: _Sums, group: IntArray, item: Grouping) -> _Sums:
    """Sums by group (b, G) of those by cell; unknown ones are left out."""
    known = np.flatnonzero(group >= 0)
    member = np.zeros((len(group), len(item.groups)))
    member[known, group[known]] = 1.0
    return sums.map(lambda part: part @ member)


def _statistic(metric: Metric, here: _Sums, item: Grouping) -> FloatArray:
    """Studentised difference of every group and the rest, (b, G); NaN where undefined."""
    total = here.map(lambda part: part[:, item.known].sum(axis=1, keepdims=True))
    there = _Sums(*(getattr(total, f.name) - getattr(here, f.name) for f in fields(here)))
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = here.t / here.d, there.t / there.d
        if metric.interval == "wilson":
            pooled = total.t / total.d
            found = (a - b) / np.sqrt(here.square(pooled) + there.square(pooled))
        elif metric.interval == "log_t":
            var = here.square(a) / a**2 + there.square(b) / b**2
            found = np.log(a / b) / np.sqrt(var)
        else:
            found = (a - b) / np.sqrt(here.square(a) + there.square(b))
    return np.where(np.isfinite(found), found, np.nan)


def _two_sided(t: FloatArray, *, centred: bool) -> FloatArray:
    """P of row 0 among all rows (B, G); ties within rounding count. NaN where undefined."""
    if centred:
        t = np.abs(t)
    slack = _SLACK * np.maximum(1.0, np.abs(t[0]))
    with np.errstate(invalid="ignore"):
        above = (t >= t[0] - slack).sum(axis=0) / len(t)
        below = (t <= t[0] + slack).sum(axis=0) / len(t)
    p = above if centred else np.minimum(1.0, 2 * np.minimum(above, below))
    return np.where(np.isnan(t).any(axis=0), np.nan, p)


def age_strata(shards: Sequence[Predictions], units: Keys) -> IntArray:
    """The decade of every person's median known age (persons,); -1 where no age is known.

    ``units`` are the sorted keys of the persons; for ages known as bands the lower edge counts.

    Raises
    ------
    InputError
        The table has no ages.
    """
    parts, start = [], 0
    for shard in shards:
        keys = person_keys(shard, sample_keys(shard, start))
        start += len(shard)
        ages = known_ages(shard)
        if ages is None:
            raise InputError(
                f"{shard.place}: --permute-within age: the table has no ages; add a column age, "
                "or leave the option out"
            )
        parts.append(pd.DataFrame({"key": keys, "age": np.where(ages.known, ages.low, np.nan)}))
    median = pd.concat(parts).groupby("key")["age"].median().reindex(units)
    return np.asarray(np.nan_to_num(np.floor(median.to_numpy() / 10), nan=-1.0), dtype=np.int64)

"""Families of one attribute combination: who is in them, and what they make of each contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Block, Setting
from audit.contrasts import Sides, analytic_critical, analytic_p, detectable, limits_at, statistic
from audit.families import LEVEL, UNSTABLE, Family, Hypotheses, family_of
from audit.intervals import Contrast
from audit.largest import Eligible, Resampled
from audit.metrics.core import Metric
from audit.pairs import Listed
from audit.ranges import pair_tests, plain
from audit.rest import Rest

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Contrasts adjusted for their family, arrays (m,); NaN where not tested, ``notes`` say why."""

    p: FloatArray
    low: FloatArray
    high: FloatArray
    detectable: FloatArray
    notes: Sequence[str | None]


def adjusted_rest(
    setting: Setting, metrics: Sequence[Metric], resampled: Resampled
) -> dict[str, Adjusted]:
    """Every group against the rest, by ``metric.key``: all classes of a metric are one family."""
    found: dict[str, Adjusted] = {}
    for members in _by_name(metrics):
        tests, unstable = [], []
        for metric in members:
            rest, t = resampled.rest[metric.key], resampled.rest_t.get(metric.key)
            shaky = np.zeros(len(rest.groups), dtype=np.bool_)
            maxima = None
            if t is not None and setting.n_boot:
                bad = ~np.isfinite(t)
                shaky[rest.tested] = bad.mean(axis=0) > UNSTABLE
                stable = np.abs(t[:, ~shaky[rest.tested]]).max(axis=1, initial=0.0)
                maxima = np.where(np.isfinite(stable), stable, np.nan)
            tests.append(_only(rest.sides, rest.tested & ~shaky, maxima))
            unstable.append(shaky)
        family = family_of(setting.adjust, tests)
        for metric, p, shaky in zip(members, family.p, unstable, strict=True):
            rest = resampled.rest[metric.key]
            notes = [
                "unstable_replicates" if s else family.note if t else _untested(rest, row)
                for row, (s, t) in enumerate(zip(shaky, rest.tested, strict=True))
            ]
            found[metric.key] = _adjusted(metric, rest.sides, rest.own, p, family, notes)
    return found


def adjusted_pairs(
    setting: Setting,
    block: Block,
    metrics: Sequence[Metric],
    listed: Mapping[str, Listed],
    eligible: Mapping[str, Eligible],
) -> dict[str, Adjusted]:
    """The listed pairs, each adjusted for all pairs of the metric (and its classes)."""
    found: dict[str, Adjusted] = {}
    for members in _by_name(metrics):
        tests = [pair_tests(eligible[m.key].pairs, eligible[m.key].maxima) for m in members]
        family = family_of(setting.adjust, tests)
        for metric, p in zip(members, family.p, strict=True):
            rows, all_of = listed[metric.key], eligible[metric.key]
            at = _position(all_of, rows, block.grouping.known)
            own_p = np.where(at >= 0, p[at] if len(p) else np.nan, np.nan)
            notes = [family.note if k >= 0 else None for k in at]
            if metric.masked and rows.classes is not None:
                differ = (rows.classes != all_of.classes).any(axis=1) & (at >= 0)
                own_p = np.where(differ, np.nan, own_p)
                notes = ["classes_differ" if d else n for d, n in zip(differ, notes, strict=True)]
            found[metric.key] = _adjusted(
                metric, rows.sides, rows.difference, own_p, family, notes, pairs=True
            )
    return found


def _by_name(metrics: Sequence[Metric]) -> list[list[Metric]]:
    names = dict.fromkeys(metric.name for metric in metrics)
    return [[metric for metric in metrics if metric.name == name] for name in names]


def _only(sides: Sides, tested: BoolArray, maxima: FloatArray | None) -> Hypotheses:
    t, p = (np.where(tested, x, np.nan) for x in (statistic(sides), analytic_p(sides)))
    return Hypotheses(t, p, maxima)


def _untested(rest: Rest, row: int) -> str | None:
    """The reason that the row itself does not give: it has an interval, but no statistic."""
    if rest.sides.kind == "log_t" and not np.isnan(rest.own.low[row]):
        zero = min(rest.sides.a.value[row], rest.sides.b.value[row]) <= 0
        return "zero_value" if zero else None
    return None


def _position(eligible: Eligible, rows: Listed, known: BoolArray) -> IntArray:
    """Index of every listed pair among all pairs of the eligible groups; -1 where not tested."""
    n = len(eligible.chosen)
    rank = np.full(len(known), -1, dtype=np.int64)
    rank[eligible.chosen] = np.arange(n)
    first, second = np.minimum(rank[rows.i], rank[rows.j]), np.maximum(rank[rows.i], rank[rows.j])
    return np.where(first >= 0, first * n - first * (first + 1) // 2 + second - first - 1, -1)


def _adjusted(
    metric: Metric,
    sides: Sides,
    own: Contrast,
    p: FloatArray,
    family: Family,
    notes: Sequence[str | None],
    *,
    pairs: bool = False,
) -> Adjusted:
    """Invert the adjusted test: never below the row's own p, never narrower than its interval."""
    bare = np.isnan(p) | np.isnan(own.low) | np.isnan(own.high)
    p = np.where(bare, np.nan, np.maximum(p, own.p))
    crit = _critical(sides, family)
    least = analytic_critical(plain(sides), LEVEL)
    low, high = limits_at(sides, np.maximum(crit, least) if sides.kind == "wilson" else crit)
    low, high = np.minimum(low, own.low), np.maximum(high, own.high)
    rejected = p < 1 - LEVEL
    low = np.where(rejected & (own.value > 0), np.maximum(low, 0.0), low)
    high = np.where(rejected & (own.value < 0), np.minimum(high, 0.0), high)
    low, high = (
        np.where(rejected, low, np.minimum(low, 0.0)),
        np.where(rejected, high, np.maximum(high, 0.0)),
    )
    worse = -1 if metric.better == "higher" else 1
    found = detectable(sides, np.maximum(crit, least), worse, both=pairs)
    low, high, found = (np.where(bare, np.nan, x) for x in (low, high, found))
    return Adjusted(p, low, high, found, notes)


def _critical(sides: Sides, family: Family) -> FloatArray:
    if family.level is not None:
        return analytic_critical(sides, family.level)
    return np.full(len(sides.cov), np.nan if family.critical is None else family.critical)

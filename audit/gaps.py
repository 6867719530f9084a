"""Gap rows: pairs, each group against the rest, and the largest gap of an attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from audit.block import (
    RANGE_LIMITED,
    Block,
    Setting,
    class_support,
    covariance_of,
    faces,
    possible,
    rest_covariance,
    values_of,
)
from audit.estimates import Persons, estimate, pair_covariances
from audit.intervals import Contrast, Estimates, difference, log_ratio, order_p
from audit.largest import Resampled, largest_row, range_row
from audit.metrics.core import Metric
from audit.rows import AdjustedGap, AggregateGap, PairGap, RangeGap, RestGap
from audit.values import percentile_limits

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyGap = PairGap | RestGap | RangeGap | AggregateGap | AdjustedGap
MAX_GROUPS_FOR_PAIRS = 12
N_LARGEST = 20


@dataclass(frozen=True, eq=False)
class _Sides:
    """Both sides of some gaps, index arrays into groups, and who enters them; ``j`` -1 is rest."""

    i: IntArray
    j: IntArray
    who_a: Persons
    who_b: Persons
    n_a: FloatArray
    n_b: FloatArray


def gap_rows(setting: Setting, block: Block, resampled: Resampled) -> list[AnyGap]:
    """Every gap of one attribute combination."""
    rows: list[AnyGap] = []
    for metric in possible(setting):
        if metric.interval == "none":
            continue
        if metric.name in RANGE_LIMITED and "age" in block.grouping.names:
            rows.append(range_row(block, metric, None, "range_restricted"))
            continue
        value = values_of(block, metric)
        usable = np.flatnonzero(block.grouping.known & ~np.isnan(value))
        if len(usable) < 2:
            rows.append(range_row(block, metric, None, "single_group"))
            continue
        i, j = _chosen_pairs(setting, block, value, usable)
        rows += _pair_rows(setting, block, metric, i, j)
        rows += _rest_rows(setting, block, metric, usable)
        rows.append(largest_row(setting, block, metric, resampled))
    return rows


def listed_pairs(gaps: Sequence[AnyGap]) -> list[AnyGap]:
    """Of all pairs only those that a record lists: above 12 groups the 20 largest differences."""

    def family(gap: AnyGap) -> tuple[str, str | None, tuple[str, ...]]:
        return gap.metric, gap.class_, tuple(gap.attributes)

    def sides(gap: PairGap) -> str:
        return f"{gap.a} {gap.b}"

    by_family: dict[tuple[str, str | None, tuple[str, ...]], list[PairGap]] = {}
    for gap in gaps:
        if isinstance(gap, PairGap) and gap.kind == "difference":
            by_family.setdefault(family(gap), []).append(gap)
    most = MAX_GROUPS_FOR_PAIRS * (MAX_GROUPS_FOR_PAIRS - 1) // 2
    kept = {
        key: {sides(gap) for gap in sorted(rows, key=lambda r: -abs(r.value or 0.0))[:N_LARGEST]}
        for key, rows in by_family.items()
        if len(rows) > most
    }
    return [
        gap
        for gap in gaps
        if not isinstance(gap, PairGap)
        or family(gap) not in kept
        or sides(gap) in kept[family(gap)]
    ]


def _chosen_pairs(
    setting: Setting, block: Block, value: FloatArray, usable: IntArray
) -> tuple[IntArray, IntArray]:
    """Pairs in text order: all of them for at most 12 groups, else the 20 largest gaps."""
    text = sorted(usable, key=lambda g: tuple(map(str, block.grouping.groups[g])))
    first, second = np.triu_indices(len(text), 1)
    i, j = np.array(text)[first], np.array(text)[second]
    if len(usable) > MAX_GROUPS_FOR_PAIRS and not setting.all_pairs:
        gap = np.abs(value[i] - value[j])
        order = np.argsort(-np.round(gap, 12), kind="stable")[:N_LARGEST]
        i, j = i[order], j[order]
    return i, j


def _pair_rows(
    setting: Setting, block: Block, metric: Metric, i: IntArray, j: IntArray
) -> list[AnyGap]:
    n, who = faces(setting, metric, block.panels.groups), block.who[metric.key][0]
    sides = _Sides(i, j, who.take(i), who.take(j), n[i], n[j])
    if metric.quantile is not None:
        q = block.quantiles[metric.key]
        shifted = q.value + q.replicates - q.grid
        found = _sampled(shifted[:, i], shifted[:, j], q.value[i], q.value[j])
        rows = _rows(setting, block, metric, sides, found[0], "difference", "percentile")
        return rows + _rows(setting, block, metric, sides, found[1], "ratio", "percentile (log)")
    a, b, var, few = _pair_estimates(setting, block, metric, i, j)
    method = "score_neff" if metric.interval == "wilson" else "cluster_t"
    gap = _without(difference(metric.interval, a, b, var), few)
    rows = _rows(setting, block, metric, sides, gap, "difference", method, few=few)
    if metric.has_ratio:
        ratio = _exp(_without(log_ratio(metric.interval, a, b, var), few), a.value, b.value)
        method = "mover_wilson" if metric.interval == "wilson" else "cluster_t"
        rows += _rows(setting, block, metric, sides, ratio, "ratio", f"{method} (log)", few=few)
    return rows


def _pair_estimates(
    setting: Setting, block: Block, metric: Metric, i: IntArray, j: IntArray
) -> tuple[Estimates, Estimates, FloatArray, BoolArray]:
    """Estimates of both sides, on the classes that both have where the metric is a class mean."""
    e, who = block.estimates[metric.key], block.who[metric.key][0]
    if not metric.masked:
        cov = covariance_of(block, metric)[i, j]
        a, b = e.take(i), e.take(j)
        return a, b, np.maximum(a.var + b.var - 2 * cov, 0), np.zeros(len(i), dtype=np.bool_)
    here, _, scarce, _ = class_support(block, setting)
    joint = here[i] & here[j]
    groups = block.panels.groups
    a, slope_a = estimate(metric, setting.layout, groups.take(i), who.take(i), joint)
    b, slope_b = estimate(metric, setting.layout, groups.take(j), who.take(j), joint)
    cov = _pair_covariance(block, metric, i, j, slope_a, slope_b)
    few = np.asarray((joint & (scarce[i] | scarce[j])).any(axis=1), dtype=np.bool_)
    return a, b, np.maximum(a.var + b.var - 2 * cov, 0), few


def _pair_covariance(
    block: Block, metric: Metric, i: IntArray, j: IntArray, slope_a: FloatArray, slope_b: FloatArray
) -> FloatArray:
    if block.panels.cross is None:
        return np.zeros(len(i))
    found = pair_covariances(block.grouped, block.moments.shares, i, j, slope_a, slope_b)
    m = block.who[metric.key][0].m
    factor = np.sqrt(m / np.maximum(m - 1, 1))
    return found * factor[i] * factor[j]


def _rest_rows(setting: Setting, block: Block, metric: Metric, usable: IntArray) -> list[AnyGap]:
    here, there = (who.take(usable) for who in block.who[metric.key])
    n_a = faces(setting, metric, block.panels.groups)[usable]
    n_b = faces(setting, metric, block.panels.rest)[usable]
    sides = _Sides(usable, np.full(len(usable), -1), here, there, n_a, n_b)
    if metric.quantile is not None:
        q = block.quantiles[metric.key]
        a = q.value[usable] + (q.replicates - q.grid)[:, usable]
        b = q.rest[usable] + (q.rest_replicates - q.rest_grid)[:, usable]
        gap, _ = _sampled(a, b, q.value[usable], q.rest[usable])
        return _rows(setting, block, metric, sides, gap, "vs_rest", "percentile")
    few = np.zeros(len(usable), dtype=np.bool_)
    if metric.masked:
        support, rest_support, scarce, rest_scarce = class_support(block, setting)
        joint = (support & rest_support)[usable]
        groups, rest = block.panels.groups.take(usable), block.panels.rest.take(usable)
        a_, slope = estimate(metric, setting.layout, groups, here, joint)
        b_, rest_slope = estimate(metric, setting.layout, rest, there, joint)
        lacking = joint & (scarce | rest_scarce)[usable]
        few = np.asarray(lacking.any(axis=1), dtype=np.bool_)
    else:
        a_, b_ = block.estimates[metric.key].take(usable), block.rest[metric.key].take(usable)
        slope, rest_slope = block.slopes[metric.key], block.rest_slopes[metric.key]
        slope, rest_slope = slope[usable], rest_slope[usable]
    cross = block.panels.cross
    part = replace(block.panels, cross=None if cross is None else cross[usable])
    cov = rest_covariance(replace(block, panels=part), slope, rest_slope, (here, there))
    var = np.maximum(a_.var + b_.var - 2 * cov, 0)
    gap = _without(difference(metric.interval, a_, b_, var), few)
    method = "score_neff" if metric.interval == "wilson" else "cluster_t"
    return _rows(setting, block, metric, sides, gap, "vs_rest", method, few=few)


def _sampled(
    a: FloatArray, b: FloatArray, value_a: FloatArray, value_b: FloatArray
) -> tuple[Contrast, Contrast]:
    """Difference and ratio of quantiles from their replicates (B, pairs)."""
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        cases = ((a - b, value_a - value_b), (np.log(a / b), np.log(value_a / value_b)))
    for samples, value in cases:
        value = np.where(np.isfinite(value), value, np.nan)
        samples = np.where(np.isfinite(samples), samples, np.nan)
        low, high, low_90, high_90 = percentile_limits(samples)
        p = np.array(
            [
                order_p(s[~np.isnan(s)]) if not np.isnan(x) else np.nan
                for s, x in zip(samples.T, low, strict=True)
            ]
        )
        found.append(Contrast(value, low, high, low_90, high_90, p))
    return found[0], _exp(found[1], value_a, value_b)


def _exp(c: Contrast, a: FloatArray, b: FloatArray) -> Contrast:
    """A log ratio as a ratio; a numerator of 0 keeps its value but has no interval."""
    value = np.where((a == 0) & (b > 0), 0.0, np.exp(c.value))
    return Contrast(value, np.exp(c.low), np.exp(c.high), np.exp(c.low_90), np.exp(c.high_90), c.p)


def _without(c: Contrast, bad: BoolArray) -> Contrast:
    """A contrast whose intervals are not to be trusted in some rows."""

    def hidden(x: FloatArray) -> FloatArray:
        return np.where(bad, np.nan, x)

    return Contrast(
        c.value, hidden(c.low), hidden(c.high), hidden(c.low_90), hidden(c.high_90), hidden(c.p)
    )


def _rows(
    setting: Setting,
    block: Block,
    metric: Metric,
    sides: _Sides,
    c: Contrast,
    kind: str,
    method: str,
    few: BoolArray | None = None,
) -> list[AnyGap]:
    by_age = metric.name == "bias" and "age" in block.grouping.names
    rows: list[AnyGap] = []
    for row in range(len(sides.i)):
        small = min(sides.who_a.m[row], sides.who_b.m[row]) < setting.min_n
        bare = np.isnan(c.low[row]) or np.isnan(c.high[row])
        notes = [
            _gap_note(metric, c, sides, row, kind, few=few is not None and bool(few[row])),
            "below_min_n" if small else None,
            "regression_to_mean" if by_age else None,
        ]
        content = {
            "metric": metric.name,
            "class": metric.class_,
            "attributes": list(block.grouping.names),
            "a": block.grouping.label(int(sides.i[row])),
            "value": float(c.value[row]),
            "low": float(c.low[row]) if not bare else None,
            "high": float(c.high[row]) if not bare else None,
            "low_90": float(c.low_90[row]) if not bare else None,
            "high_90": float(c.high_90[row]) if not bare else None,
            "method": None if bare else method,
            "p": None if small else float(c.p[row]),
            "family": f"{metric.name}/{','.join(block.grouping.names)}",
            "n_a": round(sides.n_a[row]),
            "n_b": round(sides.n_b[row]),
            "n_subjects_a": round(sides.who_a.m[row]),
            "n_subjects_b": round(sides.who_b.m[row]),
            "note": "; ".join(note for note in notes if note) or None,
        }
        if kind == "vs_rest":
            rows.append(RestGap(kind="vs_rest", **content))
        else:
            b = block.grouping.label(int(sides.j[row]))
            rows.append(PairGap(kind=kind, b=b, **content))
    return rows


def _gap_note(
    metric: Metric, c: Contrast, sides: _Sides, row: int, kind: str, *, few: bool
) -> str | None:
    if np.isnan(c.value[row]):
        return "denominator_near_zero" if kind == "ratio" else "undefined_group"
    if not (np.isnan(c.low[row]) or np.isnan(c.high[row])):
        return None
    if few:
        return "few_per_class"
    if kind == "ratio" and c.value[row] == 0:
        return "zero_value"
    if min(sides.who_a.m[row], sides.who_b.m[row]) <= 1:
        return "one_subject"
    if min(sides.who_a.effective[row], sides.who_b.effective[row]) < 2 and metric.quantile is None:
        return "few_effective"
    return "zero_variance" if metric.quantile is None else "too_few_replicates"

"""Metric rows: every metric in every group, with its interval or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.block import RANGE_LIMITED, Block, Setting, class_support, values_of
from audit.families import MIN_REPLICATES, UNSTABLE
from audit.intervals import limits, order_interval
from audit.metrics.core import Metric
from audit.pooling import pooled_values
from audit.rows import MetricRow

FloatArray = npt.NDArray[np.float64]
METHODS = {
    "log_t": "cluster_t (log)",
    "logit_t": "cluster_t (logit)",
    "t": "cluster_t",
    "fisher_t": "cluster_t (Fisher z)",
    "wilson": "wilson_neff",
    "percentile": "percentile",
}


def metric_rows(
    setting: Setting,
    block: Block,
    classes: Sequence[str],
    null_expected: Mapping[str, FloatArray],
) -> list[MetricRow]:
    """Rows of every metric in every group of a combination."""
    rows: list[MetricRow] = []
    sums = block.sums(setting.layout)
    for metric in setting.metrics:
        if metric.name in setting.impossible:
            rows += _impossible(setting, block, metric, sums)
            continue
        counts = _counts(block, metric, sums)
        intervals = _intervals(setting, block, metric)
        extra = _extra_notes(setting, block, metric, classes)
        value = values_of(block, metric)
        expected = null_expected.get(metric.name)
        pooled = pooled_values(block, metric)
        for g in _groups(block):
            low, high, low_90, high_90 = (float(part[g]) for part in intervals)
            bare = bool(np.isnan(low) or np.isnan(high))
            note = _note(setting, block, metric, sums, g, bare=bare)
            notes = [part for part in (note, extra.get(g)) if part]
            rows.append(
                MetricRow(
                    metric=metric.name,
                    class_=metric.class_,
                    group=block.grouping.label(g),
                    value=float(value[g]),
                    low=low,
                    high=high,
                    low_90=low_90,
                    high_90=high_90,
                    method=None if np.isnan(low) else METHODS[metric.interval],
                    null_expected=None if expected is None else float(expected[g]),
                    note="; ".join(notes) or None,
                    **({} if pooled is None else pooled.of(g)),
                    **counts[g],
                )
            )
    return rows


def _groups(block: Block) -> range:
    return range(len(block.grouping.groups))


def _counts(block: Block, metric: Metric, sums: dict[str, FloatArray]) -> list[dict[str, Any]]:
    n = metric.counts(sums) if metric.counts is not None else sums["n"]
    who = block.who[metric.key][0]
    return [
        {
            "n": round(n[g]),
            "n_subjects": round(who.m[g]),
            "m_eff": float(who.effective[g]),
            "n_failed": round(sums["failed_n"][g]),
            "n_unlabelled": round(sums["unlabelled_n"][g]),
        }
        for g in _groups(block)
    ]


def _impossible(
    setting: Setting, block: Block, metric: Metric, sums: dict[str, FloatArray]
) -> list[MetricRow]:
    counts = _counts(block, next(m for m in setting.metrics if m.key in block.who), sums)
    return [
        MetricRow(
            metric=metric.name,
            class_=metric.class_,
            group=block.grouping.label(g),
            value=None,
            note=setting.impossible[metric.name],
            **counts[g],
        )
        for g in _groups(block)
    ]


def _intervals(setting: Setting, block: Block, metric: Metric) -> tuple[FloatArray, ...]:
    value = values_of(block, metric)
    nothing = np.full(len(value), np.nan)
    if metric.interval == "none":
        return (nothing,) * 4
    if metric.quantile is not None:
        q = block.quantiles[metric.key]
        return percentile_limits(q.value + q.replicates - q.grid)
    e = block.estimates[metric.key]
    found: tuple[FloatArray, ...] = (
        *limits(metric.interval, e, 0.95),
        *limits(metric.interval, e, 0.90),
    )
    if metric.unit == "coefficient":
        found = tuple(np.clip(part, -1.0, 1.0) for part in found)
    if metric.masked:
        too_few = class_support(block, setting)[2].any(axis=1)
        found = tuple(np.where(too_few, np.nan, part) for part in found)
    broken = np.isnan(value) | np.isnan(found[0]) | np.isnan(found[1])
    return tuple(np.where(broken, np.nan, part) for part in found)


def percentile_limits(samples: FloatArray) -> tuple[FloatArray, ...]:
    """95 % and 90 % limits of every column of replicates (B, G); NaN if over 1 % are undefined."""
    found = np.full((4, samples.shape[1]), np.nan)
    for g in range(samples.shape[1]):
        column = samples[:, g]
        good = column[~np.isnan(column)]
        if len(column) and len(column) - len(good) <= UNSTABLE * len(column):
            found[:2, g], found[2:, g] = order_interval(good, 0.95), order_interval(good, 0.90)
    return tuple(found)


def _note(
    setting: Setting,
    block: Block,
    metric: Metric,
    sums: dict[str, FloatArray],
    g: int,
    *,
    bare: bool,
) -> str | None:
    value, who = values_of(block, metric)[g], block.who[metric.key][0]
    if np.isnan(value):
        if sums["n"][g] == 0 and metric.name != "failure_rate":
            return "empty_group"
        here = {name: part[g] for name, part in sums.items()}
        return metric.undefined_note(here) if metric.undefined_note else metric.undefined
    if metric.interval == "none":
        return metric.bare
    if not bare:
        return None
    if who.m[g] <= 1:
        return "one_subject"
    if metric.quantile is None and who.effective[g] < 2:
        return "few_effective"
    if metric.quantile is not None:
        n = len(block.quantiles[metric.key].replicates)
        return "too_few_replicates" if n < MIN_REPLICATES else "unstable_replicates"
    if metric.masked and class_support(block, setting)[2][g].any():
        return "few_per_class"
    return "zero_variance"


def _extra_notes(
    setting: Setting, block: Block, metric: Metric, classes: Sequence[str]
) -> dict[int, str]:
    if metric.name in RANGE_LIMITED and "age" in block.grouping.names:
        return dict.fromkeys(_groups(block), "range_restricted")
    if not metric.masked:
        return {}
    support = class_support(block, setting)[0]
    found = {}
    for g in _groups(block):
        absent = [name for name, here in zip(classes, support[g], strict=True) if not here]
        if absent and support[g].any():
            found[g] = f"classes_excluded: {', '.join(absent)}".replace("; ", ", ")
    return found

"""Calibration that needs rows: sorted statistics, and what perfect calibration would show.

In a perfectly calibrated world labels are drawn from the probabilities. The same draws give the
mean of every plug-in error at this n and the bands in which the reliability curves would lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Setting
from audit.calibration_curves import Curves, curve_rows, curves_to_draw
from audit.groups import Grouping
from audit.metrics.binning import N_BINS, RAW_SUFFIX
from audit.metrics.calibration import calibration_metrics
from audit.metrics.calibration_null import NULL_DRAWS, null_draws
from audit.metrics.isotonic import (
    Ordered,
    brier_parts,
    cumulative_differences,
    cumulative_null,
    isotonic,
    ordered,
)
from audit.rows import CurveRow
from audit.units import UnitSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BRIER_DRAWS = 20
"""Draws for the mean of the miscalibration, which takes K isotonic fits of every group."""
_BRIER = ("brier_miscalibration", "brier_discrimination", "brier_uncertainty")
_CUMULATIVE = ("ecce_mad", "ecce_range")


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Of one combination: statistics and expected errors by metric, (G,) each, and curves."""

    values: Mapping[str, FloatArray]
    expected: Mapping[str, FloatArray]
    curves: tuple[CurveRow, ...] = ()


@dataclass(frozen=True, eq=False)
class _Sorted:
    """The faces of one combination in order of confidence, and of every class's probability."""

    grouping: Grouping
    confidence: Ordered
    by_class: tuple[Ordered, ...]


def calibrations(
    setting: Setting,
    sums: UnitSums,
    groupings: Sequence[Grouping],
    edges: Mapping[str, Mapping[int, FloatArray]],
) -> list[Calibrated]:
    """Everything about calibration that sums do not hold, for every combination."""
    rows = sums.rows
    assert rows is not None
    parts = [
        _one_set(setting, sums, groupings, proba, edges[suffix], suffix)
        for suffix, proba in (("", rows.proba), (RAW_SUFFIX, rows.raw))
        if proba is not None and len(proba)
    ]
    return [
        Calibrated(
            {name: value for part in parts for name, value in part[i].values.items()},
            {name: value for part in parts for name, value in part[i].expected.items()},
            tuple(row for part in parts for row in part[i].curves),
        )
        for i in range(len(groupings))
    ]


def _one_set(
    setting: Setting,
    sums: UnitSums,
    groupings: Sequence[Grouping],
    proba: FloatArray,
    edges: Mapping[int, FloatArray],
    suffix: str,
) -> list[Calibrated]:
    rows = sums.rows
    assert rows is not None
    assert rows.y is not None
    assert rows.sample is not None
    kept = rows.weight > 0  # the isotonic fit knows no face without weight
    weight, label, top = rows.weight[kept], rows.y[kept], proba[kept].argmax(axis=1)
    items = [_sorted(item, rows.cell[kept], proba[kept], weight) for item in groupings]
    drawn = [curves_to_draw(s.grouping, s.confidence, top == label, weight) for s in items]
    totals: list[dict[str, FloatArray]] = [{} for _ in items]
    chosen = calibration_metrics(proba.shape[1], N_BINS, suffix)
    draws = null_draws(
        proba,
        rows.sample,
        rows.weight,
        rows.cell,
        len(sums.cells),
        edges,
        setting.seed,
        suffix=suffix,
    )
    for number, (labels, cells) in enumerate(draws):
        labels = labels[kept]
        for item, total, curves in zip(items, totals, drawn, strict=True):
            grouped = {name: _by_group(part, item.grouping) for name, part in cells.items()}
            found = {m.name: m.formula(grouped) / NULL_DRAWS for m in chosen}
            if number < BRIER_DRAWS:
                part = _brier(item.by_class, labels, weight)[0] / BRIER_DRAWS
                found[_BRIER[0] + suffix] = part
            for name, value in found.items():
                total[name] = total.get(name, 0.0) + value
            if curves is not None and not suffix:
                hits = item.confidence.hits(top == labels, weight)
                curves.drawn[number] = isotonic(item.confidence, hits)[curves.at]
    return [
        _result(item, total, curves, label, top == label, weight, suffix)
        for item, total, curves in zip(items, totals, drawn, strict=True)
    ]


def _sorted(grouping: Grouping, cell: IntArray, proba: FloatArray, weight: FloatArray) -> _Sorted:
    group, n_groups = grouping.of_cell[cell], len(grouping.groups)
    by_class = tuple(ordered(proba[:, j], group, n_groups, weight) for j in range(proba.shape[1]))
    return _Sorted(grouping, ordered(proba.max(axis=1), group, n_groups, weight), by_class)


def _brier(
    by_class: Sequence[Ordered], label: IntArray, weight: FloatArray
) -> tuple[FloatArray, ...]:
    parts = [brier_parts(o, o.hits(label == j, weight)) for j, o in enumerate(by_class)]
    return tuple(np.sum(part, axis=0) for part in zip(*parts, strict=True))


def _result(
    item: _Sorted,
    expected: dict[str, FloatArray],
    curves: Curves | None,
    label: IntArray,
    right: npt.NDArray[np.bool_],
    weight: FloatArray,
    suffix: str,
) -> Calibrated:
    differences = cumulative_differences(item.confidence, item.confidence.hits(right, weight))
    values = dict(zip(_BRIER, _brier(item.by_class, label, weight), strict=True))
    values |= dict(zip(_CUMULATIVE, differences, strict=True))
    null = dict(zip(_CUMULATIVE, cumulative_null(item.confidence), strict=True))
    return Calibrated(
        {name + suffix: value for name, value in values.items()},
        expected | {name + suffix: value for name, value in null.items()},
        () if curves is None or suffix else tuple(curve_rows(item.grouping, curves)),
    )


def _by_group(part: FloatArray, item: Grouping) -> FloatArray:
    found = np.zeros((len(item.groups), *part.shape[1:]))
    np.add.at(found, item.of_cell, part)
    return found

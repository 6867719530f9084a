"""Calibration that needs rows: sorted statistics, and what perfect calibration would show.

In a perfectly calibrated world labels are drawn from the probabilities. The same draws give the
mean of every plug-in error at this n and the bands in which the reliability curves would lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from audit.block import Setting
from audit.calibration_curves import curve_rows, curves
from audit.groups import MAX_DRAWN, Grouping
from audit.metrics.binning import N_BINS, RAW_SUFFIX
from audit.metrics.calibration import calibration_metrics
from audit.metrics.calibration_null import NULL_DRAWS, null_sums, redrawn_labels
from audit.metrics.isotonic import (
    Ordered,
    brier_parts,
    cumulative_differences,
    cumulative_null,
    ordered,
    rising,
)
from audit.rows import CurveRow
from audit.units import UnitSums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BRIER_DRAWS = 20
"""Most draws for the mean of the miscalibration, which takes K isotonic fits of every group."""
_FEWEST_DRAWS = 3
_BRIER = ("brier_miscalibration", "brier_discrimination", "brier_uncertainty")
_CUMULATIVE = ("ecce_mad", "ecce_range")


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Of one combination: statistics and expected errors by metric, (G,) each, and curves."""

    values: Mapping[str, FloatArray]
    expected: Mapping[str, FloatArray]
    curves: tuple[CurveRow, ...] = ()


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
    labels = redrawn_labels(proba, rows.sample, setting.seed, NULL_DRAWS)
    plug_in = _plug_in(setting, sums, groupings, proba, labels, edges, suffix)
    kept = rows.weight > 0  # the isotonic fit knows no face without weight
    drawn = np.compress(kept, labels, axis=1)
    faces = _Faces(proba[kept], rows.y[kept], rows.weight[kept], drawn)
    groups = [item.of_cell[rows.cell[kept]] for item in groupings]
    brier = _brier(faces, groups, groupings)
    sure = _confidence(faces, groups, groupings, with_curves=not suffix)
    return [
        Calibrated(
            _named({**parts.values, **order.values}, suffix),
            expected | _named({**parts.expected, **order.expected}, suffix),
            order.curves,
        )
        for expected, parts, order in zip(plug_in, brier, sure, strict=True)
    ]


def _named(found: Mapping[str, FloatArray], suffix: str) -> dict[str, FloatArray]:
    return {name + suffix: value for name, value in found.items()}


@dataclass(frozen=True, eq=False)
class _Faces:
    """Probabilities (n, K), true labels and weights (n,), and drawn labels (draws, n)."""

    proba: FloatArray
    label: IntArray
    weight: FloatArray
    drawn: IntArray


def _plug_in(
    setting: Setting,
    sums: UnitSums,
    groupings: Sequence[Grouping],
    proba: FloatArray,
    labels: IntArray,
    edges: Mapping[int, FloatArray],
    suffix: str,
) -> list[dict[str, FloatArray]]:
    """The mean of every plug-in error of binned scores under perfect calibration."""
    rows = sums.rows
    assert rows is not None
    chosen = calibration_metrics(proba.shape[1], N_BINS, suffix)
    members = [item.membership for item in groupings]
    totals = [{m.name: np.zeros(member.shape[0]) for m in chosen} for member in members]
    drawn = null_sums(proba, labels, rows.weight, rows.cell, len(sums.cells), edges, suffix)
    for cells in drawn:
        for member, total in zip(members, totals, strict=True):
            grouped = {name: _by_group(part, member) for name, part in cells.items()}
            for m in chosen:
                total[m.name] += m.formula(grouped) / len(labels)
    return totals


def _by_group(part: FloatArray, member: csr_array) -> FloatArray:
    found = member @ part.reshape(len(part), -1)
    return np.asarray(found).reshape(member.shape[0], *part.shape[1:])


def _brier(
    faces: _Faces, groups: Sequence[IntArray], groupings: Sequence[Grouping]
) -> list[Calibrated]:
    """The parts of the Brier score, and its miscalibration under perfect calibration."""
    sizes = [len(item.groups) for item in groupings]
    parts = [np.zeros((len(_BRIER), size)) for size in sizes]
    expected = [np.zeros(size) for size in sizes]
    for j in range(faces.proba.shape[1]):
        order = rising(faces.proba[:, j])
        for i, group in enumerate(groups):
            o = ordered(faces.proba[:, j], group, sizes[i], faces.weight, order)
            parts[i] += brier_parts(o, o.hits(faces.label == j))
            expected[i] += _expected(o, faces.drawn, j)
    return [
        Calibrated(dict(zip(_BRIER, part, strict=True)), {_BRIER[0]: mean})
        for part, mean in zip(parts, expected, strict=True)
    ]


def _expected(o: Ordered, drawn: IntArray, j: int) -> FloatArray:
    """The mean miscalibration of class j under perfect calibration, (G,).

    The larger a group, the less one draw scatters: the standard error of the mean is about 4 % of
    it from 1,000 faces on.
    """
    faces = np.maximum(o.by_group(np.diff(o.first).astype(np.float64)), 1.0)
    wanted = np.clip(np.round(BRIER_DRAWS * (1000 / faces) ** 0.3), _FEWEST_DRAWS, BRIER_DRAWS)
    total = np.zeros(len(faces))
    for number in range(BRIER_DRAWS):
        more = wanted > number
        if number in wanted:
            o = o.only(more)
        found = brier_parts(o, o.hits(drawn[number] == j))[0]
        total += np.where(more, found, 0.0)
    return total / wanted


def _confidence(
    faces: _Faces,
    groups: Sequence[IntArray],
    groupings: Sequence[Grouping],
    *,
    with_curves: bool,
) -> list[Calibrated]:
    """Cumulative differences, what they are under perfect calibration, and isotonic curves."""
    confidence, top = faces.proba.max(axis=1), faces.proba.argmax(axis=1)
    order, found = rising(confidence), []
    for item, group in zip(groupings, groups, strict=True):
        o = ordered(confidence, group, len(item.groups), faces.weight, order)
        hits = o.hits(top == faces.label)
        rows: tuple[CurveRow, ...] = ()
        if with_curves and len(item.groups) <= MAX_DRAWN:
            drawn = (o.hits(label == top) for label in faces.drawn)
            rows = tuple(curve_rows(item, curves(o, hits, drawn)))
        values = dict(zip(_CUMULATIVE, cumulative_differences(o, hits), strict=True))
        null = dict(zip(_CUMULATIVE, cumulative_null(o), strict=True))
        found.append(Calibrated(values, null, rows))
    return found

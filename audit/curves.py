"""Curves: reliability, confusion and error by age, for groups few enough to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from audit.bands import parse_band
from audit.block import Block, Setting, possible
from audit.calibration_curves import DESCRIPTIONS as CALIBRATION
from audit.estimates import estimate, panels, persons_of
from audit.groups import MAX_DRAWN, in_order
from audit.intervals import critical, limits, wilson
from audit.metrics.core import Array, Layout, Metric, Sums, divide, ratio_of
from audit.moments import Moments
from audit.rows import CurveRow, Group

FloatArray = npt.NDArray[np.float64]

DESCRIPTIONS = {
    "reliability": "x: mean confidence of an equal-width bin, y: accuracy in it with a 95 % "
    "interval, z: share of the faces, n: faces",
    **CALIBRATION,
    "confusion": "x: true class, y: predicted class, z: faces (weighted), n: faces of the true "
    "class",
    "relabel_flow": "x: label before training, y: label after it, z: faces (weighted), n: faces of "
    "the label before",
    "where": "class: a source of maps, x: column from the left, y: row from the top, 1 to 7, of "
    "the canonical face, z: mean share of where the model looked, of at least 20 people, "
    "rounded to 0.001; x and y 'all' where they are fewer",
    "mae_by_age": "x: lower edge of the age band in years, y: MAE in years with 95 % interval",
    "bias_by_age": "x: lower edge of the age band in years, y: mean signed error in years with "
    "95 % interval; falls with age by regression to the mean",
    "error_density": "x: lower edge in years of a bin of the signed error, 5 years wide and around "
    "0 from -2.5 to 2.5, -37.5: all below -32.5, 32.5: all of 32.5 and above, y: share of the "
    "faces in it with a 95 % interval by person, n: faces of the group",
    "gate_fpr": "class: a legal age, x: challenge age in years, y: share of people under the "
    "legal age who pass, with a 95 % interval by person at each point",
    "gate_fnr": "class: a legal age, x: challenge age in years, y: share of people of legal age "
    "who do not pass, with a 95 % interval by person at each point",
    "gate_fpr_by_year": "class: legal age : challenge age, x: true age in whole years, y: share "
    "who pass, with a 95 % interval by person",
    "gate_fnr_by_year": "class: legal age : challenge age, x: true age in whole years (100: 100 "
    "and above), y: share who do not pass, with a 95 % interval by person",
    "pit": "x: lower edge of a bin of the probability integral transform F(true age), y: share of "
    "the faces in it with a 95 % interval by person, z: the share if calibrated; high at both "
    "ends: distributions too narrow, high in the middle: too wide, at one end: shifted",
    "age_over_reliability": "class: an age in years, x: mean predicted probability of being at "
    "least that old in an equal-width bin, y: share of faces who are, with a 95 % interval by "
    "person, z: share of the faces in the bin",
    "within_band_accuracy_by_age": "x: lower edge of the true band in years, y: share of estimates "
    "in the true band with 95 % interval",
    "band_distance_by_age": "x: lower edge of the true band in years, y: mean distance of the "
    "estimate to the true band in years with 95 % interval",
}
_MATRICES = {"confusion": ("confusion", "true_n"), "relabel_flow": ("flow", "flow_n")}
_COUNTED = ("bin_n", *(n for _, n in _MATRICES.values()))
BY_AGE = ("mae", "bias", "within_band_accuracy", "band_distance")


def expression_curves(setting: Setting, block: Block, classes: Sequence[str]) -> list[CurveRow]:
    """Reliability, confusion and relabels of every group, unless there are too many."""
    if len(block.grouping.groups) > MAX_DRAWN:
        return []
    sums = block.sums(setting.layout)
    who = _persons_by_column(setting, block)
    rows: list[CurveRow] = []
    for g in range(len(block.grouping.groups)):
        for name, (cells, n) in _MATRICES.items():
            if cells in sums:
                label, counts = block.grouping.label(g), (sums[n][g], who[n][g])
                rows += _matrix(name, label, classes, sums[cells][g], *counts)
        rows += _reliability(block, sums, who["bin_n"][g], g)
    return rows


def counted_columns(layout: Layout) -> tuple[Metric, ...]:
    """Numbers of faces whose persons the curves tell: of each class, and of each bin."""

    def column(name: str, j: int) -> Metric:
        def parts(s: Sums) -> tuple[Array, Array]:
            return s[name][..., j], s[name][..., j]

        return Metric(
            name=name,
            class_=str(j),
            interval="none",
            unit="faces",
            better="none",
            definition="faces",
            source="counted",
            features=(name,),
            formula=ratio_of(parts),
            parts=parts,
        )

    names = [name for name in _COUNTED if name in layout.shapes]
    return tuple(column(name, j) for name in names for j in range(layout.shapes[name][0]))


def _persons_by_column(setting: Setting, block: Block) -> dict[str, FloatArray]:
    """Persons of every group by feature that is counted: (G, columns)."""
    columns, whole = counted_columns(setting.layout), block.moments
    counted, known = whole.wanted.coefficients, block.grouping.known
    who = persons_of(columns, setting.layout, whole.tally, counted, known)
    found: dict[str, list[FloatArray]] = {}
    for column in columns:
        found.setdefault(column.name, []).append(who[column.key][0].m)
    return {name: np.stack(part, axis=-1) for name, part in found.items()}


def _matrix(
    name: str,
    group: Group,
    classes: Sequence[str],
    cells: FloatArray,
    n: FloatArray,
    persons: FloatArray,
) -> list[CurveRow]:
    """A row for every pair of classes; ``n`` and ``persons`` are of the first."""
    return [
        CurveRow(
            name=name,
            group=group,
            x=one,
            y=other,
            z=float(cells[i, j]),
            n=round(n[i]),
            n_subjects=round(persons[i]),
        )
        for i, one in enumerate(classes)
        for j, other in enumerate(classes)
    ]


def _reliability(
    block: Block, sums: dict[str, np.ndarray], persons: FloatArray, g: int
) -> list[CurveRow]:
    n, w = sums["bin_n"][g], sums["bin_w"][g]
    accuracy, confidence = divide(sums["bin_hit"][g], w), divide(sums["bin_conf"][g], w)
    e = block.estimates["accuracy"]
    effective = n * np.minimum(e.n_eff[g] / max(sums["n"][g], 1.0), 1.0)
    z = critical(np.full(len(n), e.df[g]), np.zeros(len(n), dtype=np.bool_), 0.95)
    low, high = wilson(accuracy, effective, z)
    return [
        CurveRow(
            name="reliability",
            group=block.grouping.label(g),
            x=float(confidence[b]),
            y=float(accuracy[b]),
            z=float(w[b] / w.sum()),
            low=float(low[b]),
            high=float(high[b]),
            n=round(n[b]),
            n_subjects=round(persons[b]),
        )
        for b in np.flatnonzero(w > 0)
    ]


def age_curves(
    setting: Setting,
    whole: Moments,
    names: tuple[str, ...],
    order: Mapping[str, Mapping[str, int]],
) -> list[CurveRow]:
    """Error by age band from a combination whose last attribute is the age."""
    rows: list[CurveRow] = []
    groups = in_order(whole.groups, names, order)
    whole = whole.at(groups)
    known = np.array([None not in group for group in groups], dtype=np.bool_)
    panel = panels(whole, known).groups
    metrics = [m for m in possible(setting) if m.name in BY_AGE]
    who = persons_of(metrics, setting.layout, whole.tally, whole.wanted.coefficients, known)
    counts = setting.layout.unpack(panel.totals)["n"]
    for metric in metrics:
        e = estimate(metric, setting.layout, panel, who[metric.key][0])[0]
        low, high = limits(metric.interval, e, 0.95)
        for g, group in enumerate(groups):
            band = None if group[-1] is None else parse_band(group[-1])
            if band is None or np.isnan(e.value[g]):
                continue
            rows.append(
                CurveRow(
                    name=f"{metric.name}_by_age",
                    group=dict(zip(names[:-1], group[:-1], strict=True)),
                    x=band[0],
                    y=float(e.value[g]),
                    low=float(low[g]),
                    high=float(high[g]),
                    n=round(counts[g]),
                    n_subjects=round(who[metric.key][0].m[g]),
                )
            )
    return rows

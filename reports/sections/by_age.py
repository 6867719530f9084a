"""Error and signed error along the true age, for everyone and for each group."""

from __future__ import annotations

from typing import NamedTuple

from audit.result import AuditResult
from reports.blocks import Block, Figure, Panel, Prose, Section, Size
from reports.figures import lines
from reports.format import combination_label, group_label
from reports.sections.curves import (
    MAX_IN_SIGHT,
    MAX_PANELS,
    Curve,
    curves_of,
    line_of,
    points_table,
)
from reports.words import level_words


class Measure(NamedTuple):
    """A curve along the true age."""

    curve: str
    title: str
    unit: str


# Exact errors where ages are known exactly, else what is known of bands.
MEASURES = (
    (
        Measure("mae_by_age", "mean absolute error", "years"),
        Measure("bias_by_age", "mean signed error", "years"),
    ),
    (
        Measure("within_band_accuracy_by_age", "share within the known age band", "share"),
        Measure("band_distance_by_age", "distance to the known age band", "years"),
    ),
)
_X = "true age, lower edge of the band (years)"
_CAUTION = (
    "A fall of the signed error with age is partly regression to the mean: any imperfect estimate "
    "is pulled towards the middle of the ages it was trained on. Compare groups at the same age."
)


def build(result: AuditResult) -> Section | None:
    """Curves of everyone, then one figure for each attribute with a panel for each group."""
    drawn = {row.name for row in result.curves if row.y is not None}
    pairs = [pair for pair in MEASURES if any(measure.curve in drawn for measure in pair)]
    blocks: list[Block] = []
    for measure in pairs[0] if pairs else ():
        arranged = curves_of(result, measure.curve)
        everyone = arranged.pop((), [])
        id = measure.curve.replace("_", "-")
        if everyone:
            blocks.append(_figure(result, measure, id, everyone, [], "everyone"))
        for i, (names, curves) in enumerate(arranged.items()):
            by = f"by {combination_label(names)}"
            blocks.append(_figure(result, measure, f"{id}-{i}", curves, everyone, by))
    if not blocks:
        return None
    return Section("by-age", "Error by age", (Prose((_CAUTION,)), *blocks))


def _figure(
    result: AuditResult,
    measure: Measure,
    id: str,
    curves: list[Curve],
    everyone: list[Curve],
    by: str,
) -> Figure:
    full = f"{measure.title.capitalize()} by true age: {by}"
    signed = measure.curve == "bias_by_age"
    axis = f"{measure.title}, {measure.unit}"
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        quiet = [line_of(c, measure.unit, quiet=True) for c in everyone]
        spec = lines([*quiet, line_of(curve, measure.unit)], x_axis=_X, y_axis=axis, zero=signed)
        label = group_label(curve.group)
        points = sum(row.y is not None for row in curve.rows)
        alt = f"{full}. {label}: {points} points, in the table."
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 330 if everyone else 300))
    caption = f"Bars are {level_words(result)} intervals."
    caption += " Positive: over-estimated." if signed else ""
    caption += " The dashed line is everyone." if everyone else ""
    if len(curves) > MAX_PANELS:
        caption += f" The first {MAX_PANELS} of {len(curves)} groups are drawn."
    rows = points_table(f"{id}-table", full, curves, (_X, axis, ""), measure.unit)
    size: Size = "full" if not everyone else "half" if len(curves) <= 4 else "small"
    fold = len(curves) > MAX_IN_SIGHT
    return Figure(f"{id}-figure", full, caption, tuple(panels), rows, size, fold=fold)

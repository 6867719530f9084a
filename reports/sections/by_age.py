"""Error and signed error along the true age, for everyone and for each group."""

from __future__ import annotations

from typing import NamedTuple

from audit.result import AuditResult
from reports.blocks import Block, Figure, Panel, Prose, Section, Size
from reports.figures import lines
from reports.format import METRIC_TITLES, beside, capital, group_label, sentences, unit_name
from reports.language import english, say
from reports.sections.curves import (
    MAX_IN_SIGHT,
    MAX_PANELS,
    Curve,
    curves_of,
    line_of,
    points_table,
)
from reports.sections.errors import ridge_blocks
from reports.sections.marks import bars_words, panels_words
from reports.words import by


class Measure(NamedTuple):
    """A curve along the true age."""

    curve: str
    title: str
    unit: str


# Exact errors where ages are known exactly, else what is known of bands.
MEASURES = (
    (
        Measure("mae_by_age", METRIC_TITLES["mae"], "years"),
        Measure("bias_by_age", METRIC_TITLES["bias"], "years"),
    ),
    (
        Measure("within_band_accuracy_by_age", METRIC_TITLES["within_band_accuracy"], "share"),
        Measure("band_distance_by_age", METRIC_TITLES["band_distance"], "years"),
    ),
)
_X = english("true age, lower edge of the band (years)")
_CAUTION = english(
    "A fall of the signed error with age is partly regression to the mean: any imperfect estimate "
    "is pulled towards the middle of the ages it was trained on. Compare groups at the same age."
)


def build(result: AuditResult) -> Section | None:
    """Curves of everyone, then of each attribute, at last how errors spread in the groups."""
    drawn = {row.name for row in result.curves if row.y is not None}
    pairs = [pair for pair in MEASURES if any(measure.curve in drawn for measure in pair)]
    blocks: list[Block] = []
    for measure in pairs[0] if pairs else ():
        arranged = curves_of(result, measure.curve)
        everyone = arranged.pop((), [])
        id = measure.curve.replace("_", "-")
        if everyone:
            blocks.append(_figure(result, measure, id, everyone, [], say("everyone")))
        for i, (names, curves) in enumerate(arranged.items()):
            of = by(list(names))
            blocks.append(_figure(result, measure, f"{id}-{i}", curves, everyone, of))
    blocks += ridge_blocks(result)
    if not blocks:
        return None
    return Section("by-age", say("Error by age"), (Prose((say(_CAUTION),)), *blocks))


def _figure(
    result: AuditResult,
    measure: Measure,
    id: str,
    curves: list[Curve],
    everyone: list[Curve],
    of: str,
) -> Figure:
    full = say("{metric} by true age: {of}", metric=capital(say(measure.title)), of=of)
    signed = measure.curve == "bias_by_age"
    x_axis, axis = say(_X), beside(say(measure.title), unit_name(measure.unit))
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        quiet = [line_of(c, measure.unit, quiet=True) for c in everyone]
        line = line_of(curve, measure.unit)
        spec = lines([*quiet, line], x_axis=x_axis, y_axis=axis, zero=signed)
        label = group_label(curve.group)
        n = sum(row.y is not None for row in curve.rows)
        alt = say("{title}. {name}: {n} points, in the table.", title=full, name=label, n=n)
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 330 if everyone else 300))
    caption = sentences(
        bars_words(result),
        say("Positive: over-estimated.") if signed else "",
        say("The dashed line is everyone.") if everyone else "",
        panels_words(len(curves), MAX_PANELS),
    )
    rows = points_table(f"{id}-table", full, curves, (x_axis, axis, ""), measure.unit)
    size: Size = "full" if not everyone else "half" if len(curves) <= 4 else "small"
    fold = len(curves) > MAX_IN_SIGHT
    return Figure(f"{id}-figure", full, caption, tuple(panels), rows, size, fold=fold)

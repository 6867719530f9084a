"""Reliability curves: of the faces given a confidence, how many were right, group by group."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Figure, Panel, Prose, Section
from reports.figures import lines
from reports.format import combination_label, group_label
from reports.sections.curves import MAX_PANELS, Curve, curves_of, line_of, points_table
from reports.words import level_words

_READING = (
    "A point below the dotted diagonal is over-confident: the model was right less often than its "
    "confidence said. Bins with few faces scatter by chance; the share of faces in each bin is in "
    "the table. Calibration errors in the tables of groups are biased upward in small groups."
)
_HEADS = ("mean confidence", "accuracy", "share of faces")


def build(result: AuditResult) -> Section | None:
    """The curve of everyone, then a panel for each group against it."""
    arranged = curves_of(result, "reliability")
    if not arranged:
        return None
    everyone = arranged.pop((), [])
    blocks: list[Block] = [Prose((_READING,))]
    if everyone:
        blocks.append(_figure(result, "reliability", everyone, [], "everyone"))
    for i, (names, curves) in enumerate(arranged.items()):
        by = f"by {combination_label(names)}"
        blocks.append(_figure(result, f"reliability-{i}", curves, everyone, by))
    return Section("calibration", "Calibration", tuple(blocks))


def _figure(
    result: AuditResult, id: str, curves: list[Curve], everyone: list[Curve], by: str
) -> Figure:
    title = f"Reliability: {by}"
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        drawn = [*(line_of(c, "", quiet=True) for c in everyone), line_of(curve, "")]
        spec = lines(
            drawn, x_axis="mean confidence", y_axis="accuracy", diagonal=True, unit_square=True
        )
        label = group_label(curve.group)
        alt = (
            f"{title}. {label}: {sum(row.y is not None for row in curve.rows)} bins, in the table."
        )
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 320))
    caption = f"Bars are {level_words(result)} intervals; bins without a face have no point."
    caption += " The dashed line is everyone." if everyone else ""
    if len(curves) > MAX_PANELS:
        caption += f" The first {MAX_PANELS} of {len(curves)} groups are drawn."
    rows = points_table(f"{id}-table", title, curves, _HEADS, "")
    return Figure(f"{id}-figure", title, caption, tuple(panels), rows, "small")

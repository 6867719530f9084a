"""Error and signed error along the true age, for everyone and for each group."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Figure, Panel, Prose, Section, Size
from reports.figures import lines
from reports.format import combination_label, group_label
from reports.sections.curves import MAX_PANELS, Curve, curves_of, line_of, points_table
from reports.words import level_words

CURVES = (
    ("mae_by_age", "mean absolute error"),
    ("bias_by_age", "mean signed error"),
)
_X = "true age, lower edge of the band (years)"
_CAUTION = (
    "A fall of the signed error with age is partly regression to the mean: any imperfect estimate "
    "is pulled towards the middle of the ages it was trained on. Compare groups at the same age."
)


def build(result: AuditResult) -> Section | None:
    """Curves of everyone, then one figure for each attribute with a panel for each group."""
    blocks: list[Block] = []
    for name, title in CURVES:
        arranged = curves_of(result, name)
        everyone = arranged.pop((), [])
        if everyone:
            blocks.append(_figure(result, name, title, everyone, [], "everyone"))
        for i, (names, curves) in enumerate(arranged.items()):
            by = f"by {combination_label(names)}"
            blocks.append(_figure(result, f"{name}-{i}", title, curves, everyone, by))
    if not blocks:
        return None
    return Section("by-age", "Error by age", (Prose((_CAUTION,)), *blocks))


def _figure(
    result: AuditResult, id: str, title: str, curves: list[Curve], everyone: list[Curve], by: str
) -> Figure:
    id = id.replace("_", "-")
    full = f"{title.capitalize()} by true age: {by}"
    signed = title == "mean signed error"
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        drawn = [*(line_of(c, "years", quiet=True) for c in everyone), line_of(curve, "years")]
        spec = lines(drawn, x_axis=_X, y_axis=f"{title}, years", zero=signed)
        label = group_label(curve.group)
        alt = (
            f"{full}. {label}: {sum(row.y is not None for row in curve.rows)} points, in the table."
        )
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 330 if everyone else 300))
    caption = f"Bars are {level_words(result)} intervals."
    caption += " Positive: over-estimated." if signed else ""
    caption += " The dashed line is everyone." if everyone else ""
    if len(curves) > MAX_PANELS:
        caption += f" The first {MAX_PANELS} of {len(curves)} groups are drawn."
    rows = points_table(f"{id}-table", full, curves, (_X, f"{title}, years", ""), "years")
    size: Size = "full" if not everyone else "half" if len(curves) <= 4 else "small"
    return Figure(f"{id}-figure", full, caption, tuple(panels), rows, size)

"""Whether groups are of the same ages: where they are not, errors that grow with age differ."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Size, Table, table
from reports.data_set.lookup import CHANCE, statistics
from reports.figures import lines
from reports.format import (
    combination_label,
    count,
    group_label,
    number,
    sentences,
)
from reports.language import english, say
from reports.sections.curves import MAX_PANELS, Curve, curves_of, line_of, points_table
from reports.words import level_words, mark_of

_READING = english(
    "The overlap is the part of a group's ages that everyone else has too: 1 where the ages are "
    "shared out alike, 0 where nobody else is of these ages. Where it is small, a model's errors "
    "differ between the groups because ages do; compare such groups at equal age. By chance alone "
    "small groups overlap less; the value beside it is what the same groups would show if age told "
    "nothing of the group."
)
_X = english("lower edge of the age band (years)")


def build(result: AuditResult) -> Section | None:
    """The overlap of every group, and its ages."""
    overlaps = [
        _overlap(result, names, f"overlap-{i}")
        for i, names in enumerate(result.spec.combinations)
        if statistics(result, "age_overlap", names)
    ]
    if not overlaps:
        return None
    blocks: list[Block] = [Prose((say(_READING),)), *overlaps]
    for i, (names, curves) in enumerate(curves_of(result, "age_share").items()):
        blocks.append(_figure(result, names, curves, f"ages-{i}"))
    return Section("ages", say("Ages of groups"), tuple(blocks))


def _overlap(result: AuditResult, names: list[str], id: str) -> Table:
    marks: dict[str, str] = {}
    rows = [
        [
            Cell(group_label(row.group or {}), head=True),
            Cell(number(row.value), row.value,
                 mark_of(None if row.note == "biased_extreme" else row.note, marks)),
            Cell(number(row.null_expected), row.null_expected),
            Cell(count(row.n), row.n),
        ]
        for row in statistics(result, "age_overlap", names)
    ]  # fmt: skip
    heads = (say("overlap of ages with everyone else"), say(CHANCE), say("faces"))
    columns = (Column(combination_label(names)), *(Column(head, numeric=True) for head in heads))
    caption = say("{groups}: overlap of ages", groups=combination_label(names))
    fold = caption if len(names) > 1 else None
    return table(id, caption, columns, rows, summary=fold, footnotes=marks)


def _figure(result: AuditResult, names: tuple[str, ...], curves: list[Curve], id: str) -> Figure:
    title = say("Ages by {groups}", groups=combination_label(names))
    ends = [end for c in curves for r in c.rows for end in (r.y, r.high) if end is not None]
    top = 1.05 * max(map(float, ends), default=1.0)
    panels = []
    for i, curve in enumerate(curves[:MAX_PANELS]):
        label = group_label(curve.group)
        spec = lines([line_of(curve, "share")], x_axis=say(_X), y_axis=say("share of the group"))
        spec["layout"]["yaxis"]["range"] = [0, top]
        alt = say(
            "{title}. {group}: {n} age bands, in the table.",
            title=title, group=label, n=len(curve.rows),
        )  # fmt: skip
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 280))
    caption = say(
        "Share of each age band within the group, with its {level} interval by person. Bands may "
        "be of different widths.",
        level=level_words(result),
    )
    if len(curves) > MAX_PANELS:
        first = say("The first {n} of {all} groups are drawn.", n=MAX_PANELS, all=len(curves))
        caption = sentences(caption, first)
    size: Size = "half" if len(curves) <= 4 else "small"
    rows = points_table(f"{id}-table", title, curves, (say(_X), say("share"), ""), "share")
    return Figure(f"{id}-figure", title, caption, tuple(panels), rows, size)

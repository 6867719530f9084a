"""The challenge age of a gate: both errors along it, and the least one that meets a target."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Table, table
from reports.figures import lines
from reports.format import count, group_label, note_words, number, plain, plural
from reports.lookup import metric_row
from reports.sections.curves import (
    MAX_IN_SIGHT,
    MAX_PANELS,
    Curve,
    banded,
    curves_of,
    line_of,
    points_table,
)
from reports.words import by, level_words, mark_of

SIDES = (("gate_fpr", "too young and passed"), ("gate_fnr", "of age and stopped"))


def blocks_of(result: AuditResult, legal: str) -> list[Block]:
    """What there is for one legal age."""
    arranged = {name: curves_of(result, name, legal) for name, _ in SIDES}
    everyone = {name: arranged[name].pop((), []) for name, _ in SIDES}
    blocks: list[Block] = []
    if any(everyone.values()):
        blocks.append(_whole(result, legal, everyone))
    if result.spec.gate_target is not None:
        blocks += _target(result, legal)
    for name, words in SIDES:
        for i, (names, curves) in enumerate(arranged[name].items()):
            id = f"{name}-{legal}-{i}".replace("_", "-").replace(".", "-")
            title = f"{words.capitalize()} by challenge age for {legal}, {by(list(names))}"
            fold = name == "gate_fnr" or len(curves) > MAX_IN_SIGHT
            found = _by_group(result, id, title, words, curves, everyone[name], fold=fold)
            blocks.append(found)
    return [Heading(f"challenge-{legal}", f"Challenge age for {legal}"), *blocks] if blocks else []


def _whole(result: AuditResult, legal: str, everyone: dict[str, list[Curve]]) -> Figure:
    """Both errors of everyone, beside one another."""
    title = f"Operating curves for {legal}: everyone"
    panels, drawn = [], []
    for name, words in SIDES:
        for curve in everyone[name]:
            spec = lines(
                banded(curve.rows, words), x_axis="challenge age, years", y_axis=f"share {words}",
                top=_top([curve], _aim(result, name), bands=True), target=_aim(result, name),
            )  # fmt: skip
            alt = f"{title}, {words}: {len(curve.rows)} points, in the table."
            panel_id = f"{name}-{legal}".replace("_", "-")
            panels.append(Panel(panel_id, words.capitalize(), alt, spec, 310))
            drawn.append((words, curve))
    caption = (
        "A higher challenge age lets fewer people pass too young and stops more who are of age. "
        f"Bands are {level_words(result)} intervals by person at each point."
    )
    caption += " Dotted: the target." if result.spec.gate_target is not None else ""
    id = f"operating-{legal}"
    return Figure(f"{id}-figure", title, caption, tuple(panels), _both(drawn, id, title), "half")


def _both(drawn: list[tuple[str, Curve]], id: str, title: str) -> Table:
    """Both curves in one table, told apart by their error."""
    found = [
        points_table(id, title, [curve], ("challenge age", "share", ""), "") for _, curve in drawn
    ]
    rows = [
        [Cell(words, head=True), *row[1:]]
        for (words, _), one in zip(drawn, found, strict=True)
        for row in one.rows
    ]
    columns = (Column("error"), *found[0].columns[1:])
    return table(f"{id}-table", title, columns, rows)


def _by_group(
    result: AuditResult,
    id: str,
    title: str,
    words: str,
    curves: list[Curve],
    everyone: list[Curve],
    *,
    fold: bool,
) -> Figure:
    aim = _aim(result, curves[0].rows[0].name)
    top = _top([*curves, *everyone], aim)
    quiet = [line_of(curve, "", quiet=True) for curve in everyone]
    panels = []
    for k, curve in enumerate(curves[:MAX_PANELS]):
        label = group_label(curve.group)
        spec = lines(
            [*quiet, *banded(curve.rows, label)], x_axis="challenge age, years",
            y_axis=f"share {words}", top=top, target=aim,
        )  # fmt: skip
        people = plural(curve.rows[0].n_subjects, "person", "people")
        alt = f"{title}. {label}: {len(curve.rows)} points from {people}, in the table."
        panels.append(Panel(f"{id}-plot-{k}", f"{label}, {people}", alt, spec, 290))
    caption = (
        f"Bands are {level_words(result)} intervals by person at each point. Dashed: everyone."
    )
    caption += " Dotted: the target." if aim is not None else ""
    if len(curves) > MAX_PANELS:
        caption += f" The first {MAX_PANELS} of {len(curves)} groups are drawn."
    rows = points_table(
        f"{id}-table", title, curves, ("challenge age, years", f"share {words}", ""), ""
    )
    return Figure(f"{id}-figure", title, caption, tuple(panels), rows, "small", fold=fold)


def _aim(result: AuditResult, name: str) -> float | None:
    """The target, which is one of people who pass too young."""
    return result.spec.gate_target if name == "gate_fpr" else None


def _top(curves: list[Curve], target: float | None, *, bands: bool = False) -> float:
    """Where the axis ends: above every value; bands of a few faces may go beyond it."""
    ends = [float(row.y) for curve in curves for row in curve.rows if row.y is not None]
    if bands:
        ends += [row.high for curve in curves for row in curve.rows if row.high is not None]
    return min(max(1.2 * max(ends, default=0.0), 2 * (target or 0.0), 0.02), 1.02)


def _target(result: AuditResult, legal: str) -> list[Block]:
    """The least challenge age of each group that keeps to the target."""
    rows = [r for r in result.metrics if r.metric == "challenge_age" and r.class_ == legal]
    if not rows:
        return []
    return [Prose((target_words(result, legal),)), _least(result, legal, rows)]


def target_words(result: AuditResult, legal: str) -> str:
    """Which challenge age keeps to the target in every group, as the record has it."""
    target = number(result.spec.gate_target)
    row = metric_row(result, "challenge_age_every_group", {}, legal)
    why = note_words(row.note if row and row.note != "descriptive" else None)
    if row is None or row.value is None:
        words = f"No challenge age is shown to keep every group to at most {target}"
        return f"{words} who pass too young{': ' if why else ''}{why}."
    return (
        f"From a challenge age of {row.value:g} years on, at most {target} of those under "
        f"{plain(legal)} pass in every tested group, with {level_words(result)} confidence in each"
        f"{'; ' if why else ''}{why}."
    )


def _least(result: AuditResult, legal: str, rows: list[MetricRow]) -> Table:
    marks: dict[str, str] = {}
    lines_ = []
    for row in rows:
        note = row.note if row.value is None else None
        shown = number(None) if row.value is None else f"{row.value:g}"
        lines_.append([
            Cell(" × ".join(map(plain, row.group)), head=True), Cell(group_label(row.group)),
            Cell(shown, row.value, mark_of(note, marks)),
            Cell(count(row.n), row.n), Cell(count(row.n_subjects), row.n_subjects),
        ])  # fmt: skip
    numbers = ("challenge age, years", "faces too young", "people too young")
    columns: tuple[str | Column, ...] = (
        "groups by",
        "group",
        *(Column(name, numeric=True) for name in numbers),
    )
    caption = f"Least challenge age for {legal} that keeps to {number(result.spec.gate_target)}"
    more = (
        f"From it on, the upper {level_words(result)} limit of those who pass too young is at most "
        "the target. Groups of fewer people need a higher one to be as sure."
    )
    return table(f"least-{legal}", caption, columns, lines_, footnotes=marks, more=more)

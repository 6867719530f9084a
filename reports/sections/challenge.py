"""The challenge age of a gate: both errors along it, and the least one that meets a target."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Table, table
from reports.figures import lines
from reports.format import (
    beside,
    capital,
    count,
    group_label,
    note_words,
    number,
    people,
    plain,
    semicolons,
    sentences,
)
from reports.language import english, say
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
from reports.sections.marks import panels_words
from reports.words import by, level_words, mark_of

SIDES = (
    ("gate_fpr", english("too young and passed")),
    ("gate_fnr", english("of age and stopped")),
)


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
            title = say(
                "{side} by challenge age for {legal}, {by}",
                side=capital(say(words)), legal=legal, by=by(list(names)),
            )  # fmt: skip
            fold = name == "gate_fnr" or len(curves) > MAX_IN_SIGHT
            share = say("share {side}", side=say(words))
            found = _by_group(result, id, title, share, curves, everyone[name], fold=fold)
            blocks.append(found)
    heading = Heading(f"challenge-{legal}", say("Challenge age for {legal}", legal=legal))
    return [heading, *blocks] if blocks else []


def _whole(result: AuditResult, legal: str, everyone: dict[str, list[Curve]]) -> Figure:
    """Both errors of everyone, beside one another."""
    title = say("Operating curves for {legal}: everyone", legal=legal)
    panels, drawn = [], []
    for name, words in SIDES:
        side = say(words)
        for curve in everyone[name]:
            spec = lines(
                banded(curve.rows, side), x_axis=say("challenge age, years"),
                y_axis=say("share {side}", side=side),
                top=_top([curve], _aim(result, name), bands=True), target=_aim(result, name),
            )  # fmt: skip
            alt = say(
                "{title}, {side}: {n} points, in the table.",
                title=title, side=side, n=len(curve.rows),
            )  # fmt: skip
            panel_id = f"{name}-{legal}".replace("_", "-")
            panels.append(Panel(panel_id, capital(side), alt, spec, 310))
            drawn.append((side, curve))
    caption = sentences(
        say(
            "A higher challenge age lets fewer people pass too young and stops more who are of "
            "age. Bands are {level} intervals by person at each point.",
            level=level_words(result),
        ),
        say("Dotted: the target.") if result.spec.gate_target is not None else "",
    )
    id = f"operating-{legal}"
    return Figure(f"{id}-figure", title, caption, tuple(panels), _both(drawn, id, title), "half")


def _both(drawn: list[tuple[str, Curve]], id: str, title: str) -> Table:
    """Both curves in one table, told apart by their error."""
    heads = (say("challenge age"), say("share"), "")
    found = [points_table(id, title, [curve], heads, "") for _, curve in drawn]
    rows = [
        [Cell(side, head=True), *row[1:]]
        for (side, _), one in zip(drawn, found, strict=True)
        for row in one.rows
    ]
    columns = (Column(say("error")), *found[0].columns[1:])
    return table(f"{id}-table", title, columns, rows)


def _by_group(
    result: AuditResult,
    id: str,
    title: str,
    share: str,
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
            [*quiet, *banded(curve.rows, label)], x_axis=say("challenge age, years"),
            y_axis=share, top=top, target=aim,
        )  # fmt: skip
        who = people(curve.rows[0].n_subjects)
        alt = say(
            "{title}. {name}: {n} points from {people}, in the table.",
            title=title, name=label, n=len(curve.rows), people=who,
        )  # fmt: skip
        panels.append(Panel(f"{id}-plot-{k}", beside(label, who), alt, spec, 290))
    caption = sentences(
        say(
            "Bands are {level} intervals by person at each point. Dashed: everyone.",
            level=level_words(result),
        ),
        say("Dotted: the target.") if aim is not None else "",
        panels_words(len(curves), MAX_PANELS),
    )
    heads = (say("challenge age, years"), share, "")
    rows = points_table(f"{id}-table", title, curves, heads, "")
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
        words = say(
            "No challenge age is shown to keep every group to at most {target} who pass too young",
            target=target,
        )
        return say("{name}: {text}.", name=words, text=why) if why else say("{text}.", text=words)
    words = say(
        "From a challenge age of {age} years on, at most {target} of those under {legal} pass in "
        "every tested group, with {level} confidence in each",
        age=f"{row.value:g}", target=target, legal=plain(legal), level=level_words(result),
    )  # fmt: skip
    return say("{text}.", text=semicolons(filter(None, (words, why))))


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
    numbers = (say("challenge age, years"), say("faces too young"), say("people too young"))
    columns: tuple[str | Column, ...] = (
        say("groups by"),
        say("group"),
        *(Column(name, numeric=True) for name in numbers),
    )
    caption = say(
        "Least challenge age for {legal} that keeps to {target}",
        legal=legal, target=number(result.spec.gate_target),
    )  # fmt: skip
    more = say(
        "From it on, the upper {level} limit of those who pass too young is at most the target. "
        "Groups of fewer people need a higher one to be as sure.",
        level=level_words(result),
    )
    return table(f"least-{legal}", caption, columns, lines_, footnotes=marks, more=more)

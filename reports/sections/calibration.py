"""Calibration: whether a confidence means what it says, for everyone and for each group."""

from __future__ import annotations

from dataclasses import replace

from audit.result import AuditResult
from audit.rows import Group, MetricRow
from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Table, table
from reports.definitions import defined
from reports.figures import Line, forest, lines
from reports.format import (
    bracketed,
    count,
    group_label,
    group_value,
    number,
    plain,
    plural,
    row_estimate,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.lookup import groups_in_order, metric_row, unit
from reports.sections.curves import (
    MAX_IN_SIGHT,
    MAX_PANELS,
    Curve,
    curves_of,
    line_of,
    points_table,
)
from reports.sections.marks import bars_words, cut_words, hollow_words, panels_words, row_mark
from reports.words import by, level_words, mark_of

_READING = (
    english(
        "Points are bins of equal width with their intervals, the line is the isotonic curve: the "
        "accuracy of each confidence if a higher one never means less. Below the dotted diagonal "
        "the model is over-confident: right less often than it says. The shaded band is where the "
        "line of a perfectly calibrated model would lie with so many faces, so a line inside it "
        "shows nothing."
    ),
    english(
        "Calibration errors such as ece grow by noise alone as groups get smaller. They are read "
        "beside the value of a perfectly calibrated model and are never compared between groups. "
        "Confidence bias (mean confidence minus accuracy) and squared_ce are not moved by the size "
        "of a group; these two have intervals and gaps."
    ),
)
_HEADS = (english("mean confidence"), english("accuracy"), english("share of faces"))
_COLUMNS = (
    ("confidence_bias", english("confidence bias")),
    ("squared_ce", english("squared error, noise removed")),
    ("ece", "ece"),
    ("ece_equal_mass", english("ece, equal mass")),
    ("brier", english("Brier score")),
    ("brier_miscalibration", english("of it miscalibration")),
    ("brier_discrimination", english("less discrimination")),
    ("brier_uncertainty", english("plus uncertainty")),
    ("spiegelhalter_z", english("Spiegelhalter's z")),
)
_SAID_ABOVE = ("biased_small_n", "descriptive", "no_probabilities")
MAX_MARKS = 40


def build(result: AuditResult) -> Section | None:
    """Everyone first, then each combination: confidence bias, numbers, a curve for each group."""
    binned, smooth = curves_of(result, "reliability"), curves_of(result, "reliability_isotonic")
    whole = metric_row(result, "ece", {})
    if not binned and (whole is None or whole.value is None):
        return None
    everyone = smooth.get((), [])
    said = Prose(tuple(map(say, _READING)))
    blocks: list[Block] = [said, *_numbers(result, [], "calibration-all")]
    if () in binned:
        title = say("Reliability: everyone")
        blocks.append(_curves(result, "reliability", binned[()], everyone, [], title))
    for i, names in enumerate(result.spec.combinations):
        blocks += _numbers(result, list(names), f"calibration-{i}")
        curves = binned.get(tuple(names), [])
        if curves:
            found = smooth.get(tuple(names), [])
            title = say("Reliability {by}", by=by(list(names)))
            blocks.append(_curves(result, f"reliability-{i}", curves, found, everyone, title))
    return Section("calibration", say("Calibration"), tuple(blocks))


def _numbers(result: AuditResult, names: list[str], id: str) -> list[Block]:
    """The table of a combination, under the confidence bias of its groups where it has one."""
    if not names:
        return [_everyone(result, f"{id}-table")]
    groups = groups_in_order(result, names, "confidence_bias")
    rows = [metric_row(result, "confidence_bias", group) for group in groups]
    valued = [row for row in rows if row is not None and row.value is not None]
    found = _table(result, names, groups, f"{id}-table")
    return [_bias(result, names, valued, found, id)] if valued else []


def _everyone(result: AuditResult, id: str) -> Table:
    """One metric a row, with its definition."""
    marks: dict[str, str] = {}
    lines = []
    for metric, head in _COLUMNS:
        row, spec = metric_row(result, metric, {}), result.spec.metrics.get(metric)
        if row is None or spec is None:
            continue
        null = number(row.null_expected, spec.unit) if row.null_expected is not None else ""
        lines.append([
            Cell(say(head), head=True), _value(result, row, marks, null=False),
            Cell(null, row.null_expected), Cell(defined(spec.definition)),
        ])  # fmt: skip
    numbers = (say("value [interval]"), say("if calibrated"))
    columns = (
        Column(say("everyone")), *(Column(name, numeric=True) for name in numbers),
        Column(say("definition")),
    )  # fmt: skip
    return table(id, say("Calibration of everyone"), columns, lines, footnotes=marks)


def _bias(
    result: AuditResult, names: list[str], rows: list[MetricRow], found: Table, id: str
) -> Figure:
    u = unit(result, "confidence_bias")
    marks = [row_mark(result, row, u, people=True) for row in rows[:MAX_MARKS]]
    spec, height = forest(
        marks, axis=say("mean confidence minus accuracy"), right=say("faces / people"),
        reference=0.0, reference_label=say("calibrated"),
    )  # fmt: skip
    title = say("Confidence bias {by}", by=by(names))
    caption = sentences(
        say("Right of the dashed line a group gets more confidence than it gets right answers."),
        bars_words(result),
        hollow_words(result, marks),
        cut_words(len(rows), MAX_MARKS),
    )
    said = semicolons(mark.hover for mark in marks[:12])
    panel = Panel(
        f"{id}-plot", title, say("{title}. {text}.", title=title, text=said), spec, height
    )
    return Figure(f"{id}-figure", title, caption, (panel,), found)


def _table(result: AuditResult, names: list[str], groups: list[Group], id: str) -> Table:
    marks: dict[str, str] = {}
    shown = [(metric, say(head)) for metric, head in _COLUMNS if metric in result.spec.metrics]
    lines = []
    for group in groups:
        rows = [metric_row(result, metric, group) for metric, _ in shown]
        base = next((row for row in rows if row is not None), None)
        if base is None:
            continue
        cells = [Cell(group_value(group[name]), head=True) for name in names]
        cells += [Cell(count(base.n), sort=base.n), Cell(count(base.n_subjects), base.n_subjects)]
        lines.append([*cells, *(_value(result, row, marks) for row in rows)])
    numbers = (say("faces"), say("people"), *(head for _, head in shown))
    columns = [*(Column(plain(n)) for n in names), *(Column(n, numeric=True) for n in numbers)]
    caption = say("Calibration {by}; in brackets: if perfectly calibrated", by=by(names))
    return table(id, caption, columns, lines, summary=caption, footnotes=marks)


def _value(
    result: AuditResult, row: MetricRow | None, marks: dict[str, str], *, null: bool = True
) -> Cell:
    if row is None:
        return Cell("")
    u = unit(result, row.metric)
    text = row_estimate(row, u)
    if null and row.null_expected is not None:
        text = bracketed(text, number(row.null_expected, u))
    parts = row.note.split("; ") if row.note else []
    note = "; ".join(part for part in parts if part not in _SAID_ABOVE)
    return Cell(text, sort=row.value, mark=mark_of(note, marks))


def _curves(
    result: AuditResult,
    id: str,
    binned: list[Curve],
    smooth: list[Curve],
    everyone: list[Curve],
    title: str,
) -> Figure:
    panels = []
    heads = (say(_HEADS[0]), say(_HEADS[1]), say(_HEADS[2]))
    for i, curve in enumerate(binned[:MAX_PANELS]):
        label = group_label(curve.group)
        drawn = [*(replace(line_of(c, ""), quiet=True, name=say("everyone")) for c in everyone)]
        for c in smooth:
            if c.group == curve.group:
                line = line_of(c, "")
                drawn += [replace(line, name=say("if calibrated"), shade=True), _bare(line)]
        drawn.append(replace(line_of(curve, ""), name=say("bins"), draw="points"))
        spec = lines(drawn, x_axis=heads[0], y_axis=heads[1], diagonal=True, unit_square=True)
        n = sum(row.y is not None for row in curve.rows)
        alt = say(
            "{title}. {name}: {bins}, in the table.",
            title=title, name=label, bins=plural(n, english("{n} bin"), english("{n} bins")),
        )  # fmt: skip
        panels.append(Panel(f"{id}-plot-{i}", label, alt, spec, 340))
    caption = sentences(
        say(
            "Bars are {level} intervals; bins without a face have no point.",
            level=level_words(result),
        ),
        say("The dashed line is everyone.") if everyone else "",
        panels_words(len(binned), MAX_PANELS),
    )
    rows = points_table(f"{id}-table", title, binned, heads, "")
    fold = len(binned) > MAX_IN_SIGHT
    return Figure(f"{id}-figure", title, caption, tuple(panels), rows, "small", fold=fold)


def _bare(line: Line) -> Line:
    """The isotonic line without the bars of its band."""
    points = [replace(point, low=None, high=None) for point in line.points]
    return replace(line, name=say("isotonic curve"), points=points, draw="line")

"""Predicted age distributions: how sharp, how often right, and whether they mean what they say."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import bars, lines
from reports.format import beside, capital, count, faces, group_label, plain, sentences
from reports.language import english, say
from reports.lookup import metric_row
from reports.sections import coverage
from reports.sections.curves import (
    MAX_IN_SIGHT,
    MAX_PANELS,
    MAX_ROWS,
    Curve,
    curves_of,
    line_of,
    points_table,
)
from reports.sections.marks import panels_words
from reports.words import by, level_words

_READING = english(
    "The model gives every face a distribution of ages. Coverage says how often the true age lies "
    "in its central 90 %: below 0.9 the distributions are too narrow, or in the wrong place; width "
    "says what that costs. The CRPS scores both at once, in years, and is the absolute error of a "
    "model that names a single age."
)
_PIT = english(
    "The histograms show where true ages fall in their distributions; those of a calibrated model "
    "are flat, the dashed line. High at both ends: too narrow; high in the middle: too wide; high "
    "at the left: people are younger than predicted. The p of the distance from flat tests the "
    "histogram, by person. That distance, like ENCE, grows by noise alone as groups get smaller: "
    "read it beside its value if calibrated."
)
_BANDS = english(
    "True ages are known as bands. Shown is what a band settles: the probability that the model "
    "gives to the true band. Coverage is that of the bands' probabilities, 0.9 if calibrated."
)
_STATED = english(
    "The table states intervals of age for every face. Coverage is the share of true ages inside "
    "them, to be read beside the level that they claim; width says what that costs; the interval "
    "score scores both at once, in years."
)
_COLUMNS = (
    ("crps", "CRPS"),
    ("rps", "RPS"),
    ("band_nll", english("band log loss")),
    ("coverage_90", english("coverage at 90 %")),
    ("band_coverage_90", english("band coverage at 90 %")),
    ("width_90", english("width at 90 %")),
    ("z_mean", english("mean z")),
    ("z_variance", english("variance of z")),
    ("ence", "ENCE"),
    ("pit_distance", english("distance of the histogram from flat")),
)


def build(result: AuditResult) -> Section | None:
    """Distributions of the model first, then intervals that the table states."""
    blocks = _distribution(result)
    stated = coverage.stated_levels(result)
    if stated:
        blocks += [Heading("stated-intervals", say("Stated intervals")), Prose((say(_STATED),))]
        prefix = "stated_"
        blocks.append(coverage.levels_table(result, stated, prefix, "stated-levels"))
        blocks += coverage.by_group(result, stated, prefix, (), "stated")
    if not blocks:
        return None
    return Section("distributions", say("Age distributions and intervals"), tuple(blocks))


def _distribution(result: AuditResult) -> list[Block]:
    whole = metric_row(result, "width_90", {})
    if whole is None or whole.value is None:
        return []
    banded = "band_coverage_90" in result.spec.metrics
    blocks: list[Block] = [Prose((say(_READING), *((say(_BANDS),) if banded else ())))]
    blocks += [coverage.everyone(result, _COLUMNS, "distribution-all")]
    prefix = "band_" if banded else ""
    blocks.append(coverage.levels_table(result, coverage.LEVELS, prefix, "distribution-levels"))
    blocks += coverage.by_group(result, ("90",), prefix, _COLUMNS, "distribution")
    return [*blocks, *_histograms(result), *_legal(result)]


def _histograms(result: AuditResult) -> list[Block]:
    arranged = curves_of(result, "pit")
    everyone = arranged.pop((), [])
    blocks: list[Block] = []
    if everyone:
        blocks.append(_pit("pit-all", everyone, [], say("everyone"), level_words(result)))
    for i, (names, curves) in enumerate(arranged.items()):
        blocks.append(_pit(f"pit-{i}", curves, everyone, by(list(names)), level_words(result)))
    if blocks:
        title = say("Where true ages fall in their distributions")
        return [Heading("pit", title), Prose((say(_PIT),)), *blocks]
    return []


def _pit(id: str, curves: list[Curve], everyone: list[Curve], label: str, level: str) -> Figure:
    title = say("Histogram of true ages in their distributions: {of}", of=label)
    panels = []
    values = [row.y for curve in curves for row in curve.rows if row.y is not None]
    top = 1.25 * max(map(float, values), default=0.1)
    for i, curve in enumerate(curves[:MAX_PANELS]):
        flat = curve.rows[0].z or 0.0
        spec = bars(
            line_of(curve, "").points, flat or 0.1, level=flat, top=top,
            x_axis=say("place in the distribution, from 0 to 1"), y_axis=say("share of faces"),
        )  # fmt: skip
        name, n = group_label(curve.group), say("{n} bins", n=len(curve.rows))
        alt = say("{title}. {name}: {bins}, in the table.", title=title, name=name, bins=n)
        heading = beside(name, faces(curve.rows[0].n))
        panels.append(Panel(f"{id}-plot-{i}", heading, alt, spec, 270))
    caption = sentences(
        say("Bars are {level} intervals by person.", level=level),
        say("Dashed: calibrated."),
        panels_words(len(curves), MAX_PANELS),
    )
    heads = (say("lower edge of the bin"), say("share of faces"), say("if calibrated"))
    rows = points_table(f"{id}-table", title, curves, heads, "")
    fold = len(curves) > MAX_IN_SIGHT
    size = "small" if everyone else "half"
    return Figure(f"{id}-figure", title, caption, tuple(panels), rows, size, fold=fold)  # type: ignore[arg-type]


def _legal(result: AuditResult) -> list[Block]:
    """Reliability of P(age >= L), for every age L that the record has."""
    ages = dict.fromkeys(row.class_ for row in result.curves if row.name == "age_over_reliability")
    curves = {
        age: curve
        for age in ages
        if age is not None
        for curve in curves_of(result, "age_over_reliability", age).get((), [])
    }
    if not curves:
        return []
    title = say("Is at least so old: everyone")
    panels: list[Panel] = []
    for age, curve in curves.items():
        spec = lines(
            [line_of(curve, "")], x_axis=say("predicted probability"), y_axis=say("share who are"),
            diagonal=True, unit_square=True,
        )  # fmt: skip
        shown = say("at least {age} years", age=plain(age))
        alt = say(
            "{title}, {age}: {bins}, in the table.",
            title=title, age=shown, bins=say("{n} bins", n=len(curve.rows)),
        )  # fmt: skip
        panels.append(Panel(f"legal-plot-{len(panels)}", capital(shown), alt, spec, 310))
    said = say(
        "Of the faces to which the model gives a probability of being at least so old, how many "
        "are? Below the dotted diagonal fewer are than it says: minors would pass."
    )
    caption = say("Bars are {level} intervals by person.", level=level_words(result))
    found = _legal_table(curves, title)
    heading = Heading("legal-ages", say("Probability of being at least so old"))
    figure = Figure("legal-figure", title, caption, tuple(panels), found, "small")
    return [heading, Prose((said,)), figure]


def _legal_table(curves: dict[str, Curve], title: str) -> Table:
    heads = (say("mean probability"), say("share who are"), say("share of faces"))
    rows = [
        [Cell(plain(age), float(age), head=True), *row[1:]]
        for age, curve in curves.items()
        for row in points_table("", title, [curve], heads, "").rows
    ]
    columns = (
        Column(say("at least, years"), numeric=True),
        *(Column(head, numeric=True) for head in (*heads, say("faces"))),
    )
    cut = len(rows) - MAX_ROWS
    more = say("{n} more points are in audit.json.", n=count(cut)) if cut > 0 else None
    return table("legal-table", title, columns, rows[:MAX_ROWS], more=more)

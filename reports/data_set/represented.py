"""Who is in a data set: the share of every group, even or not, and beside a reference."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.data_set.lookup import (
    beside_chance,
    first_groups,
    rows_of,
    share_hover,
    statistic,
)
from reports.figures import Mark, forest
from reports.format import (
    capital,
    combination_label,
    count,
    estimate,
    group_label,
    group_value,
    metric_title,
    number,
    p_value,
    plain,
    plural,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.words import by, level_words, mark_of, source_words

MAX_MARKS = 40
MAX_ROWS = 1000


def build(result: AuditResult) -> Section | None:
    """A part for each combination of attributes, and for each label."""
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        blocks += _combination(result, names, f"represented-{i}")
    return Section("represented", say("Representation"), tuple(blocks)) if blocks else None


def _combination(result: AuditResult, names: list[str], id: str) -> list[Block]:
    shares = rows_of(result, "share", names)
    ratios = rows_of(result, "representation_ratio", names)
    if not shares:
        return []
    blocks: list[Block] = [Heading(id, by(names)), Prose(_said(result, names))]
    named = result.spec.unit_of_resampling == "person"
    level = level_words(result)
    if ratios:
        caption = say(
            "Share over the share in the reference, with its {level} interval; the dashed line is "
            "equal representation. The reference is taken as exact.",
            level=level,
        )
        title = say(
            "{metric} by {groups}",
            metric=capital(metric_title("representation_ratio")), groups=combination_label(names),
        )  # fmt: skip
        line = (1.0, say("as in the reference"))
        blocks.append(_figure(ratios, f"{id}-ratio", title, caption, line, named=named))
    equal = 1 / len(shares)
    caption = say(
        "Share of the faces whose {groups} is known, with its {level} interval as if the people "
        "were sampled; the dashed line is what equal groups would have.",
        groups=combination_label(names), level=level,
    )  # fmt: skip
    title = say("Share of faces by {groups}", groups=combination_label(names))
    line = (equal, say("equal: {share}", share=number(equal)))
    return [*blocks, _figure(shares, f"{id}-share", title, caption, line, named=named)]


def _said(result: AuditResult, names: list[str]) -> tuple[str, ...]:
    even = statistic(result, "evenness", names)
    groups = statistic(result, "effective_groups", names)
    texts = []
    if len(names) > 1 or names[0] not in ("expression",):
        texts.append(say("Group labels: {sources}.", sources=source_words(result, names)))
    if even and even.value is not None and groups:
        texts.append(say(
            "Evenness {evenness} (1: all {groups} of one size): as diverse as {n:.1f} groups of "
            "one size.",
            evenness=number(even.value), n=groups.value,
            groups=plural(even.n_groups, english("{n} group"), english("{n} groups")),
        ))  # fmt: skip
    far = statistic(result, "tv_reference", names)
    test = statistic(result, "chi2_reference", names)
    if far and far.value is not None:
        text = say(
            "To match the reference, {share:.1f} % of the faces would have to be of other groups "
            "(total variation {distance}).",
            share=100 * far.value, distance=beside_chance(far),
        )  # fmt: skip
        if test and test.p is not None:
            tested = say(
                "Chi-square test, allowing for photos per person: p {p}.", p=p_value(test.p)
            )
            text = sentences(text, tested)
        texts.append(text)
    return tuple(texts)


def _figure(
    rows: list[MetricRow],
    id: str,
    title: str,
    caption: str,
    reference: tuple[float, str],
    *,
    named: bool,
) -> Figure:
    """A forest plot; where people are not ``named`` it has no number of them."""
    marks = [_mark(row, named=named) for row in rows[:MAX_MARKS]]
    spec, height = forest(
        marks,
        axis=metric_title(rows[0].metric),
        right=say("faces / people") if named else say("faces"),
        reference=reference[0],
        reference_label=reference[1],
    )
    alt = say("{name}: {text}", name=title, text=semicolons(m.hover for m in marks[:12]))
    if len(rows) > MAX_MARKS:
        caption = sentences(caption, first_groups(MAX_MARKS, len(rows)))
    panel = Panel(f"{id}-plot", title, alt, spec, height)
    return Figure(f"{id}-figure", title, caption, (panel,), _table(rows, f"{id}-table", title))


def _mark(row: MetricRow, *, named: bool) -> Mark:
    right = f"{count(row.n)} / {count(row.n_subjects)}" if named else count(row.n)
    return Mark(group_label(row.group), row.value, row.low, row.high, right, share_hover(row))


def _table(rows: list[MetricRow], id: str, caption: str) -> Table:
    marks: dict[str, str] = {}
    lines = []
    for row in rows[:MAX_ROWS]:
        lines.append([
            *(Cell(group_value(value), head=True) for value in row.group.values()),
            Cell(estimate(row.value, row.low, row.high, "share"), row.value,
                 mark_of(row.note, marks)),
            Cell(count(row.n), row.n), Cell(count(row.n_subjects), row.n_subjects),
        ])  # fmt: skip
    names = [plain(name) for name in rows[0].group]
    title = metric_title(rows[0].metric)
    heads = (say("{metric} [interval]", metric=title), say("faces"), say("people"))
    columns = [*map(Column, names), *(Column(head, numeric=True) for head in heads)]
    cut = len(rows) - MAX_ROWS
    more = say("{n} more groups are in {file}.", n=count(cut), file="audit.json")
    return table(id, caption, columns, lines, footnotes=marks, more=more if cut > 0 else None)

"""Who is in a data set: the share of every group, even or not, and beside a reference."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.data_set.lookup import beside_chance, rows_of, statistic
from reports.figures import Mark, forest
from reports.format import (
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
    row_estimate,
)
from reports.words import by, level_words, mark_of, source_words

MAX_MARKS = 40
MAX_ROWS = 1000


def build(result: AuditResult) -> Section | None:
    """A part for each combination of attributes, and for each label."""
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        blocks += _combination(result, names, f"represented-{i}")
    return Section("represented", "Representation", tuple(blocks)) if blocks else None


def _combination(result: AuditResult, names: list[str], id: str) -> list[Block]:
    shares = rows_of(result, "share", names)
    ratios = rows_of(result, "representation_ratio", names)
    if not shares:
        return []
    blocks: list[Block] = [Heading(id, by(names)), Prose(_said(result, names))]
    named = result.spec.unit_of_resampling == "person"
    level = level_words(result)
    if ratios:
        caption = (
            f"Share over the share in the reference, with its {level} interval; the dashed line is "
            "equal representation. The reference is taken as exact."
        )
        title = f"{metric_title('representation_ratio').capitalize()} {by(names)}"
        line = (1.0, "as in the reference")
        blocks.append(_figure(ratios, f"{id}-ratio", title, caption, line, named=named))
    equal = 1 / len(shares)
    caption = (
        f"Share of the faces whose {combination_label(names)} is known, with its {level} interval "
        "as if the people were sampled; the dashed line is what equal groups would have."
    )
    title = f"Share of faces {by(names)}"
    line = (equal, f"equal: {number(equal)}")
    return [*blocks, _figure(shares, f"{id}-share", title, caption, line, named=named)]


def _said(result: AuditResult, names: list[str]) -> tuple[str, ...]:
    even = statistic(result, "evenness", names)
    groups = statistic(result, "effective_groups", names)
    texts = []
    if len(names) > 1 or names[0] not in ("expression",):
        texts.append(f"Group labels: {source_words(result, names)}.")
    if even and even.value is not None and groups:
        texts.append(
            f"Evenness {number(even.value)} (1: all {plural(even.n_groups, 'group')} of one size): "
            f"as diverse as {groups.value:.1f} groups of one size."
        )
    far = statistic(result, "tv_reference", names)
    test = statistic(result, "chi2_reference", names)
    if far and far.value is not None:
        text = (
            f"To match the reference, {100 * far.value:.1f} % of the faces would have to be of "
            f"other groups (total variation {beside_chance(far)})."
        )
        if test and test.p is not None:
            text += f" Chi-square test, allowing for photos per person: p {p_value(test.p)}."
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
        right="faces / people" if named else "faces",
        reference=reference[0],
        reference_label=reference[1],
    )
    alt = f"{title}: " + "; ".join(m.hover for m in marks[:12])
    if len(rows) > MAX_MARKS:
        caption += f" The first {MAX_MARKS} of {len(rows)} groups are drawn; the table has all."
    panel = Panel(f"{id}-plot", title, alt, spec, height)
    return Figure(f"{id}-figure", title, caption, (panel,), _table(rows, f"{id}-table", title))


def _mark(row: MetricRow, *, named: bool) -> Mark:
    label = group_label(row.group)
    right = f"{count(row.n)} / {count(row.n_subjects)}" if named else count(row.n)
    hover = f"{label}: {row_estimate(row, 'share')}, {plural(row.n, 'face')}"
    return Mark(label, row.value, row.low, row.high, right, hover)


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
    heads = (f"{metric_title(rows[0].metric)} [interval]", "faces", "people")
    columns = [*map(Column, names), *(Column(head, numeric=True) for head in heads)]
    cut = len(rows) - MAX_ROWS
    more = f"{count(cut)} more groups are in audit.json." if cut > 0 else None
    return table(id, caption, columns, lines, footnotes=marks, more=more)

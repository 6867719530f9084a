"""Every group with its numbers: a forest plot and tables for each combination of attributes."""

from __future__ import annotations

from audit.metrics.where import is_where
from audit.result import AuditResult
from audit.rows import Group, MetricRow, RangeGap
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import Mark, Role, forest
from reports.format import (
    beside,
    bracketed,
    capital,
    combination_label,
    count,
    estimate,
    faces,
    group_label,
    group_value,
    metric_label,
    metric_title,
    number,
    people,
    plain,
    row_estimate,
    semicolons,
    sentences,
    unit_name,
)
from reports.language import say
from reports.lookup import (
    chosen_metrics,
    defined_by_age,
    groups_in_order,
    headline,
    is_small,
    metric_row,
    range_gap,
    rows_of,
    unit,
)
from reports.sections.marks import cut_words, hollow_words
from reports.words import REGRESSION, by, level_words, mark_of, missing, source_words

MAX_MARKS = 40
MAX_ROWS = 400

Key = tuple[tuple[str, str | None], ...]
Index = dict[tuple[str, str | None, Key], MetricRow]


def build(result: AuditResult) -> Section | None:
    """A part for each combination; the first table of all is that of everyone."""
    metric = headline(result)
    if metric is None:
        return None
    blocks: list[Block] = [_metrics_table(result, [], "groups-all", say("Everyone: all metrics"))]
    for i, names in enumerate(result.spec.combinations):
        blocks += _combination(result, list(names), metric, f"groups-{i}")
    return Section("groups", say("Groups"), tuple(blocks))


def _combination(result: AuditResult, names: list[str], metric: str, id: str) -> list[Block]:
    groups = groups_in_order(result, names, metric)
    if not groups:
        return []
    said = [say("Group labels: {text}.", text=source_words(result, names))]
    if defined_by_age(result, names):
        said.append(say(REGRESSION))
    index = _index(rows_of(result, names))
    title = say("{names}: all metrics", names=combination_label(names))
    blocks: list[Block] = [Heading(id, by(names)), Prose(tuple(said))]
    blocks.append(_forest(result, names, metric, groups, id))
    blocks.append(_full(result, names, groups, index, f"{id}-metrics", title))
    return [*blocks, *_class_tables(result, names, groups, index, id)]


def _forest(
    result: AuditResult, names: list[str], metric: str, groups: list[Group], id: str
) -> Figure:
    u = unit(result, metric)
    whole = metric_row(result, metric, {})
    gap = range_gap(result, metric, names)
    marks = []
    for group in groups[:MAX_MARKS]:
        row = metric_row(result, metric, group)
        marks.append(_mark(row, group, _role(result, row, gap), u))
    reference = whole.value if whole else None
    spec, height = forest(
        marks, axis=beside(metric_title(metric), unit_name(u)), right=say("faces / people"),
        reference=reference, reference_label=say("everyone {value}", value=number(reference, u)),
    )  # fmt: skip
    title = say("{metric} {by}", metric=capital(metric_title(metric)), by=by(names))
    said = semicolons(f"{m.label} {estimate(m.value, m.low, m.high, u)}" for m in marks[:12])
    if len(groups) > 12:
        said = say("{some}, and {n} more in the table", some=said, n=len(groups) - 12)
    caption = sentences(
        say(
            "Each mark is a group with its {level} interval; the dashed line is the value of "
            "everyone. Worst and best are marked by shape and colour.",
            level=level_words(result),
        ),
        cut_words(len(groups), MAX_MARKS),
        hollow_words(result, marks),
    )
    panel = Panel(
        f"{id}-plot", title, say("{title}. {text}.", title=title, text=said), spec, height
    )
    return Figure(f"{id}-figure", title, caption, (panel,), _chosen(result, names, groups, id))


def _role(result: AuditResult, row: MetricRow | None, gap: RangeGap | None) -> Role:
    if row is None or is_small(result, row):
        return "small"
    if gap is None:
        return "plain"
    return "worst" if row.group == gap.a else "best" if row.group == gap.b else "plain"


def _mark(row: MetricRow | None, group: Group, role: Role, u: str) -> Mark:
    label = group_label(group)
    if row is None or row.value is None:
        why = missing(row.note if row else None)
        right = f"{count(row.n)} / {count(row.n_subjects)}" if row else ""
        return Mark(label, None, None, None, right, say("{name}: {text}", name=label, text=why))
    right = f"{count(row.n)} / {count(row.n_subjects)}"
    said = beside(row_estimate(row, u), faces(row.n), people(row.n_subjects))
    hover = say("{name}: {text}", name=label, text=said)
    return Mark(label, row.value, row.low, row.high, right, hover, role)


def _index(rows: list[MetricRow]) -> Index:
    return {(row.metric, row.class_, _key(row.group)): row for row in rows}


def _key(group: Group) -> Key:
    return tuple(sorted(group.items()))


def _chosen(result: AuditResult, names: list[str], groups: list[Group], id: str) -> Table:
    index = _index(rows_of(result, names))
    caption = say(
        "{names}: value [{level} interval]",
        names=combination_label(names), level=level_words(result),
    )  # fmt: skip
    return _matrix(
        result, names, groups, index, f"{id}-table", caption,
        [(metric, None) for metric in chosen_metrics(result)], None,
    )  # fmt: skip


def _full(
    result: AuditResult, names: list[str], groups: list[Group], index: Index, id: str, caption: str
) -> Table:
    seen = dict.fromkeys((metric, class_) for metric, class_, _ in index if class_ is None)
    return _matrix(result, names, groups, index, id, caption, list(seen), caption)


def _class_tables(
    result: AuditResult, names: list[str], groups: list[Group], index: Index, id: str
) -> list[Table]:
    metrics = dict.fromkeys(
        metric for metric, class_, _ in index if class_ is not None and not is_where(metric)
    )
    tables = []
    for j, name in enumerate(metrics):
        pairs = dict.fromkeys((m, c) for m, c, _ in index if m == name and c is not None)
        caption = say(
            "{names}: {metric} of each class",
            names=combination_label(names), metric=metric_title(name),
        )  # fmt: skip
        tables.append(
            _matrix(result, names, groups, index, f"{id}-class-{j}", caption, list(pairs), caption)
        )
    return tables


def _metrics_table(result: AuditResult, names: list[str], id: str, caption: str) -> Table:
    """All metrics of everyone, one per row: the widest set in the narrowest form."""
    marks: dict[str, str] = {}
    rows = []
    for row in rows_of(result, names):
        u = unit(result, row.metric)
        null = number(row.null_expected, u) if row.null_expected is not None else ""
        rows.append([
            Cell(metric_label(row.metric, row.class_), head=True),
            Cell(row_estimate(row, u), sort=row.value or 0.0, mark=mark_of(row.note, marks)),
            Cell(null, sort=row.null_expected or 0.0), Cell(unit_name(u)),
            Cell(count(row.n), sort=row.n), Cell(count(row.n_subjects), sort=row.n_subjects),
            Cell(count(row.m_eff), sort=row.m_eff or 0.0),
            Cell(count(row.n_failed), sort=row.n_failed),
            Cell(plain(row.method or "")),
        ])  # fmt: skip
    columns = (
        say("metric"), say("value [interval]"), say("if calibrated"), say("unit"), say("faces"),
        say("people"), "m_eff", say("failed"), say("interval by"),
    )  # fmt: skip
    return table(id, caption, columns, rows, summary=caption, footnotes=marks)


def _matrix(
    result: AuditResult, names: list[str], groups: list[Group], index: Index, id: str,
    caption: str, metrics: list[tuple[str, str | None]], summary: str | None,
) -> Table:  # fmt: skip
    marks: dict[str, str] = {}
    rows = []
    for group in groups[:MAX_ROWS]:
        found = [index.get((metric, class_, _key(group))) for metric, class_ in metrics]
        base = next((row for row in found if row is not None), None)
        cells = [Cell(group_value(group[name]), head=True) for name in names]
        cells += _counts(base)
        cells += [
            _value(row, unit(result, metric), marks)
            for row, (metric, _) in zip(found, metrics, strict=True)
        ]
        rows.append(cells)
    # A metric without a class keeps its name; with one, the caption has the name.
    heads = [plain(m) if c is None else plain(c) for m, c in metrics]
    kinds = (say("faces"), say("people"), "m_eff", say("failed"))
    counts = [Column(name, numeric=True) for name in kinds]
    columns = [
        *(Column(plain(n)) for n in names),
        *counts,
        *(Column(h, numeric=True) for h in heads),
    ]
    cut = len(groups) - MAX_ROWS
    more = say("{n} more groups are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(id, caption, columns, rows, summary=summary, footnotes=marks, more=more)


def _counts(row: MetricRow | None) -> list[Cell]:
    if row is None:
        return [Cell("")] * 4
    numbers = (row.n, row.n_subjects, row.m_eff, row.n_failed)
    return [Cell(count(n), sort=n) for n in numbers]


def _value(row: MetricRow | None, u: str, marks: dict[str, str]) -> Cell:
    if row is None:
        return Cell("")
    text = row_estimate(row, u)
    if row.null_expected is not None:
        text = bracketed(text, say("if calibrated {value}", value=number(row.null_expected, u)))
    return Cell(text, sort=row.value, mark=mark_of(row.note, marks))

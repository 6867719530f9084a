"""Coverage and width of intervals of age, predicted or stated, for everyone and for each group."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import Group, MetricRow
from reports.blocks import Block, Cell, Column, Figure, Panel, Size, Table, table
from reports.definitions import defined
from reports.figures import forest
from reports.format import (
    beside,
    bracketed,
    capital,
    count,
    group_value,
    number,
    p_value,
    plain,
    row_estimate,
    semicolons,
    sentences,
    unit_name,
    unit_word,
)
from reports.language import english, say
from reports.lookup import groups_in_order, is_small, metric_row, unit
from reports.sections.marks import row_mark
from reports.words import by, level_words, mark_of

MAX_MARKS = 30
LEVELS = ("50", "80", "90", "95")
_PARTS = {
    "coverage": english("coverage"),
    "width": english("width"),
    "interval_score": english("interval score"),
    "score": english("score"),
}
_SAID_ABOVE = ("biased_small_n", "descriptive")
Columns = Sequence[tuple[str, str]]


def stated_levels(result: AuditResult) -> tuple[str, ...]:
    """The levels, in percent, of the intervals that the table states."""
    head = "stated_width_"
    return tuple(name.removeprefix(head) for name in result.spec.metrics if name.startswith(head))


def everyone(result: AuditResult, columns: Columns, id: str) -> Table:
    """One metric of everyone a row, with its definition."""
    marks: dict[str, str] = {}
    lines = []
    for metric, head in columns:
        row, spec = metric_row(result, metric, {}), result.spec.metrics.get(metric)
        if row is None or spec is None or (row.value is None and row.note == "interval_truth"):
            continue
        null = row.null_expected
        lines.append([
            Cell(_titled(say(head), spec.unit), head=True),
            _value(result, row, marks, null=False),
            Cell("" if null is None else number(null, spec.unit), null),
            Cell("" if row.p is None else p_value(row.p), row.p),
            Cell(defined(spec.definition)),
        ])  # fmt: skip
    names = (say("value [interval]"), say("if calibrated"), "p")
    numbers = (Column(name, numeric=True) for name in names)
    columns_ = (Column(say("everyone")), *numbers, Column(say("definition")))
    caption = say("Predicted distributions of everyone")
    return table(id, caption, columns_, lines, footnotes=marks)


def levels_table(result: AuditResult, levels: Sequence[str], prefix: str, id: str) -> Table:
    """Coverage, width and interval score of everyone, a level a row."""
    marks: dict[str, str] = {}
    shown = [part for part in _PARTS if _has(result, [_named(part, x, prefix) for x in levels])]
    rows = []
    for level in levels:
        found = [metric_row(result, _named(part, level, prefix), {}) for part in shown]
        base = next((row for row in found if row is not None), None)
        rows.append([
            Cell(f"{level} %", float(level), head=True),
            *(_value(result, row, marks) for row in found),
            Cell("" if base is None else count(base.n), base.n if base else None),
        ])  # fmt: skip
    heads = [
        _titled(say(_PARTS[part]), unit(result, _named(part, levels[0], prefix))) for part in shown
    ]
    numbers = (Column(head, numeric=True) for head in (*heads, say("faces")))
    columns = (Column(say("interval")), *numbers)
    caption = say("Intervals of everyone, at every level")
    return table(id, caption, columns, rows, footnotes=marks)


def by_group(
    result: AuditResult, levels: Sequence[str], prefix: str, more: Columns, id: str
) -> list[Block]:
    """Coverage beside width of every group, at the level nearest to 90 %; intersections folded."""
    level = min(levels, key=lambda text: (abs(float(text) - 90), text))
    pair = [_named(part, level, prefix) for part in ("coverage", "width")]
    drawn = (*(("crps",) if not prefix else ()), *pair)
    every = ((_named(p, x, prefix), _at(p, x)) for p in _PARTS for x in levels)
    columns = [(metric, say(head)) for metric, head in more] or list(every)
    columns = [column for column in columns if _has(result, [column[0]])]
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        groups = groups_in_order(result, list(names), pair[0])
        title = say("Intervals at {level} % {by}", level=level, by=by(list(names)))
        single = len(names) == 1
        found = _table(result, names, groups, columns, f"{id}-{i}-table", title, fold=not single)
        panels = [
            _panel(result, metric, groups, level, f"{id}-{i}-{k}")
            for k, metric in enumerate(drawn)
            if _has(result, [metric])
        ]
        if not single or not panels:
            blocks.append(found)
            continue
        caption = say(
            "Marks are groups with {level} intervals. Dashed: the stated level, or everyone.",
            level=level_words(result),
        )
        if any(
            (row := metric_row(result, pair[1], group)) and is_small(result, row)
            for group in groups
        ):
            words = english("Hollow: fewer than {n} persons, not tested.")
            caption = sentences(caption, say(words, n=result.spec.min_n))
        size: Size = "small" if len(panels) > 2 else "half"
        blocks.append(Figure(f"{id}-{i}-figure", title, caption, tuple(panels), found, size))
    return blocks


def _panel(result: AuditResult, metric: str, groups: list[Group], level: str, id: str) -> Panel:
    u = unit(result, metric)
    rows = [metric_row(result, metric, group) for group in groups[:MAX_MARKS]]
    marks = [row_mark(result, row, u) for row in rows if row is not None]
    covers = "coverage" in metric
    whole = metric_row(result, metric, {})
    reference = float(level) / 100 if covers else whole.value if whole else None
    name = _at("coverage", level) if covers else _at("width", level)
    name = "CRPS" if metric == "crps" else name
    label = f"{float(level) / 100:g}" if covers else say("everyone")
    axis = beside(name, say("share of faces") if covers else unit_name(u))
    spec, height = forest(
        marks, axis=axis, right=say("faces"), reference=reference, reference_label=label
    )
    said = semicolons(mark.hover for mark in marks[:12])
    alt = say("{title}. {text}.", title=axis, text=said)
    return Panel(id, capital(name), alt, spec, height)


def _table(
    result: AuditResult,
    names: Sequence[str],
    groups: list[Group],
    columns: Columns,
    id: str,
    title: str,
    *,
    fold: bool,
) -> Table:
    marks: dict[str, str] = {}
    lines = []
    for group in groups:
        rows = [metric_row(result, metric, group) for metric, _ in columns]
        base = next((row for row in rows if row is not None), None)
        counts = (base.n, base.n_subjects) if base else (None, None)
        lines.append([
            *(Cell(group_value(group[name]), head=True) for name in names),
            *(Cell("" if n is None else count(n), n) for n in counts),
            *(_value(result, row, marks) for row in rows),
        ])  # fmt: skip
    heads = [_titled(head, unit(result, metric)) for metric, head in columns]
    numbers = (Column(head, numeric=True) for head in (say("faces"), say("people"), *heads))
    summary = bracketed(title, say("{n} groups", n=count(len(lines)))) if fold else None
    columns_ = (*(Column(plain(name)) for name in names), *numbers)
    return table(id, title, columns_, lines, summary=summary, footnotes=marks)


def _value(
    result: AuditResult, row: MetricRow | None, marks: dict[str, str], *, null: bool = True
) -> Cell:
    if row is None:
        return Cell("")
    u = unit(result, row.metric)
    text = row_estimate(row, u)
    if null and row.null_expected is not None and row.value is not None:
        text = bracketed(text, say("if calibrated {value}", value=number(row.null_expected, u)))
    if null and row.p is not None:
        text = beside(text, f"p {p_value(row.p)}")
    parts = row.note.split("; ") if row.note else []
    note = "; ".join(part for part in parts if part not in _SAID_ABOVE)
    return Cell(text, row.value, mark_of(note, marks))


def _at(part: str, level: str) -> str:
    """``coverage at 90 %``."""
    return say("{part} at {level} %", part=say(_PARTS[part]), level=level)


def _named(part: str, level: str, prefix: str) -> str:
    """The metric of one part at one level; only coverage is another one for bands."""
    if prefix == "stated_":
        return f"stated_{part}_{level}"
    return f"{prefix if part == 'coverage' else ''}{part}_{level}"


def _titled(head: str, u: str) -> str:
    return beside(head, unit_word(u))


def _has(result: AuditResult, metrics: Sequence[str]) -> bool:
    return any(row.metric in metrics and row.value is not None for row in result.metrics)

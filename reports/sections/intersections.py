"""Intersections of attributes as heat maps: where two or more attributes meet."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import Group, MetricRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Size, Table, table
from reports.figures import ROW_HEIGHT, Grid, heat
from reports.format import (
    beside,
    bracketed,
    capital,
    combination_label,
    count,
    estimate,
    group_label,
    metric_title,
    note_words,
    number,
    people,
    plural,
    row_estimate,
    sentences,
    unit_name,
)
from reports.language import english, say
from reports.lookup import better, headline, is_small, rows_of, unit
from reports.order import in_order
from reports.words import by, level_words, mark_of

MAX_ROWS = 40
MAX_BESIDE = 6
"""So many columns have raw and pooled values side by side."""
POOLED = english(
    "Pooled values draw each group towards what its single attributes say, the more so the fewer "
    "persons it has: nearer to the truth over many groups, but a group that truly stands apart is "
    "drawn in too. Tests and verdicts are of the raw values."
)

Key = tuple[str | None, ...]


def build(result: AuditResult) -> Section | None:
    """A heat map for each combination of two or more attributes and each leading metric."""
    metric = headline(result)
    if metric is None:
        return None
    metrics = dict.fromkeys((metric, "bias") if result.task == "age" else (metric,))
    blocks: list[Block] = []
    for i, names in enumerate(result.spec.combinations):
        for j, name in enumerate(metrics):
            if len(names) > 1:
                blocks += _figure(result, list(names), name, f"heat-{i}-{j}")
    if not blocks:
        return None
    words = say(
        "Each cell is a group of faces that share all its attributes. An empty cell has no value; "
        "its reason is in the table. In brackets: too few persons to be tested. Colour orders the "
        "cells, intervals say how sure each one is: neighbouring colours are often not "
        "distinguishable."
    )
    pooled = any(row.pooled is not None and row.metric in metrics for row in result.metrics)
    said = Prose((words, say(POOLED)) if pooled else (words,))
    return Section("intersections", say("Intersections"), (said, *blocks))


def _figure(result: AuditResult, names: list[str], metric: str, id: str) -> list[Figure]:
    rows = [row for row in rows_of(result, names) if row.metric == metric and row.class_ is None]
    if not any(row.value is not None for row in rows):
        return []
    across = names[-1]
    down = names[:-1]
    cells = {(tuple(r.group[n] for n in down), r.group[across]): r for r in rows}
    pooled = any(row.pooled is not None for row in rows)
    tops = _ordered(result, across, {column for _, column in cells})
    sides = list(dict.fromkeys(row for row, _ in cells))
    u = unit(result, metric)
    grid = _grid(result, cells, sides[:MAX_ROWS], tops, down, u)
    zero = better(result, metric) == "zero"
    direction = {
        "lower": english("higher is worse"),
        "higher": english("lower is worse"),
        "zero": english("0 is best"),
    }
    label = direction.get(better(result, metric))
    bar = beside(unit_name(u), say(label) if label else "")
    title = say("{metric} {by}", metric=capital(metric_title(metric)), by=by(names))
    caption = say(
        "Rows: {down}. Columns: {across}.",
        down=combination_label(down), across=combination_label([across]),
    )  # fmt: skip
    if len(sides) > MAX_ROWS:
        cut = english("The first {n} of {all} rows are drawn; the table has all.")
        caption = sentences(caption, say(cut, n=MAX_ROWS, all=len(sides)))
    n = sum(row.value is not None for row in rows)
    alt = say(
        "Heat map. {title}: {cells} with a value; they are in the table.",
        title=title, cells=plural(n, english("{n} cell"), english("{n} cells")),
    )  # fmt: skip
    ends = _ends(rows) if pooled else None
    # Never lower than the title of its colours is long, which says which end is worse.
    height = max(110 + (ROW_HEIGHT + 6) * len(grid.rows), 174)
    spec = heat(grid, bar=bar, diverging=zero, ends=ends)
    panels = [Panel(f"{id}-plot", say("Raw values") if pooled else title, alt, spec, height)]
    if pooled:
        smooth = _grid(result, cells, sides[:MAX_ROWS], tops, down, u, pooled=True)
        spec = heat(smooth, bar=bar, diverging=zero, ends=ends)
        alt = say("Heat map. {title}, pooled values; they are in the table.", title=title)
        panels.append(Panel(f"{id}-pooled", say("Pooled values"), alt, spec, height))
    rows_in_table = _table(result, cells, sides, tops, names, metric, id)
    size: Size = "half" if pooled and len(tops) <= MAX_BESIDE else "full"
    return [Figure(f"{id}-figure", title, caption, tuple(panels), rows_in_table, size)]


def _ends(rows: list[MetricRow]) -> tuple[float, float]:
    """One scale of colours for raw and pooled values."""
    values = [x for row in rows for x in (row.value, row.pooled) if x is not None]
    return min(values), max(values)


def _ordered(result: AuditResult, name: str, found: set[str | None]) -> list[str | None]:
    known: list[str | None] = [v for v in result.spec.attributes[name].values if v in found]
    others = sorted(found - set(known), key=lambda value: (value is None, value or ""))
    return in_order(known + others)


def _grid(
    result: AuditResult, cells: dict[tuple[Key, str | None], MetricRow], sides: list[Key],
    tops: list[str | None], down: list[str], u: str, *, pooled: bool = False,
) -> Grid:  # fmt: skip
    def label(side: Key) -> str:
        return group_label(dict(zip(down, side, strict=True)))

    found = [[cells.get((side, top)) for top in tops] for side in sides]
    return Grid(
        rows=[label(side) for side in sides],
        columns=[group_label({"": top}) for top in tops],
        values=[[_shown(row, pooled=pooled) for row in line] for line in found],
        texts=[[_text(result, row, u, pooled=pooled) for row in line] for line in found],
        hovers=[[_hover(row, u) if row else "" for row in line] for line in found],
    )


def _shown(row: MetricRow | None, *, pooled: bool) -> float | None:
    return None if row is None else row.pooled if pooled else row.value


def _text(result: AuditResult, row: MetricRow | None, u: str, *, pooled: bool) -> str:
    if row is None or (pooled and row.pooled is None):
        return ""
    if pooled:
        return number(row.pooled, u)
    small = row.value is not None and is_small(result, row)
    return f"({number(row.value, u)})" if small else number(row.value, u)


def _hover(row: MetricRow, u: str) -> str:
    said = beside(_with_pooled(row, row_estimate(row, u), u), people(row.n_subjects))
    text = bracketed(said, note_words(row.note))
    return say("{name}: {text}", name=group_label(row.group), text=text)


def _with_pooled(row: MetricRow, text: str, u: str) -> str:
    if row.pooled is None:
        return text
    pooled = estimate(row.pooled, row.pooled_low, row.pooled_high, u)
    return say("{text}; pooled {value}", text=text, value=pooled)


def _table(
    result: AuditResult, cells: dict[tuple[Key, str | None], MetricRow], sides: list[Key],
    tops: list[str | None], names: list[str], metric: str, id: str,
) -> Table:  # fmt: skip
    marks: dict[str, str] = {}
    u = unit(result, metric)
    rows = []
    for side in sides:
        group: Group = dict(zip(names[:-1], side, strict=True))
        heads = [Cell(group_label({name: value}), head=True) for name, value in group.items()]
        found = [cells.get((side, top)) for top in tops]
        rows.append(heads + [_cell(row, u, marks) for row in found])
    columns = [*(combination_label([n]) for n in names[:-1]), *(group_label({"": t}) for t in tops)]
    caption = say(
        "{metric}, value [{level} interval] (people)",
        metric=metric_title(metric), level=level_words(result),
    )  # fmt: skip
    return table(f"{id}-table", caption, columns, rows, footnotes=marks)


def _cell(row: MetricRow | None, u: str, marks: dict[str, str]) -> Cell:
    if row is None:
        return Cell(say("no face"))
    text = _with_pooled(row, f"{row_estimate(row, u)} ({count(row.n_subjects)})", u)
    return Cell(text, row.value, mark_of(row.note, marks))

"""Intersections of attributes as heat maps: where two or more attributes meet."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import Group, MetricRow
from reports.blocks import Block, Cell, Figure, Panel, Prose, Section, Size, Table, table
from reports.figures import ROW_HEIGHT, Grid, heat
from reports.format import (
    combination_label,
    count,
    estimate,
    group_label,
    metric_title,
    note_words,
    number,
    plain,
    plural,
    row_estimate,
)
from reports.lookup import better, headline, is_small, rows_of, unit
from reports.order import in_order
from reports.words import by, level_words, mark_of

MAX_ROWS = 40
MAX_BESIDE = 6
"""So many columns have raw and pooled values side by side."""
POOLED = (
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
    words = (
        "Each cell is a group of faces that share all its attributes. An empty cell has no value; "
        "its reason is in the table. In brackets: too few persons to be tested. Colour orders the "
        "cells, intervals say how sure each one is: neighbouring colours are often not "
        "distinguishable."
    )
    pooled = any(row.pooled is not None and row.metric in metrics for row in result.metrics)
    said = Prose((words, POOLED) if pooled else (words,))
    return Section("intersections", "Intersections", (said, *blocks))


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
    direction = {"lower": "higher is worse", "higher": "lower is worse"}
    label = direction.get(better(result, metric), "0 is best" if zero else "")
    bar = ", ".join(filter(None, (plain(u), label)))
    title = f"{metric_title(metric).capitalize()} {by(names)}"
    caption = f"Rows: {combination_label(down)}. Columns: {combination_label([across])}."
    if len(sides) > MAX_ROWS:
        caption += f" The first {MAX_ROWS} of {len(sides)} rows are drawn; the table has all."
    shown = [row for row in rows if row.value is not None]
    alt = f"Heat map. {title}: {plural(len(shown), 'cell')} with a value; they are in the table."
    ends = _ends(rows) if pooled else None
    height = 90 + (ROW_HEIGHT + 6) * len(grid.rows)
    spec = heat(grid, bar=bar, diverging=zero, ends=ends)
    panels = [Panel(f"{id}-plot", "Raw values" if pooled else title, alt, spec, height)]
    if pooled:
        smooth = _grid(result, cells, sides[:MAX_ROWS], tops, down, u, pooled=True)
        spec = heat(smooth, bar=bar, diverging=zero, ends=ends)
        alt = f"Heat map. {title}, pooled values; they are in the table."
        panels.append(Panel(f"{id}-pooled", "Pooled values", alt, spec, height))
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
    people = plural(row.n_subjects, "person", "people")
    why = f" ({note_words(row.note)})" if row.note else ""
    return f"{group_label(row.group)}: {row_estimate(row, u)}{_pooled(row, u)}, {people}{why}"


def _pooled(row: MetricRow, u: str) -> str:
    if row.pooled is None:
        return ""
    return f"; pooled {estimate(row.pooled, row.pooled_low, row.pooled_high, u)}"


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
    caption = f"{metric_title(metric)}, value [{level_words(result)} interval] (people)"
    return table(f"{id}-table", caption, columns, rows, footnotes=marks)


def _cell(row: MetricRow | None, u: str, marks: dict[str, str]) -> Cell:
    if row is None:
        return Cell("no face")
    text = f"{row_estimate(row, u)} ({count(row.n_subjects)}){_pooled(row, u)}"
    return Cell(text, row.value, mark_of(row.note, marks))

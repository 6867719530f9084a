"""How the signed error spreads in each group: ridges over one axis, with the shares as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.result import AuditResult
from audit.rows import CurveRow
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Table, table
from reports.figures import Point, Ridge, ridges
from reports.format import (
    beside,
    count,
    estimate,
    faces,
    group_label,
    number,
    semicolons,
    sentences,
)
from reports.language import english, say
from reports.lookup import groups_in_order
from reports.sections.curves import MAX_ROWS, Curve, curves_of
from reports.sections.marks import bars_words, cut_words
from reports.words import by

MAX_RIDGES = 12
_READING = english(
    "How often estimates are off by how many years, in bins of five. A group whose outline lies to "
    "the right of the dashed one of everyone is estimated too old, to the left too young; a lower "
    "and wider one has larger errors."
)


def ridge_blocks(result: AuditResult) -> list[Block]:
    """One figure for each attribute, worst group on top; of everyone alone where there is none."""
    arranged = curves_of(result, "error_density")
    everyone = arranged.pop((), [])
    blocks: list[Block] = []
    for i, (names, curves) in enumerate(arranged.items()):
        ordered = _worst_first(result, names, curves)
        blocks.append(_figure(result, f"errors-{i}", ordered, everyone, by(list(names))))
    if not blocks and everyone:
        blocks.append(_figure(result, "errors-all", everyone, [], say("everyone")))
    if not blocks:
        return []
    return [Heading("errors", say("How errors spread")), Prose((say(_READING),)), *blocks]


def _worst_first(result: AuditResult, names: Sequence[str], curves: Sequence[Curve]) -> list[Curve]:
    """As the other figures of groups: by their absolute error, small and unknown ones last."""
    found = {_key(curve.group): curve for curve in curves}
    order = [_key(group) for group in groups_in_order(result, names, "mae")]
    left = [key for key in found if key not in order]
    return [found[key] for key in (*order, *left) if key in found]


def _key(group: Mapping[str, str | None]) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted(group.items()))


def _figure(
    result: AuditResult, id: str, curves: list[Curve], everyone: list[Curve], of: str
) -> Figure:
    title = say("Distribution of the signed error: {of}", of=of)
    edges = sorted({float(row.x) for curve in (*everyone, *curves) for row in curve.rows})
    shown = curves[:MAX_RIDGES]
    drawn = [_ridge(result, curve, edges) for curve in shown]
    spec, height = ridges(
        drawn,
        axis=say("estimate minus true age (years)"),
        right=say("faces"),
        ticks=_ticks(edges),
        behind=[p for curve in everyone for p in _points(curve, edges)],
        behind_name=say("everyone"),
    )
    alt = say(
        "{title}. Share of faces in the bin around 0: {shares}. All bins are in the table.",
        title=title,
        shares=semicolons(f"{row.label} {_around_zero(curve, edges)}"
                          for row, curve in zip(drawn, shown, strict=True)),
    )  # fmt: skip
    small = any(row.small for row in drawn)
    caption = sentences(
        say("The height is the share of faces in a bin, on one scale in all rows."),
        bars_words(result),
        say("The dashed line is everyone.") if everyone else "",
        say(
            "Dotted, without filling: fewer than {n} persons, intervals in the table.",
            n=result.spec.min_n,
        )
        if small
        else "",
        cut_words(len(curves), MAX_RIDGES),
    )
    panel = Panel(f"{id}-plot", title, alt, spec, height)
    return Figure(
        f"{id}-figure", title, caption, (panel,), _table(id, title, [*curves, *everyone], edges)
    )


def _ridge(result: AuditResult, curve: Curve, edges: Sequence[float]) -> Ridge:
    first = curve.rows[0]
    small = first.n_subjects is None or first.n_subjects < result.spec.min_n
    return Ridge(group_label(curve.group), _points(curve, edges), count(first.n), small)


def _points(curve: Curve, edges: Sequence[float]) -> list[Point]:
    """The shares in the middle of their bins; the open ends are drawn as wide as the others."""
    half = (edges[1] - edges[0]) / 2 if len(edges) > 1 else 0.0
    found = []
    for row in curve.rows:
        y = _share(row)
        text = beside(
            _bin(float(row.x), edges), estimate(y, row.low, row.high), faces(row.n)
        )  # fmt: skip
        hover = say("{name}: {text}", name=group_label(curve.group), text=text)
        found.append(Point(float(row.x) + half, y, row.low, row.high, hover))
    return found


def _share(row: CurveRow) -> float | None:
    return None if row.y is None else float(row.y)


def _ticks(edges: Sequence[float]) -> list[tuple[float, str]]:
    """The middle of every second bin from that around 0, and what the open ends hold."""
    half = (edges[1] - edges[0]) / 2
    middles = [edge + half for edge in edges[1:-1]]
    inner = [(x, f"{x:+g}" if x else "0") for x in middles if round(x / half) % 4 == 0]
    ends = ((edges[0] + half, f"< {edges[1]:g}"), (edges[-1] + half, f"≥ {edges[-1]:g}"))
    ticks = [ends[0], *(tick for tick in inner if abs(tick[0]) < abs(middles[0])), ends[1]]
    return [(x, text.replace("-", "−")) for x, text in ticks]


def _bin(x: float, edges: Sequence[float]) -> str:
    """A bin in words; the first and the last are open."""
    at = edges.index(x)
    names = [f"{edge:g}".replace("-", "−") for edge in edges]
    if at == 0:
        return say("below {edge} years", edge=names[1])
    if at == len(edges) - 1:
        return say("{edge} years and above", edge=names[-1])
    return say("{low} to below {high} years", low=names[at], high=names[at + 1])


def _around_zero(curve: Curve, edges: Sequence[float]) -> str:
    middle = max(edge for edge in edges if edge <= 0)
    return number(next((_share(row) for row in curve.rows if float(row.x) == middle), None))


def _table(id: str, title: str, curves: Sequence[Curve], edges: Sequence[float]) -> Table:
    rows = [
        [
            Cell(group_label(curve.group), head=True),
            Cell(_bin(float(row.x), edges), float(row.x)),
            Cell(estimate(_share(row), row.low, row.high), _share(row)),
            Cell(count(row.n), row.n),
            Cell(count(row.n_subjects), row.n_subjects),
        ]
        for curve in curves
        for row in curve.rows
    ]
    numeric = (say("signed error"), say("share of faces"), say("faces"), say("people"))
    columns: list[str | Column] = [say("group"), *(Column(name, numeric=True) for name in numeric)]
    cut = len(rows) - MAX_ROWS
    more = say("{n} more points are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(f"{id}-table", title, columns, rows[:MAX_ROWS], more=more)

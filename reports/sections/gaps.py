"""Differences between groups: every one that the record holds, against the stated margin."""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import AdjustedGap, AggregateGap, Gap
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.figures import Mark, Role, forest
from reports.format import (
    combination_label,
    count,
    estimate,
    group_label,
    interval,
    metric_label,
    metric_title,
    note_codes,
    number,
    p_value,
    plain,
)
from reports.lookup import defined_by_age, gaps_of, headline, unit
from reports.words import REGRESSION, by, level_words, mark_of

MAX_ROWS = 2000
MAX_MARKS = 30

_ROLES: dict[str | None, Role] = {
    "gap": "gap",
    "no material gap": "none",
    "inconclusive": "inconclusive",
    None: "plain",
}
_READING = (
    "A difference is the value of the first group minus that of the second. p is the inversion of "
    "the interval beside the value; p adjusted and the interval for the family hold for all "
    "differences of the family together, and a gap is what lies wholly outside the margin with the "
    "latter. A difference whose interval includes 0 is neither shown nor ruled out."
)


def build(result: AuditResult) -> Section | None:
    """Figures for the headline metric, then the tables of all differences."""
    metric = headline(result)
    if metric is None or not result.gaps:
        return None
    blocks: list[Block] = [Prose((_READING,))]
    left = MAX_ROWS
    for i, names in enumerate(result.spec.combinations):
        found = [gap for gap in result.gaps if set(gap.attributes) == set(names)]
        rows = [gap for gap in found if not isinstance(gap, AggregateGap | AdjustedGap)]
        rows.sort(key=_untested)
        if not rows:
            continue
        blocks.append(Heading(f"gaps-{i}", by(names)))
        blocks += [Prose((REGRESSION,))] if defined_by_age(result, names) else []
        blocks += _figures(result, list(names), metric, f"gaps-{i}")
        blocks.append(_table(result, rows, list(names), f"gaps-{i}-all", left))
        left = max(left - len(rows), 0)
    return Section("gaps", "Differences", tuple(blocks))


def _figures(result: AuditResult, names: list[str], metric: str, id: str) -> list[Figure]:
    """The headline metric's differences: of pairs, or of each group from the rest.

    Where none was tested there is nothing to draw: the widest would be those of single persons.
    """
    for kind in ("difference", "vs_rest"):
        gaps = gaps_of(result, metric, names, [kind])
        if not all(_untested(gap) for gap in gaps):
            return [_figure(result, names, metric, kind, gaps, id)]
    return []


def _figure(
    result: AuditResult, names: list[str], metric: str, kind: str, gaps: list[Gap], id: str
) -> Figure:
    u = unit(result, metric)
    widest = sorted(gaps, key=lambda gap: (_untested(gap), -abs(gap.value or 0.0)))
    drawn = [gap for gap in widest if gap.value is not None][:MAX_MARKS]
    margin = next((gap.margin for gap in drawn if gap.margin is not None), None)
    axis = f"difference in {metric_title(metric)}" + (f", {plain(u)}" if u else "")
    spec, height = forest(
        [_mark(gap, u) for gap in drawn], axis=axis, right="people", reference=0.0,
        reference_label="no difference", band=margin,
    )  # fmt: skip
    what = "pairs of groups" if kind == "difference" else "each group against all others"
    title = f"Differences in {metric_title(metric)} {by(names)}: {what}"
    caption = f"The first group minus the second, with its {level_words(result)} interval."
    if margin is not None:
        caption += f" The shaded band is the stated margin of ±{number(margin, u)}."
    if len(drawn) < len(gaps):
        caption += f" Drawn are {len(drawn)} of {len(gaps)}: tested ones first, then by width."
    if any(_untested(gap) for gap in drawn):
        caption += f" Hollow: fewer than {result.spec.min_n} persons on a side, not tested."
    said = "; ".join(f"{_sides(g)} {estimate(g.value, g.low, g.high, u)}" for g in drawn[:8])
    panel = Panel(f"{id}-plot", title, f"{title}. {said}.", spec, height)
    rows = _table(result, widest, names, f"{id}-table", MAX_ROWS, fold=False)
    return Figure(f"{id}-figure", title, caption, (panel,), rows)


def _mark(gap: Gap, u: str) -> Mark:
    hover = f"{_sides(gap)}: {estimate(gap.value, gap.low, gap.high, u)}"
    people = " / ".join(count(n) for n in (gap.n_subjects_a, gap.n_subjects_b) if n is not None)
    role = "small" if _untested(gap) else _ROLES[gap.verdict]
    return Mark(_sides(gap), gap.value, gap.low, gap.high, people, hover, role)


def _untested(gap: Gap) -> bool:
    """Whether the row says that a side is too small; those come last, however wide they are."""
    return gap.value is None or "below_min_n" in note_codes(gap.note)


def _sides(gap: Gap) -> str:
    if gap.kind == "vs_rest":
        return f"{group_label(gap.a)} − the rest"
    a, b = getattr(gap, "a", None), getattr(gap, "b", None)
    return " − ".join(group_label(side) for side in (a, b) if side is not None)


def _table(
    result: AuditResult,
    gaps: Sequence[Gap],
    names: list[str],
    id: str,
    limit: int,
    *,
    fold: bool = True,
) -> Table:
    marks: dict[str, str] = {}
    rows = [_row(result, gap, marks) for gap in gaps[:limit]]
    caption = f"{combination_label(names)}: " + ("all differences" if fold else "differences")
    cut = len(gaps) - len(rows)
    more = f"{count(cut)} more rows are in audit.json." if cut > 0 else None
    columns = (
        "metric", "kind", "first or worst", "second or best", "value [interval]",
        Column("interval for the family", numeric=True), "debiased",
        "verdict", "margin", "p", "p adjusted", "p permutation", "least detectable",
        "people first", "people second",
    )  # fmt: skip
    summary = f"{caption} ({count(len(gaps))})" if fold else None
    return table(id, caption, columns, rows, summary=summary, footnotes=marks, more=more)


def _row(result: AuditResult, gap: Gap, marks: dict[str, str]) -> list[Cell]:
    u = "" if gap.kind == "ratio" else unit(result, gap.metric)
    a, b = getattr(gap, "a", None), getattr(gap, "b", None)
    rest = "the rest" if gap.kind == "vs_rest" else ""
    numbers = ((gap.p, p_value), (gap.p_adjusted, p_value), (gap.p_permutation, p_value))
    return [
        Cell(metric_label(gap.metric, gap.class_), head=True),
        Cell(gap.kind.replace("_", " ")),
        Cell("" if a is None else group_label(a)),
        Cell(rest if b is None else group_label(b)),
        Cell(estimate(gap.value, gap.low, gap.high, u), gap.value, mark_of(gap.note, marks)),
        Cell(interval(gap.low_adjusted, gap.high_adjusted, u)),
        _optional(getattr(gap, "debiased", None), u),
        Cell(gap.verdict or ""),
        _optional(gap.margin, u),
        *(Cell("" if p is None else show(p), p) for p, show in numbers),
        _optional(gap.min_detectable, u),
        *(Cell("" if n is None else count(n), n) for n in (gap.n_subjects_a, gap.n_subjects_b)),
    ]


def _optional(value: float | None, unit: str) -> Cell:
    """A number that many rows do not have by their nature: nothing is missing where it is empty."""
    return Cell("" if value is None else number(value, unit), value)

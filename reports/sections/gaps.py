"""Differences between groups: every one that the record holds, against the stated margin."""

from __future__ import annotations

from collections.abc import Sequence

from audit.metrics.where import is_where
from audit.result import AuditResult
from audit.rows import AdjustedGap, AggregateGap, Gap
from reports.blocks import Block, Cell, Column, Figure, Heading, Panel, Prose, Section, Table, table
from reports.cut import MAX_GAP_ROWS
from reports.figures import Mark, Role, forest
from reports.format import (
    beside,
    bracketed,
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
    semicolons,
    sentences,
    unit_name,
)
from reports.language import english, say
from reports.lookup import defined_by_age, gaps_of, headline, unit
from reports.words import REGRESSION, by, level_words, mark_of, verdict_label

MAX_MARKS = 30

_ROLES: dict[str | None, Role] = {
    "gap": "gap",
    "no material gap": "none",
    "inconclusive": "inconclusive",
    None: "plain",
}
KINDS = {
    "difference": english("difference"),
    "ratio": english("ratio"),
    "vs_rest": english("vs rest"),
    "worst_minus_best": english("worst minus best"),
    "max_minus_min": english("max minus min"),
}
_READING = english(
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
    blocks: list[Block] = [Prose((say(_READING),))]
    for i, names in enumerate(result.spec.combinations):
        found = [gap for gap in result.gaps if set(gap.attributes) == set(names)]
        rows = [gap for gap in found if not isinstance(gap, AggregateGap | AdjustedGap)]
        rows = [gap for gap in rows if not is_where(gap.metric)]  # they have a section of their own
        rows.sort(key=_untested)
        if not rows:
            continue
        blocks.append(Heading(f"gaps-{i}", by(names)))
        blocks += [Prose((say(REGRESSION),))] if defined_by_age(result, names) else []
        blocks += _figures(result, list(names), metric, f"gaps-{i}")
        blocks.append(gap_table(result, rows, list(names), f"gaps-{i}-all"))
    return Section("gaps", say("Differences"), tuple(blocks))


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
    spec, height = forest(
        [_mark(gap, u) for gap in drawn], axis=difference_axis(metric, u), right=say("people"),
        reference=0.0, reference_label=say("no difference"), band=margin,
    )  # fmt: skip
    words = (
        english("Differences in {metric} {by}: pairs of groups")
        if kind == "difference"
        else english("Differences in {metric} {by}: each group against all others")
    )
    title = say(words, metric=metric_title(metric), by=by(names))
    caption = say(
        "The first group minus the second, with its {level} interval.", level=level_words(result)
    )
    if margin is not None:
        caption = sentences(caption, margin_band(margin, u))
    if len(drawn) < len(gaps):
        words = english("Drawn are {n} of {all}: tested ones first, then by width.")
        caption = sentences(caption, say(words, n=len(drawn), all=len(gaps)))
    if any(_untested(gap) for gap in drawn):
        words = english("Hollow: fewer than {n} persons on a side, not tested.")
        caption = sentences(caption, say(words, n=result.spec.min_n))
    said = semicolons(f"{_sides(g)} {estimate(g.value, g.low, g.high, u)}" for g in drawn[:8])
    panel = Panel(
        f"{id}-plot", title, say("{title}. {text}.", title=title, text=said), spec, height
    )
    rows = gap_table(result, widest, names, f"{id}-table", fold=False)
    return Figure(f"{id}-figure", title, caption, (panel,), rows)


def difference_axis(metric: str, u: str) -> str:
    """The axis of a figure of differences."""
    return beside(say("difference in {metric}", metric=metric_title(metric)), unit_name(u))


def margin_band(margin: float, u: str) -> str:
    """What the shaded band of a figure of differences is."""
    return say("The shaded band is the stated margin of ±{margin}.", margin=number(margin, u))


def _mark(gap: Gap, u: str) -> Mark:
    said = estimate(gap.value, gap.low, gap.high, u)
    hover = say("{name}: {text}", name=_sides(gap), text=said)
    people = " / ".join(count(n) for n in (gap.n_subjects_a, gap.n_subjects_b) if n is not None)
    role = "small" if _untested(gap) else _ROLES[gap.verdict]
    return Mark(_sides(gap), gap.value, gap.low, gap.high, people, hover, role)


def _untested(gap: Gap) -> bool:
    """Whether the row says that a side is too small; those come last, however wide they are."""
    return gap.value is None or "below_min_n" in note_codes(gap.note)


def _sides(gap: Gap) -> str:
    if gap.kind == "vs_rest":
        return say("{group} − the rest", group=group_label(gap.a))
    a, b = getattr(gap, "a", None), getattr(gap, "b", None)
    return " − ".join(group_label(side) for side in (a, b) if side is not None)


def gap_table(
    result: AuditResult,
    gaps: Sequence[Gap],
    names: list[str],
    id: str,
    *,
    fold: bool = True,
    most: int | None = None,
) -> Table:
    """Differences in all their columns; folded under a line unless a figure holds it.

    With ``most`` the first of them, which the page never cuts further.
    """
    marks: dict[str, str] = {}
    rows = [_row(result, gap, marks) for gap in gaps[: MAX_GAP_ROWS if most is None else most]]
    caption = (
        say("{names}: all differences", names=combination_label(names))
        if fold and most is None
        else say("{names}: differences", names=combination_label(names))
    )
    cut = len(gaps) - len(rows)
    more = say("{n} more rows are in audit.json.", n=count(cut)) if cut > 0 else None
    columns = (
        say("metric"), say("kind"), say("first or worst"), say("second or best"),
        say("value [interval]"), Column(say("interval for the family"), numeric=True),
        say("debiased"), say("verdict"), say("margin"), "p", say("p adjusted"),
        say("p permutation"), say("least detectable"), say("people first"), say("people second"),
    )  # fmt: skip
    summary = bracketed(caption, count(len(gaps))) if fold else None
    return table(id, caption, columns, rows, summary=summary, footnotes=marks, more=more,
                 gaps=most is None)  # fmt: skip


def _row(result: AuditResult, gap: Gap, marks: dict[str, str]) -> list[Cell]:
    u = "" if gap.kind == "ratio" else unit(result, gap.metric)
    a, b = getattr(gap, "a", None), getattr(gap, "b", None)
    rest = say("the rest") if gap.kind == "vs_rest" else ""
    numbers = ((gap.p, p_value), (gap.p_adjusted, p_value), (gap.p_permutation, p_value))
    return [
        Cell(metric_label(gap.metric, gap.class_), head=True),
        Cell(say(KINDS[gap.kind])),
        Cell("" if a is None else group_label(a)),
        Cell(rest if b is None else group_label(b)),
        Cell(estimate(gap.value, gap.low, gap.high, u), gap.value, mark_of(gap.note, marks)),
        Cell(interval(gap.low_adjusted, gap.high_adjusted, u)),
        _optional(getattr(gap, "debiased", None), u),
        Cell(verdict_label(gap.verdict)),
        _optional(gap.margin, u),
        *(Cell("" if p is None else show(p), p) for p, show in numbers),
        _optional(gap.min_detectable, u),
        *(Cell("" if n is None else count(n), n) for n in (gap.n_subjects_a, gap.n_subjects_b)),
    ]


def _optional(value: float | None, unit: str) -> Cell:
    """A number that many rows do not have by their nature: nothing is missing where it is empty."""
    return Cell("" if value is None else number(value, unit), value)

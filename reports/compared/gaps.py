"""How the differences between groups change from run to run."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange
from reports.blocks import Block, Figure, Heading, Panel, Prose, Section
from reports.compared.lookup import LARGEST, combinations, gaps_of, headline, others, short, unit
from reports.compared.rows import changes_table, mark
from reports.compared.words import change_words, from_to, gap_sides, level_words
from reports.figures import Pair, dumbbell, forest
from reports.format import beside, combination_label, count, metric_title, semicolons, unit_name
from reports.language import english, say

MAX_MARKS = 40
_READING = english(
    "A gap that changes may grow, shrink or turn round. It is narrower or wider where the sizes of "
    "the two gaps differ for sure; it is reversed where the change is sure and the group that was "
    "ahead is now behind. The largest gap is that between the baseline's worst and best group, "
    "whoever is worst in the other run: by chance alone such a gap tends to be nearer in another "
    "run, and the interval that holds for the family allows for it. Ratios and spreads over all "
    "groups are not compared: each audit has its own."
)
_HEADINGS = {
    "difference": english("Change of gaps in {metric} by {groups}: pairs of groups"),
    "vs_rest": english("Change of gaps in {metric} by {groups}: each group against all others"),
}


def build(result: Comparison) -> Section | None:
    """For each run and combination: the headline metric drawn, every metric in the table."""
    metric = headline(result)
    if metric is None or not result.gaps:
        return None
    blocks: list[Block] = [Prose((say(_READING),))]
    base = short(result, result.spec.baseline)
    for i, run in enumerate(others(result)):
        title = say("{run} against {baseline}", run=short(result, run), baseline=base)
        blocks.append(Heading(f"gaps-{i}", title))
        for j, names in enumerate(combinations(result)):
            rows = [g for g in result.gaps if g.run_b == run and g.attributes == names]
            blocks += _figures(result, metric, run, names, f"gaps-{i}-{j}")
            caption = say(
                "{run}: changes of gaps by {groups}, all metrics",
                run=short(result, run), groups=combination_label(names),
            )  # fmt: skip
            blocks.append(changes_table(result, rows, f"gaps-{i}-{j}-all", caption))
    return Section("gaps", say("Gaps between groups"), tuple(blocks))


def _figures(result: Comparison, metric: str, run: str, names: list[str], id: str) -> list[Figure]:
    for kind in _HEADINGS:
        rows = gaps_of(result, metric, run, names, [kind])
        drawn = [row for row in rows if row.value is not None]
        if drawn:
            return [_figure(result, metric, run, names, kind, drawn, id)]
    return []


def _figure(
    result: Comparison,
    metric: str,
    run: str,
    names: list[str],
    kind: str,
    rows: list[GapChange],
    id: str,
) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    largest = gaps_of(result, metric, run, names, LARGEST)
    rows = sorted(rows, key=lambda row: -abs(row.value or 0.0))
    spec, height = forest(
        [mark(result, row) for row in rows[:MAX_MARKS]],
        axis=beside(say("change of the gap in {metric}", metric=title), unit_name(u)),
        right=say("people"), reference=0.0, reference_label=say("no change"),
    )  # fmt: skip
    heading = say(
        _HEADINGS[kind],
        metric=title, groups=combination_label(names),
    )  # fmt: skip
    caption = say(
        "The first group minus the second, in the second run minus in the first, with the {level} "
        "interval; the widest change on top.",
        level=level_words(result),
    )
    said = semicolons(f"{gap_sides(result, r)} {change_words(result, r)}" for r in rows[:10])
    alt = say("{title}. {said}.", title=heading, said=said)
    panels = [Panel(f"{id}-plot", say("The change"), alt, spec, height)]
    panels += _both(result, run, rows, beside(title, unit_name(u)), f"{id}-both")
    table = changes_table(result, [*largest, *rows], f"{id}-table", heading, fold=False)
    return Figure(f"{id}-figure", heading, caption, tuple(panels), table, "half")


def _both(result: Comparison, run: str, rows: list[GapChange], axis: str, id: str) -> list[Panel]:
    """The gap of every pair in either run, joined by a line."""
    pairs = [
        Pair(
            gap_sides(result, row), row.value_a, row.value_b, count(row.n_subjects),
            beside(gap_sides(result, row), from_to(result, row)),
        )
        for row in rows[:MAX_MARKS]
        if row.value_a is not None and row.value_b is not None
    ]  # fmt: skip
    if not pairs:
        return []
    base = short(result, result.spec.baseline)
    spec, height = dumbbell(
        pairs, axis=say("gap in {metric}", metric=axis), first=base, second=short(result, run),
        right=say("people"),
    )  # fmt: skip
    said = semicolons(beside(gap_sides(result, row), from_to(result, row)) for row in rows[:10])
    title = say("The gap in either run, without intervals")
    return [Panel(id, title, say("{title}. {said}.", title=title, said=said), spec, height)]

"""Who gains and who loses: how every group's value changes from run to run."""

from __future__ import annotations

from audit.comparison import Comparison
from reports.blocks import Block, Figure, Heading, Panel, Prose, Section
from reports.compared.lookup import better, combinations, headline, others, rows_of, short, unit
from reports.compared.rows import Row, by_gain, changes_table, mark
from reports.compared.words import change_words, level_words, where
from reports.figures import forest
from reports.format import (
    beside,
    capital,
    combination_label,
    metric_title,
    number,
    semicolons,
    sentences,
    unit_name,
)
from reports.language import english, say

MAX_MARKS = 40
_SIDES = {
    "lower": english("Left of the line the second run is nearer to the truth."),
    "higher": english("Right of the line the second run is better."),
    "zero": english("Nearest to 0 is best, so neither side of the line is the better one."),
    "none": english("Neither side of the line is the better one."),
}


def build(result: Comparison) -> Section | None:
    """For each run: everyone, then each combination, who loses first."""
    metric = headline(result)
    if metric is None:
        return None
    blocks: list[Block] = []
    for i, run in enumerate(others(result)):
        base = short(result, result.spec.baseline)
        title = say("{run} against {baseline}", run=short(result, run), baseline=base)
        blocks.append(Heading(f"groups-{i}", title))
        everyone = [row for row in result.paired if row.run_b == run and not row.group]
        caption = say("{run}: everyone, all metrics", run=short(result, run))
        blocks.append(changes_table(result, everyone, f"groups-{i}-all", caption))
        for j, names in enumerate(combinations(result)):
            blocks += _combination(result, metric, run, names, f"groups-{i}-{j}")
    return Section("groups", say("Who gains, who loses"), tuple(blocks))


def _combination(
    result: Comparison, metric: str, run: str, names: list[str], id: str
) -> list[Block]:
    rows = by_gain(result, rows_of(result, metric, run, names))
    own = set(names)
    every = [row for row in result.paired if row.run_b == run and set(row.group) == own]
    blocks: list[Block] = []
    if any(row.value is not None for row in rows):
        blocks.append(_figure(result, metric, run, names, rows, id))
    elif not every:
        told = say("No group by {groups} could be compared.", groups=combination_label(names))
        return [Prose((told,))]
    caption = say(
        "{run}: {groups}, all metrics", run=short(result, run), groups=combination_label(names)
    )
    return [*blocks, changes_table(result, every, f"{id}-all", caption)]


def _figure(
    result: Comparison, metric: str, run: str, names: list[str], rows: list[Row], id: str
) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    drawn = [row for row in rows if row.value is not None][:MAX_MARKS]
    margin = next((row.margin for row in drawn if row.margin is not None), None)
    spec, height = forest(
        [mark(result, row) for row in drawn],
        axis=beside(say("change of {metric}", metric=title), unit_name(u)),
        right=say("people"), reference=0.0, reference_label=say("no change"), band=margin,
    )  # fmt: skip
    told = [
        say(
            "{run} minus {baseline} in each group, with the {level} interval of the paired "
            "difference; who loses most is on top.",
            run=short(result, run), baseline=short(result, result.spec.baseline),
            level=level_words(result),
        ),
        say(_SIDES[better(result, metric)]),
    ]  # fmt: skip
    if margin is not None:
        told.append(
            say("The shaded band is the stated margin of ±{margin}.", margin=number(margin, u))
        )
    if len(drawn) < len(rows):
        told.append(
            say("{n} of {all} groups are drawn; the table has all.", n=len(drawn), all=len(rows))
        )
    heading = say(
        "{metric} by {groups}: who gains, who loses",
        metric=capital(title), groups=combination_label(names),
    )  # fmt: skip
    said = semicolons(f"{where(row)} {change_words(result, row)}" for row in drawn[:12])
    alt = say("{title}. {said}.", title=heading, said=said)
    panel = Panel(f"{id}-plot", heading, alt, spec, height)
    table = changes_table(result, rows, f"{id}-table", heading, fold=False)
    return Figure(f"{id}-figure", heading, sentences(*told), (panel,), table)

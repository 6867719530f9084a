"""Every difference that holds for its whole family of tests, the surest first."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange
from audit.verdict import settled
from reports.blocks import Block, Figure, Panel, Prose, Section
from reports.compared.lookup import others, short
from reports.compared.rows import MAX_ROWS, Row, changes_table, mark
from reports.compared.words import change_words, from_to, gap_sides, verdict_words, what
from reports.figures import forest
from reports.format import (
    metric_title,
    plural,
    semicolons,
    sentences,
)
from reports.language import english, say

MAX_MARKS = 30
MOST = 3
_READING = english(
    "A family is one metric over one combination of attributes, with all its groups and classes: "
    "what is listed here holds for the whole family at 5 %, by an interval that allows for all "
    "that was looked at in it. A gap is a difference between groups; its change is that of the "
    "second run minus that of the first."
)


def build(result: Comparison) -> Section:
    """What is settled, for each run."""
    rows: list[Row] = [*result.paired, *result.gaps]
    tested = {row.family for row in rows if row.p_adjusted is not None}
    blocks: list[Block] = [Prose((say(_READING),))]
    sure = [row for row in rows if settled(row)]
    blocks.append(Prose((_counted(len(sure), len(tested) * len(others(result))),)))
    if sure:
        sure.sort(key=_order)
        blocks += _figures(result, sure)
        caption = say("Differences that hold for their family")
        blocks.append(changes_table(result, sure, "findings-table", caption, fold=len(sure) > 40))
    return Section("findings", say("What differs"), tuple(blocks))


def surest(result: Comparison) -> tuple[str, ...]:
    """Of each run, the gaps that have changed most surely, in a sentence."""
    found = []
    for run in others(result):
        rows: list[Row] = [
            row
            for row in result.gaps
            if row.run_b == run and settled(row) and row.kind in {"difference", "vs_rest"}
        ]
        if not rows:
            continue
        rows.sort(key=_order)
        surest_rows = semicolons(
            say(
                "{what}, {groups}: {change} ({verdict})",
                what=what(row), groups=gap_sides(result, row), change=from_to(result, row),
                verdict=verdict_words(row),
            )
            for row in rows[:MOST]
            if isinstance(row, GapChange)
        )  # fmt: skip
        one, many = (
            english(
                "{run}: {n} gap has changed beyond what its family of tests allows for, most "
                "surely {surest}."
            ),
            english(
                "{run}: {n} gaps have changed beyond what its family of tests allows for, most "
                "surely {surest}."
            ),
        )
        sentence = one if len(rows) == 1 else many
        found.append(say(sentence, run=short(result, run), n=len(rows), surest=surest_rows))
    return tuple(found) or (say("No gap between groups has surely changed in any run."),)


def _order(row: Row) -> tuple[float, float]:
    return row.p_adjusted or 0.0, row.p or 0.0


def _counted(n: int, families: int) -> str:
    if not families:
        return say("No family could be tested; the tables below say why.")
    tested = plural(families, english("{n} family"), english("{n} families"))
    if not n:
        found = say("No difference holds in {families} that were tested.", families=tested)
    else:
        many = plural(n, english("{n} difference"), english("{n} differences"))
        found = say(
            "{differences} hold in {families} that were tested.",
            differences=many, families=tested,
        )  # fmt: skip
    chance = say(
        "If nothing differed at all, about {n:.1f} of so many families would show something.",
        n=0.05 * families,
    )
    return sentences(found, chance)


def _figures(result: Comparison, sure: list[Row]) -> list[Figure]:
    """The classes of one metric in one combination side by side, where several of them differ.

    Here a stereotype shows: a class that one group gains and another loses, and no other number
    moves.
    """
    found: list[Figure] = []
    runs = others(result)
    families = dict.fromkeys((row.run_b, row.metric, row.family) for row in sure)
    families = dict.fromkeys(sorted(families, key=lambda key: runs.index(key[0])))
    for run, metric, family in families:
        rows = [
            row
            for row in result.gaps
            if row.run_b == run and row.family == family and row.kind == "difference"
        ]
        if not 2 <= len(rows) <= MAX_MARKS or all(row.class_ is None for row in rows):
            continue
        if not any(settled(row) for row in rows):
            continue
        found.append(_figure(result, run, metric, rows, f"findings-{len(found)}"))
    return found[:6]


def _figure(result: Comparison, run: str, metric: str, rows: list[GapChange], id: str) -> Figure:
    base = short(result, result.spec.baseline)
    spec, height = forest(
        [mark(result, row) for row in rows],
        axis=say("change of the gap in {metric}", metric=metric_title(metric)),
        right=say("people"), reference=0.0, reference_label=say("no change"),
    )  # fmt: skip
    title = say(
        "Change of the gaps in {metric} of each class: {runs}",
        metric=metric_title(metric), runs=f"{short(result, run)} − {base}",
    )  # fmt: skip
    said = semicolons(
        say("{what}, {groups} {change}", what=what(row), groups=gap_sides(result, row),
            change=change_words(result, row))
        for row in rows[:10]
    )  # fmt: skip
    panel = Panel(
        f"{id}-plot", title, say("{title}. {said}.", title=title, said=said), spec, height
    )
    caption = say("Each line is one class: how the difference between the groups changes.")
    table = changes_table(result, rows[:MAX_ROWS], f"{id}-table", title, fold=False)
    return Figure(f"{id}-figure", title, caption, (panel,), table)

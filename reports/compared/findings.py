"""Every difference that holds for its whole family of tests, the surest first."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange
from audit.verdict import settled
from reports.blocks import Block, Figure, Panel, Prose, Section
from reports.compared.lookup import others, short
from reports.compared.rows import MAX_ROWS, Row, changes_table, mark
from reports.compared.words import change_words, from_to, gap_sides, verdict_words, what
from reports.figures import forest
from reports.format import metric_title, plural

MAX_MARKS = 30
MOST = 3
_READING = (
    "A family is one metric over one combination of attributes, with all its groups and classes: "
    "what is listed here holds for the whole family at 5 %, by an interval that allows for all "
    "that was looked at in it. A gap is a difference between groups; its change is that of the "
    "second run minus that of the first."
)


def build(result: Comparison) -> Section:
    """What is settled, for each run."""
    rows: list[Row] = [*result.paired, *result.gaps]
    tested = {row.family for row in rows if row.p_adjusted is not None}
    blocks: list[Block] = [Prose((_READING,))]
    sure = [row for row in rows if settled(row)]
    blocks.append(Prose((_counted(len(sure), len(tested) * len(others(result))),)))
    if sure:
        sure.sort(key=_order)
        blocks += _figures(result, sure)
        caption = "Differences that hold for their family"
        blocks.append(changes_table(result, sure, "findings-table", caption, fold=len(sure) > 40))
    return Section("findings", "What differs", tuple(blocks))


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
        words = "; ".join(
            f"{what(row)}, {gap_sides(result, row)}: {from_to(result, row)} ({verdict_words(row)})"
            for row in rows[:MOST]
            if isinstance(row, GapChange)
        )
        changed = "1 gap has" if len(rows) == 1 else f"{len(rows)} gaps have"
        found.append(
            f"{short(result, run)}: {changed} changed beyond what its family of tests allows for, "
            f"most surely {words}."
        )
    return tuple(found) or ("No gap between groups has surely changed in any run.",)


def _order(row: Row) -> tuple[float, float]:
    return row.p_adjusted or 0.0, row.p or 0.0


def _counted(n: int, families: int) -> str:
    if not families:
        return "No family could be tested; the tables below say why."
    found = "No difference holds" if not n else f"{plural(n, 'difference')} hold"
    chance = 0.05 * families
    return (
        f"{found} in {plural(families, 'family', 'families')} that were tested. If nothing "
        f"differed at all, about {chance:.1f} of so many families would show something."
    )


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
        [mark(result, row) for row in rows], axis=f"change of the gap in {metric_title(metric)}",
        right="people", reference=0.0, reference_label="no change",
    )  # fmt: skip
    title = (
        f"Change of the gaps in {metric_title(metric)} of each class: {short(result, run)} − {base}"
    )
    said = "; ".join(
        f"{what(row)}, {gap_sides(result, row)} {change_words(result, row)}" for row in rows[:10]
    )
    panel = Panel(f"{id}-plot", title, f"{title}. {said}.", spec, height)
    caption = "Each line is one class: how the difference between the groups changes."
    table = changes_table(result, rows[:MAX_ROWS], f"{id}-table", title, fold=False)
    return Figure(f"{id}-figure", title, caption, (panel,), table)

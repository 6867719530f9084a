"""How the differences between groups change from run to run."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange
from reports.blocks import Block, Figure, Heading, Panel, Prose, Section
from reports.compared.lookup import LARGEST, combinations, gaps_of, headline, others, short, unit
from reports.compared.rows import changes_table, mark
from reports.compared.words import change_words, gap_sides, level_words
from reports.figures import forest
from reports.format import combination_label, metric_title
from reports.words import by

MAX_MARKS = 40
_READING = (
    "A gap that changes may grow, shrink or turn round. It is narrower or wider where the sizes of "
    "the two gaps differ for sure; it is reversed where the change is sure and the group that was "
    "ahead is now behind. The largest gap is that between the baseline's worst and best group, "
    "whoever is worst in the other run: by chance alone such a gap tends to be nearer in another "
    "run, and the interval that holds for the family allows for it. Ratios and spreads over all "
    "groups are not compared: each audit has its own.",
)


def build(result: Comparison) -> Section | None:
    """For each run and combination: the headline metric drawn, every metric in the table."""
    metric = headline(result)
    if metric is None or not result.gaps:
        return None
    blocks: list[Block] = [Prose(_READING)]
    base = short(result, result.spec.baseline)
    for i, run in enumerate(others(result)):
        blocks.append(Heading(f"gaps-{i}", f"{short(result, run)} against {base}"))
        for j, names in enumerate(combinations(result)):
            rows = [g for g in result.gaps if g.run_b == run and g.attributes == names]
            blocks += _figures(result, metric, run, names, f"gaps-{i}-{j}")
            caption = (
                f"{short(result, run)}: changes of gaps by {combination_label(names)}, all metrics"
            )
            blocks.append(changes_table(result, rows, f"gaps-{i}-{j}-all", caption))
    return Section("gaps", "Gaps between groups", tuple(blocks))


def _figures(result: Comparison, metric: str, run: str, names: list[str], id: str) -> list[Figure]:
    for kind in ("difference", "vs_rest"):
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
        axis=f"change of the gap in {title}" + (f", {u}" if u else ""), right="people",
        reference=0.0, reference_label="no change",
    )  # fmt: skip
    what = "pairs of groups" if kind == "difference" else "each group against all others"
    heading = f"Change of gaps in {title} {by(names)}: {what}"
    caption = (
        "The first group minus the second, in the second run minus in the first, with the "
        f"{level_words(result)} interval; the widest change on top."
    )
    said = "; ".join(f"{gap_sides(result, r)} {change_words(result, r)}" for r in rows[:10])
    panel = Panel(f"{id}-plot", heading, f"{heading}. {said}.", spec, height)
    table = changes_table(result, [*largest, *rows], f"{id}-table", heading, fold=False)
    return Figure(f"{id}-figure", heading, caption, (panel,), table)

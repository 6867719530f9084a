"""Who gains and who loses: how every group's value changes from run to run."""

from __future__ import annotations

from audit.comparison import Comparison
from reports.blocks import Block, Figure, Heading, Panel, Prose, Section
from reports.compared.lookup import better, combinations, headline, others, rows_of, short, unit
from reports.compared.rows import Row, by_gain, changes_table, mark
from reports.compared.words import change_words, level_words, where
from reports.figures import forest
from reports.format import combination_label, metric_title, number
from reports.words import by

MAX_MARKS = 40
_SIDES = {
    "lower": "Left of the line the second run is nearer to the truth.",
    "higher": "Right of the line the second run is better.",
    "zero": "Nearest to 0 is best, so neither side of the line is the better one.",
    "none": "Neither side of the line is the better one.",
}


def build(result: Comparison) -> Section | None:
    """For each run: everyone, then each combination, who loses first."""
    metric = headline(result)
    if metric is None:
        return None
    blocks: list[Block] = []
    for i, run in enumerate(others(result)):
        base = short(result, result.spec.baseline)
        blocks.append(Heading(f"groups-{i}", f"{short(result, run)} against {base}"))
        everyone = [row for row in result.paired if row.run_b == run and not row.group]
        caption = f"{short(result, run)}: everyone, all metrics"
        blocks.append(changes_table(result, everyone, f"groups-{i}-all", caption))
        for j, names in enumerate(combinations(result)):
            blocks += _combination(result, metric, run, names, f"groups-{i}-{j}")
    return Section("groups", "Who gains, who loses", tuple(blocks))


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
        return [Prose((f"No group {by(names)} could be compared.",))]
    caption = f"{short(result, run)}: {combination_label(names)}, all metrics"
    return [*blocks, changes_table(result, every, f"{id}-all", caption)]


def _figure(
    result: Comparison, metric: str, run: str, names: list[str], rows: list[Row], id: str
) -> Figure:
    u, title = unit(result, metric), metric_title(metric)
    drawn = [row for row in rows if row.value is not None][:MAX_MARKS]
    margin = next((row.margin for row in drawn if row.margin is not None), None)
    spec, height = forest(
        [mark(result, row) for row in drawn], axis=f"change of {title}" + (f", {u}" if u else ""),
        right="people", reference=0.0, reference_label="no change", band=margin,
    )  # fmt: skip
    caption = (
        f"{short(result, run)} minus {short(result, result.spec.baseline)} in each group, with the "
        f"{level_words(result)} interval of the paired difference; who loses most is on top. "
        f"{_SIDES[better(result, metric)]}"
    )
    if margin is not None:
        caption += f" The shaded band is the stated margin of ±{number(margin, u)}."
    if len(drawn) < len(rows):
        caption += f" {len(drawn)} of {len(rows)} groups are drawn; the table has all."
    heading = f"{title.capitalize()} {by(names)}: who gains, who loses"
    said = "; ".join(f"{where(row)} {change_words(result, row)}" for row in drawn[:12])
    panel = Panel(f"{id}-plot", heading, f"{heading}. {said}.", spec, height)
    table = changes_table(result, rows, f"{id}-table", heading, fold=False)
    return Figure(f"{id}-figure", heading, caption, (panel,), table)

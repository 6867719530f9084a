"""Settings that were trained several times: their mean, and how much training alone moves it."""

from __future__ import annotations

from audit.comparison import Comparison, SeedRow
from reports.blocks import Block, Cell, Prose, Section, Table, table
from reports.compared.lookup import headline, unit
from reports.format import (
    count,
    estimate,
    group_label,
    metric_label,
    number,
    p_value,
    plain,
)
from reports.words import mark_of

MAX_ROWS = 300
_READING = (
    "Here a run is one training out of many that the setting could have given: the value is the "
    "mean over its seeds, and the interval holds for another training on other people, by t with "
    "one degree of freedom less than there are seeds. The spread between seeds stands beside the "
    "error of having drawn these people. These rows are not corrected for their number."
)


def build(result: Comparison) -> Section | None:
    """The headline metric first, every other one folded away."""
    if not result.seeds:
        return None
    lead = headline(result)
    first = [row for row in result.seeds if row.metric == lead]
    rest = [row for row in result.seeds if row.metric != lead]
    blocks: list[Block] = [Prose((_READING,))]
    if first:
        blocks.append(_table(result, first, "seeds-table", "Settings over their seeds", fold=False))
    if rest:
        blocks.append(_table(result, rest, "seeds-all", "All other metrics", fold=True))
    return Section("seeds", "Seeds", tuple(blocks))


def _table(result: Comparison, rows: list[SeedRow], id: str, caption: str, *, fold: bool) -> Table:
    marks: dict[str, str] = {}
    found = []
    for row in rows[:MAX_ROWS]:
        u = unit(result, row.metric)
        found.append([
            Cell(metric_label(row.metric, row.class_), head=True), Cell(_where(row)),
            Cell(plain(row.setting)),
            Cell("its mean" if row.against is None else f"less {plain(row.against)}"),
            Cell(estimate(row.value, row.low, row.high, u), row.value, mark_of(row.note, marks)),
            Cell("" if row.p is None else p_value(row.p), row.p),
            Cell(number(row.sd_seeds, u), row.sd_seeds),
            Cell(number(row.se_faces, u), row.se_faces),
            Cell(count(row.n_seeds), row.n_seeds), Cell(count(row.n_subjects), row.n_subjects),
        ])  # fmt: skip
    columns = (
        "metric", "where", "setting", "what", "value [interval]", "p", "SD between seeds",
        "SE of the people", "seeds", "people",
    )  # fmt: skip
    cut = len(rows) - len(found)
    more = f"{count(cut)} more rows are in comparison.json." if cut > 0 else None
    summary = f"{caption} ({count(len(rows))})" if fold else None
    return table(id, caption, columns, found, summary=summary, footnotes=marks, more=more)


def _where(row: SeedRow) -> str:
    if row.a is None or row.b is None:
        return group_label(row.group)
    return f"{row.kind.replace('_', ' ')}: {group_label(row.a)} / {group_label(row.b)}"

"""Settings that were trained several times: their mean, and how much training alone moves it."""

from __future__ import annotations

from audit.comparison import Comparison, SeedRow
from reports.blocks import Block, Cell, Prose, Section, Table, table
from reports.compared.lookup import headline, unit
from reports.compared.rows import more_rows
from reports.format import (
    bracketed,
    count,
    estimate,
    group_label,
    metric_label,
    number,
    p_value,
    plain,
)
from reports.language import english, say
from reports.sections.gaps import KINDS
from reports.words import mark_of

MAX_ROWS = 300
_READING = english(
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
    blocks: list[Block] = [Prose((say(_READING),))]
    if first:
        caption = say("Settings over their seeds")
        blocks.append(_table(result, first, "seeds-table", caption, fold=False))
    if rest:
        blocks.append(_table(result, rest, "seeds-all", say("All other metrics"), fold=True))
    return Section("seeds", say("Seeds"), tuple(blocks))


def _table(result: Comparison, rows: list[SeedRow], id: str, caption: str, *, fold: bool) -> Table:
    marks: dict[str, str] = {}
    found = []
    for row in rows[:MAX_ROWS]:
        u = unit(result, row.metric)
        found.append([
            Cell(metric_label(row.metric, row.class_), head=True), Cell(_where(row)),
            Cell(plain(row.setting)),
            Cell(
                say("its mean") if row.against is None
                else say("less {setting}", setting=plain(row.against))
            ),
            Cell(estimate(row.value, row.low, row.high, u), row.value, mark_of(row.note, marks)),
            Cell("" if row.p is None else p_value(row.p), row.p),
            Cell(number(row.sd_seeds, u), row.sd_seeds),
            Cell(number(row.se_faces, u), row.se_faces),
            Cell(count(row.n_seeds), row.n_seeds), Cell(count(row.n_subjects), row.n_subjects),
        ])  # fmt: skip
    columns = (
        say("metric"), say("where"), say("setting"), say("what"), say("value [interval]"), "p",
        say("SD between seeds"), say("SE of the people"), say("seeds"), say("people"),
    )  # fmt: skip
    more = more_rows(len(rows) - len(found))
    summary = bracketed(caption, count(len(rows))) if fold else None
    return table(id, caption, columns, found, summary=summary, footnotes=marks, more=more)


def _where(row: SeedRow) -> str:
    if row.a is None or row.b is None:
        return group_label(row.group)
    sides = f"{group_label(row.a)} / {group_label(row.b)}"
    return say("{name}: {text}", name=say(KINDS[row.kind]), text=sides)

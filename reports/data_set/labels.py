"""What labels tell of groups: one number for all, and which group goes with which label."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import FairnessRow
from reports.blocks import Block, Cell, Column, Figure, Panel, Prose, Section, Table, table
from reports.data_set.lookup import (
    CHANCE,
    label_word,
    labels_of,
    notes_in,
    statistic,
    statistics,
)
from reports.figures import Grid, heat
from reports.format import (
    beside,
    capital,
    combination_label,
    count,
    estimate,
    group_label,
    number,
    p_value,
    plain,
    plural,
)
from reports.language import english, say
from reports.words import level_words, mark_of

_READING = english(
    "A model that learns from labels that go with a group learns the group as well. Each number is "
    "0 where the label tells nothing of the group and 1 where each tells the other. Small groups "
    "show some association by chance, so each stands beside its mean if the groups were dealt out "
    "anew among the people, and p says how often that reaches it. There is no interval: near 0 "
    "none holds."
)
_POINTWISE = english(
    "NPMI of each group and label: above 0 they occur together more often than if they were "
    "independent, below 0 less often; -1 never. The table has the {level} intervals by person."
)
_MEASURES = {
    "cramers_v_corrected": english("Cramer's V, corrected"),
    "cramers_v": english("Cramer's V"),
    "nmi": english("mutual information, normalised"),
}


def build(result: AuditResult) -> Section | None:
    """A table of all associations, then a map for each group and label."""
    labels = labels_of(result)
    if not labels:
        return None
    blocks: list[Block] = [Prose((say(_READING),)), _overview(result, labels)]
    for i, names in enumerate(result.spec.combinations):
        for label in labels:
            rows = statistics(result, f"npmi_{label}", names)
            if rows:
                blocks.append(_map(result, rows, label, f"labels-{i}-{label}"))
    return Section("labels", say("Labels and groups"), tuple(blocks))


def _overview(result: AuditResult, labels: list[str]) -> Table:
    marks: dict[str, str] = {}
    lines = []
    for names in result.spec.combinations:
        for label in labels:
            for metric, words in _MEASURES.items():
                row = statistic(result, f"{metric}_{label}", names)
                if row is None:
                    continue
                note = "; ".join(part for part in notes_in(row) if part != "biased_extreme")
                lines.append([
                    Cell(combination_label(names), head=True), Cell(label_word(label)),
                    Cell(say(words)),
                    Cell(number(row.value), row.value, mark_of(note, marks)),
                    Cell(number(row.null_expected), row.null_expected),
                    Cell(p_value(row.p), row.p), Cell(count(row.n), row.n),
                ])  # fmt: skip
    heads = (say("value"), say(CHANCE), "p", say("faces"))
    columns = [Column(say("groups by")), Column(say("label")), Column(say("measure")),
               *(Column(head, numeric=True) for head in heads)]  # fmt: skip
    caption = say("How much each label tells of the group")
    return table("labels-table", caption, columns, lines, footnotes=marks)


def _map(result: AuditResult, rows: list[FairnessRow], label: str, id: str) -> Figure:
    names = rows[0].attributes
    title = say(
        "{label} and {groups}: which go together (NPMI)",
        label=capital(label_word(label)), groups=combination_label(names),
    )  # fmt: skip
    groups = list(dict.fromkeys(group_label(row.group or {}) for row in rows))
    classes = list(dict.fromkeys(row.class_ or "" for row in rows))
    index = {(group_label(row.group or {}), row.class_ or ""): row for row in rows}
    found = [[index[group, class_] for class_ in classes] for group in groups]
    grid = Grid(
        rows=groups,
        columns=[plain(class_) for class_ in classes],
        values=[[row.value for row in line] for line in found],
        texts=[[_signed(row.value) for row in line] for line in found],
        hovers=[[_hover(row) for row in line] for line in found],
    )
    # Never together is -1 and would leave all other cells without colour.
    inside = [abs(r.value) for line in found for r in line if r.value is not None and r.value > -1]
    end = max(inside, default=0.0) or 1.0
    spec = heat(grid, bar="NPMI", diverging=True, ends=(-end, end))
    alt = say(
        "{title}: {groups} and {labels}, in the table.",
        title=title, groups=plural(len(groups), english("{n} group"), english("{n} groups")),
        labels=plural(len(classes), english("{n} label"), english("{n} labels")),
    )  # fmt: skip
    panel = Panel(f"{id}-plot", title, alt, spec, 150 + 34 * len(groups))
    caption = say(_POINTWISE, level=level_words(result))
    return Figure(
        f"{id}-figure", title, caption, (panel,), _cells(rows, label, f"{id}-table", title)
    )


def _signed(value: float | None) -> str:
    if value is None:
        return ""
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def _hover(row: FairnessRow) -> str:
    where = beside(group_label(row.group or {}), plain(row.class_ or ""))
    return say("{name}: {text}", name=where, text=estimate(row.value, row.low, row.high))


def _cells(rows: list[FairnessRow], label: str, id: str, caption: str) -> Table:
    marks: dict[str, str] = {}
    lines = [
        [
            Cell(group_label(row.group or {}), head=True), Cell(plain(row.class_ or "")),
            Cell(estimate(row.value, row.low, row.high), row.value, mark_of(row.note, marks)),
        ]
        for row in rows
    ]  # fmt: skip
    columns = (combination_label(rows[0].attributes), label_word(label),
               Column(say("NPMI [interval]"), numeric=True))  # fmt: skip
    return table(id, caption, columns, lines, footnotes=marks)

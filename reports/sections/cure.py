"""What the cure of wrong labels did: importance and relabelling by group, scores before scaling."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import Group
from reports.blocks import Block, Cell, Column, Facts, Heading, Prose, Section, Table, table
from reports.definitions import defined
from reports.format import (
    bracketed,
    combination_label,
    count,
    group_value,
    number,
    plain,
    row_estimate,
)
from reports.language import english, say
from reports.lookup import groups_in_order, headline, metric_row, unit
from reports.sections.confusion import Axes, matrices
from reports.sections.curves import curves_of
from reports.words import by, level_words, mark_of

CURE = {
    "importance": english("importance"),
    "low_group_share": english("low-group share"),
    "relabel_rate": english("relabel rate"),
    "relabel_precision": english("relabel precision"),
    "relabel_recall": english("relabel recall"),
    "relabel_damage": english("relabel damage"),
}
SCALED = {
    "ece": english("ECE scaled"),
    "ece_raw": english("ECE raw"),
    "nll": english("NLL scaled"),
    "nll_raw": english("NLL raw"),
}
FLOW = Axes(
    english("Labels before and after"),
    english("label before"),
    english("label after"),
    english(
        "Share of the faces of a label before training (row) that had each label after it "
        "(column); off the diagonal labels were changed."
    ),
    english("{true} became {given}: {share}"),
)
MAX_ROWS = 400
_READING = english(
    "Training weighs each face by its importance, calls the least important of a batch the low "
    "group, and may change labels that the network doubts: in the low group alone, or in the "
    "whole batch, as the run was told. Compare the groups by their intervals."
)
_SCALING = english(
    "The importance also scales the logits of a prediction. Scaled is what the model gave out; "
    "raw is the same logits before. Neither changes the predicted class."
)


def build(result: AuditResult) -> Section | None:
    """A table of everyone and of each combination, where the record has metrics of the cure."""
    there = {row.metric for row in result.metrics if row.class_ is None}
    cure = {metric: words for metric, words in CURE.items() if metric in there}
    if not cure:
        return None
    scaled = {
        metric: words
        for metric, words in SCALED.items()
        if {metric.removesuffix("_raw"), metric.removesuffix("_raw") + "_raw"} <= there
    }
    specs = result.spec.metrics
    facts = [(say(words), defined(specs[m].definition)) for m, words in cure.items() if m in specs]
    reading = (say(_READING), *([say(_SCALING)] if scaled else []))
    blocks: list[Block] = [Prose(reading), Facts(tuple(facts))]
    parts: list[tuple[list[str], str]] = [([], "cure-all")]
    parts += [(list(n), f"cure-{i}") for i, n in enumerate(result.spec.combinations)]
    for names, id in parts:
        groups = groups_in_order(result, names, headline(result) or "") if names else [{}]
        if not groups:
            continue
        title = combination_label(names) or say("Everyone")
        blocks += [Heading(id, by(names))] if names else []
        level = level_words(result)
        words = say(
            "{names}: what training did, value [{level} interval]", names=title, level=level
        )
        blocks.append(_matrix(result, names, groups, cure, f"{id}-table", words))
        if scaled:
            words = say(
                "{names}: calibration scaled and raw, value [{level} interval]",
                names=title, level=level,
            )  # fmt: skip
            blocks.append(_matrix(result, names, groups, scaled, f"{id}-scaled", words))
    for i, (attributes, curves) in enumerate(curves_of(result, "relabel_flow").items()):
        what = by(list(attributes)) if attributes else say("everyone")
        blocks.append(matrices(curves, f"cure-flow-{i}", what, result.spec.classes or [], FLOW))
    return Section("cure", say("What the cure did"), tuple(blocks))


def _matrix(
    result: AuditResult, names: list[str], groups: list[Group], metrics: dict[str, str],
    id: str, caption: str,
) -> Table:  # fmt: skip
    marks: dict[str, str] = {}
    rows = []
    for group in groups[:MAX_ROWS]:
        cells = [Cell(group_value(group[name]), head=True) for name in names]
        cells += [_cell(result, metric, group, marks) for metric in metrics]
        rows.append([*cells, *_counts(result, next(iter(metrics)), group)])
    columns = [Column(plain(name)) for name in names]
    heads = (*map(say, metrics.values()), say("faces"), say("people"))
    columns += [Column(head, numeric=True) for head in heads]
    cut = len(groups) - MAX_ROWS
    more = say("{n} more groups are in audit.json.", n=count(cut)) if cut > 0 else None
    return table(id, caption, columns, rows, footnotes=marks, more=more)


def _cell(result: AuditResult, metric: str, group: Group, marks: dict[str, str]) -> Cell:
    row = metric_row(result, metric, group)
    if row is None:
        return Cell("")
    u = unit(result, metric)
    text = row_estimate(row, u)
    if row.null_expected is not None:
        text = bracketed(text, say("if calibrated {value}", value=number(row.null_expected, u)))
    return Cell(text, row.value, mark_of(row.note, marks))


def _counts(result: AuditResult, metric: str, group: Group) -> list[Cell]:
    row = metric_row(result, metric, group)
    if row is None:
        return [Cell(""), Cell("")]
    return [Cell(count(n), sort=n) for n in (row.n, row.n_subjects)]

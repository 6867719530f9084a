"""The first screen: what was audited, how wrong it is, who is served worst, and how sure."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import Group, MetricRow, RangeGap
from reports.blocks import Block, Card, Cards, Notice, Prose, Section, Side, Tile, Tiles
from reports.format import (
    combination_label,
    count,
    estimate,
    group_label,
    interval,
    metric_title,
    note_words,
    number,
    plain,
    plural,
    row_estimate,
    unit_word,
)
from reports.lookup import better, defined_by_age, headline, metric_row, range_gap, unit
from reports.words import SOURCES, badge, by, how_sure, level_words

_DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "0 is best",
    "none": "no direction is better",
}


def build(result: AuditResult) -> Section:
    """The scorecard; it exists for every record."""
    metric = headline(result)
    blocks: list[Block] = [_tiles(result, metric)]
    if metric is None:
        words = "No metric has a value in this record. The section on what was not tested says why."
        blocks.append(Notice("serious", "Nothing could be computed", words))
    else:
        blocks.append(Prose(_lead(result, metric)))
        if result.spec.attributes:
            blocks.append(Prose((_sources(result),)))
        cards = [_card(result, metric, list(names)) for names in result.spec.combinations]
        if cards:
            blocks.append(Cards(tuple(cards)))
    return Section("scorecard", "Scorecard", tuple(blocks))


def _tiles(result: AuditResult, metric: str | None) -> Tiles:
    row = metric_row(result, metric, {}) if metric else None
    tiles: list[Tile | None] = []
    if metric and row:
        word = unit_word(unit(result, metric))
        ends = interval(row.low, row.high, unit(result, metric))
        value = " ".join(filter(None, (number(row.value, unit(result, metric)), word)))
        detail = f"{ends}, {_DIRECTIONS[better(result, metric)]}" if ends else note_words(row.note)
        tiles.append(Tile(_named(metric), value, detail))
    tiles.append(_second(result))
    base = row or next((r for r in result.metrics if not r.group and r.class_ is None), None)
    if base:
        tiles += _counts(result, base)
    return Tiles(tuple(tile for tile in tiles if tile))


def _second(result: AuditResult) -> Tile | None:
    name = {"age": "bias", "expression": "balanced_accuracy"}[result.task]
    row = metric_row(result, name, {})
    if row is None or row.value is None or headline(result) == name:
        return None
    word = unit_word(unit(result, name))
    value = " ".join(filter(None, (number(row.value, unit(result, name)), word)))
    ends = interval(row.low, row.high, unit(result, name))
    sign = ", positive: over-estimated" if name == "bias" else ""
    return Tile(_named(name), value, ends + sign)


def _named(metric: str) -> str:
    words = metric_title(metric)
    same = words.replace(" ", "_") == metric
    return words if same else f"{words} ({plain(metric)})"


def _counts(result: AuditResult, base: MetricRow) -> list[Tile]:
    persons = result.spec.unit_of_resampling == "person"
    failed = metric_row(result, "failure_rate", {})
    share = f"failure rate {row_estimate(failed, 'share')}" if failed and failed.value else ""
    unlabelled = f"{plural(base.n_unlabelled, 'face')} without a known truth"
    people = (
        Tile("people", count(base.n_subjects), "intervals are by person")
        if persons
        else Tile("people", "not named", "each face counts as its own person")
    )
    return [
        Tile("faces", count(base.n), "processed, with known truth"),
        people,
        Tile("failed to process", count(base.n_failed), share or "counted, never dropped"),
        *([Tile("unlabelled", count(base.n_unlabelled), unlabelled)] if base.n_unlabelled else []),
    ]


def _lead(result: AuditResult, metric: str) -> tuple[str, ...]:
    """The widest difference that is not made by age, in one sentence, with its caution."""
    found = [
        gap
        for names in result.spec.combinations
        if (gap := range_gap(result, metric, names)) is not None and gap.value is not None
    ]
    plain_gaps = [gap for gap in found if not defined_by_age(result, gap.attributes)] or found
    if not plain_gaps:
        return ("No difference between groups could be computed; each card says why.",)
    sure = [gap for gap in plain_gaps if gap.low is not None and gap.low > 0]
    top = max(sure or plain_gaps, key=lambda gap: gap.value or 0.0)
    u = unit(result, metric)
    difference = estimate(top.value, top.low, top.high, u, unit_word(u))
    words = "The widest difference whose interval excludes 0" if sure else "The widest difference"
    sentence = f"{words} in {metric_title(metric)} is {difference}, {by(top.attributes)}"
    if top.a and top.b:
        sentence += f": {group_label(top.a)} is served worst, {group_label(top.b)} best"
    caution = (
        "The more groups there are, the wider their range is by chance alone; the debiased "
        "difference chooses worst and best on some persons and compares them on others."
    )
    return (f"{sentence}.", caution)


def _card(result: AuditResult, metric: str, names: list[str]) -> Card:
    title = f"by {combination_label(names)}"
    made_of_age = defined_by_age(result, names)
    source = "Groups are made of age: partly regression to the mean." if made_of_age else ""
    gap = range_gap(result, metric, names)
    if gap is None:
        return Card(
            title, (), "", None, "not tested", "open", ("No such row in the record.",), source
        )
    u = unit(result, metric)
    label, tone = badge(gap)
    sides = [_side(result, gap, role) for role in ("worst", "best")]
    shown = estimate(gap.value, gap.low, gap.high, u, unit_word(u)) if gap.value is not None else ""
    debiased = number(gap.debiased, u) if gap.debiased is not None else None
    sure = how_sure(gap, u, level_words(result))
    present = tuple(side for side in sides if side)
    return Card(title, present, shown, debiased, label, tone, sure, source)


def _side(result: AuditResult, gap: RangeGap, role: str) -> Side | None:
    group: Group | None = gap.a if role == "worst" else gap.b
    if group is None:
        return None
    if gap.kind == "max_minus_min":
        role = "highest" if role == "worst" else "lowest"
    row = metric_row(result, gap.metric, group)
    u = unit(result, gap.metric)
    value = estimate(row.value, row.low, row.high, u, unit_word(u)) if row else ""
    people = plural(row.n_subjects, "person", "people") if row else ""
    return Side(role, group_label(group), value, people)


def _sources(result: AuditResult) -> str:
    """Who assigned the groups, and how many faces have none."""
    names: dict[str, list[str]] = {}
    for name, spec in result.spec.attributes.items():
        unknown = f" ({plural(spec.n_unknown, 'face')} unknown)" if spec.n_unknown else ""
        names.setdefault(SOURCES[spec.source], []).append(plain(name) + unknown)
    parts = [f"{', '.join(found)}: {words}" for words, found in names.items()]
    return f"Source of the group labels: {'; '.join(parts)}."

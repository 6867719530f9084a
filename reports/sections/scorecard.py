"""The first screen: what was audited, how wrong it is, who is served worst, and how sure."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.answer import answers, question
from reports.blocks import Answer, Block, Listed, Notice, Prose, Section, Tile, Tiles
from reports.format import (
    count,
    interval,
    metric_title,
    note_words,
    number,
    plain,
    plural,
    row_estimate,
    unit_word,
)
from reports.lookup import better, headline, metric_row, unit
from reports.not_tested import not_tested
from reports.sections.verdicts import verdicts
from reports.words import SOURCES

MAX_REASONS = 2
"""So many reasons stand on the first screen; a link leads to the rest."""

_DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "0 is best",
    "none": "no direction is better",
}


def build(result: AuditResult) -> Section:
    """The scorecard; it exists for every record."""
    metric = headline(result)
    tiles = _tiles(result, metric)
    if metric is None:
        words = "No metric has a value in this record. The section on what was not tested says why."
        return Section(
            "scorecard",
            "Scorecard",
            (tiles, Notice("serious", "Nothing could be computed", words)),
            fold=False,
        )
    found = verdicts(result)
    blocks: list[Block | None] = [
        Answer(question(result), answers(result)),
        tiles,
        found,
        Listed("Not tested", not_tested(result), "untested", MAX_REASONS),
        Listed("Read first", _graver(result), "warnings", MAX_REASONS),
        Prose((_sources(result),)) if result.spec.attributes and found is None else None,
    ]
    return Section("scorecard", "Scorecard", tuple(b for b in blocks if b), fold=False)


def _graver(result: AuditResult) -> tuple[str, ...]:
    """Warnings that a reader must know before trusting a number."""
    graver = [w for w in result.warnings if w.severity != "info"]
    graver.sort(key=lambda warning: warning.severity != "serious")
    return tuple(f"{w.severity.capitalize()}: {plain(w.message)}." for w in graver)


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


def _sources(result: AuditResult) -> str:
    """Who assigned the groups, and how many faces have none."""
    names: dict[str, list[str]] = {}
    for name, spec in result.spec.attributes.items():
        unknown = f" ({plural(spec.n_unknown, 'face')} unknown)" if spec.n_unknown else ""
        names.setdefault(SOURCES[spec.source], []).append(plain(name) + unknown)
    parts = [f"{', '.join(found)}: {words}" for words, found in names.items()]
    return f"Source of the group labels: {'; '.join(parts)}."

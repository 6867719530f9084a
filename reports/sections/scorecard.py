"""The first screen: what was audited, how wrong it is, who is served worst, and how sure."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import MetricRow
from reports.answer import answers, question
from reports.blocks import Answer, Block, Listed, Notice, Prose, Section, Tile, Tiles
from reports.format import (
    METRIC_TITLES,
    amount,
    beside,
    bracketed,
    capital,
    commas,
    count,
    faces,
    interval,
    metric_title,
    note_words,
    plain,
    row_estimate,
    semicolons,
)
from reports.html import SEVERITIES
from reports.language import english, say
from reports.lookup import better, headline, metric_row, unit
from reports.not_tested import not_tested
from reports.sections.verdicts import verdicts
from reports.words import SOURCES

MAX_REASONS = 2
"""So many reasons stand on the first screen; a link leads to the rest."""

_DIRECTIONS = {
    "lower": english("lower is better"),
    "higher": english("higher is better"),
    "zero": english("0 is best"),
    "none": english("no direction is better"),
}


def build(result: AuditResult) -> Section:
    """The scorecard; it exists for every record."""
    metric = headline(result)
    tiles = _tiles(result, metric)
    if metric is None:
        words = say(
            "No metric has a value in this record. The section on what was not tested says why."
        )
        return Section(
            "scorecard",
            say("Scorecard"),
            (tiles, Notice("serious", say("Nothing could be computed"), words)),
            fold=False,
        )
    found = verdicts(result)
    blocks: list[Block | None] = [
        Answer(question(result), answers(result)),
        tiles,
        found,
        Listed(say("Not tested"), not_tested(result), "untested", MAX_REASONS),
        Listed(say("Read first"), _graver(result), "warnings", MAX_REASONS),
        Prose((_sources(result),)) if result.spec.attributes and found is None else None,
    ]
    return Section("scorecard", say("Scorecard"), tuple(b for b in blocks if b), fold=False)


def _graver(result: AuditResult) -> tuple[str, ...]:
    """Warnings that a reader must know before trusting a number."""
    graver = [w for w in result.warnings if w.severity != "info"]
    graver.sort(key=lambda warning: warning.severity != "serious")
    return tuple(
        say("{name}: {text}.", name=capital(say(SEVERITIES[w.severity])), text=plain(w.message))
        for w in graver
    )


def _tiles(result: AuditResult, metric: str | None) -> Tiles:
    row = metric_row(result, metric, {}) if metric else None
    tiles: list[Tile | None] = []
    if metric and row:
        ends = interval(row.low, row.high, unit(result, metric))
        best = say(_DIRECTIONS[better(result, metric)])
        detail = beside(ends, best) if ends else note_words(row.note)
        tiles.append(Tile(_named(metric), amount(row.value, unit(result, metric)), detail))
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
    ends = interval(row.low, row.high, unit(result, name))
    sign = say("positive: over-estimated") if name == "bias" else ""
    return Tile(_named(name), amount(row.value, unit(result, name)), beside(ends, sign))


def _named(metric: str) -> str:
    """The title of a metric, and its name in the record unless that says the same."""
    same = METRIC_TITLES.get(metric, metric).replace(" ", "_") == metric
    return metric_title(metric) if same else bracketed(metric_title(metric), plain(metric))


def _counts(result: AuditResult, base: MetricRow) -> list[Tile]:
    persons = result.spec.unit_of_resampling == "person"
    failed = metric_row(result, "failure_rate", {})
    share = (
        say("failure rate {share}", share=row_estimate(failed, "share"))
        if failed and failed.value
        else say("counted, never dropped")
    )
    unlabelled = Tile(
        say("unlabelled"), count(base.n_unlabelled),
        say("{faces} without a known truth", faces=faces(base.n_unlabelled)),
    )  # fmt: skip
    people = (
        Tile(say("people"), count(base.n_subjects), say("intervals are by person"))
        if persons
        else Tile(say("people"), say("not named"), say("each face counts as its own person"))
    )
    return [
        Tile(say("faces"), count(base.n), say("processed, with known truth")),
        people,
        Tile(say("failed to process"), count(base.n_failed), share),
        *([unlabelled] if base.n_unlabelled else []),
    ]


def _sources(result: AuditResult) -> str:
    """Who assigned the groups, and how many faces have none."""
    names: dict[str, list[str]] = {}
    for name, spec in result.spec.attributes.items():
        unknown = say("{faces} unknown", faces=faces(spec.n_unknown)) if spec.n_unknown else ""
        names.setdefault(SOURCES[spec.source], []).append(bracketed(plain(name), unknown))
    parts = [
        say("{name}: {text}", name=commas(found), text=say(words)) for words, found in names.items()
    ]
    return say("Source of the group labels: {text}.", text=semicolons(parts))

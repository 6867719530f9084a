"""How every number was made: the definitions as the record states them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from audit.notes import NOTES
from audit.policy import PolicyInfo
from audit.result import AuditResult, Spec
from reports.blocks import Block, Cell, Facts, Prose, Section, Table, table
from reports.definitions import defined
from reports.format import (
    amount,
    beside,
    combination_label,
    commas,
    count,
    note_codes,
    plain,
    semicolons,
    unit_name,
)
from reports.language import english, say
from reports.words import level_words

_READING = (
    english(
        "The signed error is the estimate minus the true age, in years: positive is "
        "over-estimation. Rates and probabilities lie between 0 and 1. A value is computed from "
        "the faces that have a known truth and were processed; a metric whose name ends in _all "
        "counts failures as wrong."
    ),
    english(
        "A dash is a number that does not exist; its reason stands with it. It is never a 0. "
        "Groups named “unknown” are faces whose cell in the table was empty; they enter no "
        "difference."
    ),
)
UNITS = {"person": english("person"), "face": english("face")}
ESTIMANDS = {"image": english("a random image"), "subject": english("a random subject")}
BETTER = {
    "lower": english("lower"),
    "higher": english("higher"),
    "zero": english("zero"),
    "none": english("none"),
}


def build(result: AuditResult) -> Section:
    """Choices made before the numbers were seen, metrics, curves, and the notes in words."""
    blocks: list[Block] = [Prose(tuple(map(say, _READING))), Facts(_choices(result))]
    if result.spec.metrics:
        blocks.append(definitions(result.spec))
    if result.spec.curves:
        curves = [
            [Cell(plain(k), head=True), Cell(defined(v))] for k, v in result.spec.curves.items()
        ]
        heads = (say("curve"), say("is"))
        blocks.append(table("curve-definitions", say("What each curve is"), heads, curves))
    notes = notes_table(result)
    if notes:
        blocks.append(notes)
    return Section("methods", say("Methods"), tuple(blocks))


def definitions(spec: Spec) -> Table:
    """What each metric is."""
    rows = [
        [
            Cell(plain(name), head=True), Cell(defined(m.definition)), Cell(unit_name(m.unit)),
            Cell(say(BETTER[m.better])), Cell(plain(say(m.scale))), Cell(plain(say(m.interval))),
            Cell(plain(say(m.source))),
        ]
        for name, m in spec.metrics.items()
    ]  # fmt: skip
    columns = (
        say("metric"), say("definition"), say("unit"), say("better"), say("scale"),
        say("interval"), say("source"),
    )  # fmt: skip
    return table("definitions", say("Definition of each metric"), columns, rows)


def _choices(result: AuditResult) -> tuple[tuple[str, str], ...]:
    spec = result.spec
    facts = [
        (say("unit of resampling"), resampled(spec)),
        (say("estimand"), say(ESTIMANDS[spec.estimand])),
        (say("intervals"), intervals_words(result)),
        (say("smallest group tested"), say("{n} persons", n=count(spec.min_n))),
        (say("margins"), margins_words(spec) or _no_margin(result)),
        (say("families of tests"), defined(spec.families)),
        (say("combinations"), combinations_words(spec)),
    ]
    if spec.policy:
        facts.append((say("policy"), _policy(spec.policy)))
    if spec.classes:
        facts.append((say("classes"), commas(map(plain, spec.classes))))
    if spec.bands:
        facts.append((say("bands of the truth, in years"), commas(map(_band, spec.bands))))
    if spec.age_bands:
        edges = commas(f"{edge:g}" for edge in spec.age_bands)
        facts.append((say("age bands begin at"), edges))
    if spec.pooling:
        facts.append((say("pooled values"), defined(spec.pooling)))
    if spec.publish_min is not None:
        words = say(
            "at least {n} persons a number; {hidden} groups, or classes within groups, are hidden",
            n=spec.publish_min, hidden=count(spec.n_suppressed),
        )  # fmt: skip
        facts.append((say("for publication"), words))
    if spec.adjust:
        facts.append((say("adjustment"), plain(spec.adjust)))
    return tuple(facts)


def intervals_words(result: AuditResult) -> str:
    """The level of the intervals, and how many bootstrap replicates there are."""
    return say(
        "{level}; bootstrap replicates: {n}",
        level=level_words(result), n=count(result.spec.n_boot),
    )  # fmt: skip


def resampled(spec: Spec) -> str:
    """The unit of resampling, and what it is."""
    unit = say(UNITS[spec.unit_of_resampling])
    return say("{name}: {text}", name=unit, text=defined(spec.units))


def margins_words(spec: Spec) -> str:
    """The stated margins, or nothing."""
    return semicolons(
        say("{name}: {text}", name=plain(name), text=f"±{amount(value, _unit(spec, name))}")
        for name, value in spec.margins.items()
    )


def _unit(spec: Spec, metric: str) -> str:
    found = spec.metrics.get(metric)
    return found.unit if found else ""


def combinations_words(spec: Spec) -> str:
    """By what the groups are made."""
    return semicolons(map(combination_label, spec.combinations)) or say("none")


def _no_margin(result: AuditResult) -> str:
    return say("those of the policy") if result.spec.policy else say("none was stated")


def _policy(policy: PolicyInfo) -> str:
    """The policy that stated the margins: name, date, hash and rules."""
    date = say("declared {date}", date=policy.date) if policy.date else ""
    rules = [
        say(
            "{name}: {text}",
            name=plain(rule.title),
            text=say("limit {limit}", limit=f"{rule.limit:g}")
            if rule.limit is not None
            else say("margin {margin}", margin=f"{rule.margin:g}"),
        )
        for rule in policy.rules
    ]
    named = beside(plain(policy.name), date, f"SHA-256 {policy.sha256}")
    return semicolons((named, *rules))


def _band(ends: list[float | None]) -> str:
    low, high = (*ends, None, None)[:2]
    low_text = "" if low is None else f"{low:g}"
    if high is None or math.isinf(high):
        return say("{age} and older", age=low_text)
    return f"[{low_text}, {high:g})"


def notes_table(result: AuditResult) -> Table | None:
    """The notes of the rows in words."""
    notes = [row.note for row in (*result.metrics, *result.gaps, *result.fairness, *result.slices)]
    codes = {code for note in notes for code in note_codes(note)}
    return table_of_notes(codes) if codes else None


def table_of_notes(codes: Iterable[str]) -> Table:
    """Notes in words."""
    rows = [[Cell(code, head=True), Cell(say(NOTES[code]))] for code in sorted(codes)]
    return table("notes", say("Notes that occur"), (say("note"), say("means")), rows)

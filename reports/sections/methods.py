"""How every number was made: the definitions as the record states them."""

from __future__ import annotations

import math

from audit.notes import NOTES
from audit.policy import PolicyInfo
from audit.result import AuditResult, Spec
from reports.blocks import Block, Cell, Facts, Prose, Section, Table, table
from reports.format import combination_label, count, note_codes, number, plain, unit_word
from reports.lookup import unit
from reports.words import level_words

_READING = (
    "The signed error is the estimate minus the true age, in years: positive is over-estimation. "
    "Rates and probabilities lie between 0 and 1. A value is computed from the faces that have a "
    "known truth and were processed; a metric whose name ends in _all counts failures as wrong.",
    "A dash is a number that does not exist; its reason stands with it. It is never a 0. Groups "
    "named “unknown” are faces whose cell in the table was empty; they enter no difference.",
)


def build(result: AuditResult) -> Section:
    """Choices made before the numbers were seen, metrics, curves, and the notes in words."""
    blocks: list[Block] = [Prose(_READING), Facts(_choices(result))]
    if result.spec.metrics:
        blocks.append(definitions(result.spec))
    if result.spec.curves:
        curves = [
            [Cell(plain(k), head=True), Cell(plain(v))] for k, v in result.spec.curves.items()
        ]
        blocks.append(table("curve-definitions", "What each curve is", ("curve", "is"), curves))
    notes = notes_table(result)
    if notes:
        blocks.append(notes)
    return Section("methods", "Methods", tuple(blocks))


def definitions(spec: Spec) -> Table:
    """What each metric is."""
    rows = [
        [
            Cell(plain(name), head=True), Cell(plain(m.definition)), Cell(plain(m.unit)),
            Cell(m.better), Cell(plain(m.scale)), Cell(plain(m.interval)), Cell(plain(m.source)),
        ]
        for name, m in spec.metrics.items()
    ]  # fmt: skip
    columns = ("metric", "definition", "unit", "better", "scale", "interval", "source")
    return table("definitions", "Definition of each metric", columns, rows)


def _choices(result: AuditResult) -> tuple[tuple[str, str], ...]:
    spec = result.spec
    margins = [
        f"{plain(name)}: ±{number(value, unit(result, name))} {unit_word(unit(result, name))}"
        for name, value in spec.margins.items()
    ]
    facts = [
        ("unit of resampling", f"{spec.unit_of_resampling}: {plain(spec.units)}"),
        ("estimand", f"a random {spec.estimand}"),
        ("intervals", f"{level_words(result)}; bootstrap replicates: {count(spec.n_boot)}"),
        ("smallest group tested", f"{count(spec.min_n)} persons"),
        ("margins", "; ".join(text.strip() for text in margins) or _no_margin(result)),
        ("families of tests", plain(spec.families)),
        ("combinations", "; ".join(map(combination_label, spec.combinations)) or "none"),
    ]
    if spec.policy:
        facts.append(("policy", _policy(spec.policy)))
    if spec.classes:
        facts.append(("classes", ", ".join(map(plain, spec.classes))))
    if spec.bands:
        facts.append(("bands of the truth, in years", ", ".join(_band(b) for b in spec.bands)))
    if spec.age_bands:
        facts.append(("age bands begin at", ", ".join(f"{edge:g}" for edge in spec.age_bands)))
    if spec.pooling:
        facts.append(("pooled values", plain(spec.pooling)))
    if spec.publish_min is not None:
        hidden = f"{count(spec.n_suppressed)} groups, or classes within groups, are hidden"
        facts.append(("for publication", f"at least {spec.publish_min} persons a number; {hidden}"))
    if spec.adjust:
        facts.append(("adjustment", plain(spec.adjust)))
    return tuple(facts)


def _no_margin(result: AuditResult) -> str:
    return "those of the policy" if result.spec.policy else "none was stated"


def _policy(policy: PolicyInfo) -> str:
    """The policy that stated the margins: name, date, hash and rules."""
    date = f", declared {policy.date}" if policy.date else ""
    rules = [
        f"{plain(rule.title)}: "
        + (f"limit {rule.limit:g}" if rule.limit is not None else f"margin {rule.margin:g}")
        for rule in policy.rules
    ]
    return f"{plain(policy.name)}{date}, SHA-256 {policy.sha256}; {'; '.join(rules)}"


def _band(ends: list[float | None]) -> str:
    low, high = (*ends, None, None)[:2]
    low_text = "" if low is None else f"{low:g}"
    return (
        f"{low_text} and older" if high is None or math.isinf(high) else f"[{low_text}, {high:g})"
    )


def notes_table(result: AuditResult) -> Table | None:
    """The notes of the rows in words."""
    notes = [row.note for row in (*result.metrics, *result.gaps, *result.fairness, *result.slices)]
    codes = {code for note in notes for code in note_codes(note)}
    rows = [[Cell(code, head=True), Cell(NOTES[code])] for code in sorted(codes)]
    return table("notes", "Notes that occur", ("note", "means"), rows) if rows else None

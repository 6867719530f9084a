"""How every number was made, and where the runs come from."""

from __future__ import annotations

from audit.generality.record import Generality
from audit.notes import NOTES
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.compared.methods import ADJUST
from reports.format import combination_label, count, note_codes, number, plain, unit_word
from reports.grid.lookup import unit
from reports.sections.methods import definitions
from reports.words import SOURCES

_READING = (
    "A difference is the aggregator minus the control on the same backbone, seeds and faces. Its "
    "interval comes from the influence of each person on it, so what both find hard alike cancels. "
    "Below 5 seeds an interval does not count that another training would come out otherwise; the "
    "spread between seeds stands beside it. From 5 seeds on it does.",
    "Over backbones: random effects with weights 1 / (variance + tau squared), tau squared by "
    "Paule and Mandel, the interval by Hartung and Knapp, never narrower than the chance of people "
    "alone. All backbones are tested on the same people, so their errors go together; that "
    "correlation is known and is part of the interval. The range for a new backbone is a "
    "prediction interval with k - 2 degrees of freedom. Fewer than 3 backbones have neither "
    "interval nor p; with 3 or 4 only large gains are settled.",
    "A family is one metric over one combination of attributes and the whole table. Limits and p "
    "for a family come from the joint bootstrap of persons (max-T), or from Holm where seeds are a "
    "sample. Summaries over backbones are adjusted by Holm.",
)


def build(result: Generality) -> Section:
    """Choices, definitions, notes, files."""
    blocks: list[Block] = [Prose(_READING), Facts(_choices(result))]
    blocks.append(definitions(result.spec))
    tables = (result.gains, result.gaps, result.summaries, result.concordance)
    codes = {code for rows in tables for row in rows for code in note_codes(row.note)}
    if codes:
        notes = [[Cell(code, head=True), Cell(NOTES[code])] for code in sorted(codes)]
        blocks.append(table("notes", "Notes that occur", ("note", "means"), notes))
    files = [
        [Cell(plain(f.name), head=True), Cell(count(f.bytes), f.bytes), Cell(f.sha256)]
        for f in result.run.files
    ]
    if files:
        blocks.append(table("files", "Files read", ("file", "bytes", "SHA-256"), files))
    return Section("methods", "Methods", tuple(blocks))


def _choices(result: Generality) -> tuple[tuple[str, str], ...]:
    spec, run = result.spec, result.run
    margins = [
        f"{plain(name)}: ±{number(value, unit(result, name))} {unit_word(unit(result, name))}"
        for name, value in spec.margins.items()
    ]
    sources = [f"{plain(name)}: {SOURCES[a.source]}" for name, a in spec.attributes.items()]
    matched = [f"{plain(k)}: {', '.join(map(plain, v))}" for k, v in spec.matched.items()]
    return (
        ("control", plain(spec.control)),
        ("controls of equal size", "; ".join(matched) or "none"),
        ("holds", spec.scope),
        ("trained", plain(spec.training or "") or "not stated"),
        ("faces are", "simulated" if run.simulated else "not marked as simulated"),
        ("unit of resampling", f"{spec.unit_of_resampling}: {plain(spec.units)}"),
        ("estimand", f"a random {spec.estimand}"),
        ("intervals", f"95 %; bootstrap replicates: {count(spec.n_boot)}; seed {run.seed}"),
        ("smallest group tested", f"{count(spec.min_n)} persons"),
        ("margins", "; ".join(text.strip() for text in margins) or "none was stated"),
        ("adjustment", ADJUST.get(spec.adjust or "", "none")),
        ("families", spec.families),
        ("combinations", "; ".join(map(combination_label, spec.combinations)) or "none"),
        ("group labels", "; ".join(sources) or "none"),
        ("command", plain(run.command or "") or "not recorded"),
        ("terms of the model and the data", plain(run.terms or "") or "not stated"),
        ("versions", ", ".join(f"{k} {v}" for k, v in run.versions.items()) or "not recorded"),
    )

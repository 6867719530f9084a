"""How every number was made, and where the runs come from."""

from __future__ import annotations

from audit.comparison import Comparison
from audit.notes import NOTES
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.compared.lookup import unit
from reports.compared.words import level_words
from reports.format import combination_label, count, note_codes, number, plain, unit_word
from reports.sections.methods import definitions
from reports.words import SOURCES

_READING = (
    "A difference is the second run minus the first on the same faces. Its interval comes from "
    "the influence of each person on it, so what both runs find hard alike cancels: t for means "
    "and coefficients, Tango's score interval with the effective number of faces for shares, the "
    "joint bootstrap for quantiles. Changes of gaps in shares are adjusted as if half a face more "
    "had gone either way in each group, so that runs that agree are not taken for certain to "
    "agree.",
    "A family is one metric over one combination of attributes. Limits and p for a family come "
    "from the joint bootstrap of persons (max-T), in which a person has the same weight in every "
    "run.",
    "One run is better where its family's interval lies wholly beyond 0, or beyond the margin "
    "where one was stated. Two runs are equivalent only within a stated margin: where the 90 % "
    "interval lies inside it.",
)
ADJUST = {"max_t": "joint bootstrap (max-T)", "holm": "Holm", "bh": "Benjamini-Hochberg"}


def build(result: Comparison) -> Section:
    """Choices, definitions, notes, files."""
    blocks: list[Block] = [Prose(_READING), Facts(_choices(result))]
    blocks.append(definitions(result.spec))
    tables = (result.paired, result.gaps, result.seeds, result.pareto)
    texts = {row.note for rows in tables for row in rows}
    codes = {code for text in texts for code in note_codes(text)}
    if codes:
        notes = [[Cell(code, head=True), Cell(NOTES[code])] for code in sorted(codes)]
        blocks.append(table("notes", "Notes that occur", ("note", "means"), notes))
    files = [
        [Cell(plain(run.name), head=True), Cell(plain(f.name)), Cell(count(f.bytes), f.bytes),
         Cell(f.sha256)]
        for run in result.runs for f in run.run.files
    ]  # fmt: skip
    if files:
        heads = ("run", "file", "bytes", "SHA-256")
        blocks.append(table("files", "Files read", heads, files))
    return Section("methods", "Methods", tuple(blocks))


def _choices(result: Comparison) -> tuple[tuple[str, str], ...]:
    spec = result.spec
    margins = [
        f"{plain(name)}: ±{number(value, unit(result, name))} {unit_word(unit(result, name))}"
        for name, value in spec.margins.items()
    ]
    sources = [f"{plain(name)}: {SOURCES[a.source]}" for name, a in spec.attributes.items()]
    settings = [f"{plain(k)}: {', '.join(map(plain, v))}" for k, v in spec.settings.items()]
    facts = [
        ("holds", spec.scope),
        ("baseline", plain(spec.baseline)),
        ("faces that failed", spec.missing),
        ("unit of resampling", f"{spec.unit_of_resampling}: {plain(spec.units)}"),
        ("estimand", f"a random {spec.estimand}"),
        ("intervals", f"{level_words(result)}; bootstrap replicates: {count(spec.n_boot)}"),
        ("smallest group tested", f"{count(spec.min_n)} persons"),
        ("margins", "; ".join(text.strip() for text in margins) or "none was stated"),
        ("adjustment", ADJUST.get(spec.adjust or "", "none")),
        ("combinations", "; ".join(map(combination_label, spec.combinations)) or "none"),
        ("group labels", "; ".join(sources) or "none"),
        *([("settings", "; ".join(settings))] if settings else []),
        ("command", plain(result.command or "") or "not recorded"),
        ("versions", ", ".join(f"{k} {v}" for k, v in result.versions.items()) or "not recorded"),
    ]
    return tuple(facts)

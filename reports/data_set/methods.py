"""How the numbers of a data set audit were made: the definitions as the record states them."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.format import combination_label, count, plain
from reports.sections.methods import definitions, notes_table
from reports.words import level_words

_READING = (
    "Shares are of faces, not of people; their intervals are by person and say what another sample "
    "of as many people might show. What compares many groups at once is never 0 in a sample, so it "
    "stands beside its mean by chance instead of having an interval. Each p stands alone: of "
    "twenty without any effect one is below 0.05. Those of permutations are of 200 draws, so none "
    "is below 0.005.",
    "A dash is a number that does not exist; its reason stands with it. It is never a 0. Faces "
    "whose cell in the table was empty are of no group; they are counted.",
)


def build(result: AuditResult) -> Section:
    """Choices made before the numbers were seen, and what every number is."""
    spec = result.spec
    edges = ", ".join(f"{edge:g}" for edge in spec.age_bands) if spec.age_bands else ""
    facts = (
        ("unit of resampling", spec.unit_of_resampling),
        ("intervals", f"{level_words(result)}; bootstrap replicates: {count(spec.n_boot)}"),
        ("combinations", "; ".join(map(combination_label, spec.combinations)) or "none"),
        ("age bands begin at", edges or "those of the data, or decades"),
        ("families of tests", plain(spec.families)),
    )
    blocks: list[Block] = [Prose(_READING), Facts(facts), definitions(spec)]
    if spec.fairness:
        rows = [
            [
                Cell(plain(name), head=True),
                Cell(plain(f"{m.definition}. Source: {m.source}.")),
                Cell(plain(m.unit)),
                Cell(m.better),
                Cell(plain(m.interval)),
            ]
            for name, m in spec.fairness.items()
        ]
        columns = ("statistic", "definition", "unit", "better", "interval")
        caption = "Definition of each statistic over all groups"
        blocks.append(table("statistic-definitions", caption, columns, rows))
    notes = notes_table(result)
    return Section("methods", "Methods", (*blocks, *([notes] if notes else [])))

"""How the numbers of a data set audit were made: the definitions as the record states them."""

from __future__ import annotations

from audit.result import AuditResult
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.definitions import defined
from reports.format import plain, unit_name
from reports.language import english, say
from reports.sections.methods import (
    BETTER,
    UNITS,
    combinations_words,
    definitions,
    intervals_words,
    notes_table,
)

_READING = (
    english(
        "Shares are of faces, not of people; their intervals are by person and say what another "
        "sample of as many people might show. What compares many groups at once is never 0 in a "
        "sample, so it stands beside its mean by chance instead of having an interval. Each p "
        "stands alone: of twenty without any effect one is below 0.05. Those of permutations are "
        "of 200 draws, so none is below 0.005."
    ),
    english(
        "A dash is a number that does not exist; its reason stands with it. It is never a 0. Faces "
        "whose cell in the table was empty are of no group; they are counted."
    ),
)


def build(result: AuditResult) -> Section:
    """Choices made before the numbers were seen, and what every number is."""
    spec = result.spec
    edges = ", ".join(f"{edge:g}" for edge in spec.age_bands) if spec.age_bands else ""
    facts = (
        (say("unit of resampling"), say(UNITS[spec.unit_of_resampling])),
        (say("intervals"), intervals_words(result)),
        (say("combinations"), combinations_words(spec)),
        (say("age bands begin at"), edges or say("those of the data, or decades")),
        (say("families of tests"), defined(spec.families)),
    )  # fmt: skip
    blocks: list[Block] = [Prose(tuple(map(say, _READING))), Facts(facts), definitions(spec)]
    if spec.fairness:
        rows = [
            [
                Cell(plain(name), head=True),
                Cell(plain(say("{definition}. Source: {source}.", definition=defined(m.definition),
                               source=say(m.source)))),
                Cell(unit_name(m.unit)),
                Cell(say(BETTER[m.better])),
                Cell(plain(say(m.interval))),
            ]
            for name, m in spec.fairness.items()
        ]  # fmt: skip
        columns = (
            say("statistic"), say("definition"), say("unit"), say("better"), say("interval"),
        )  # fmt: skip
        caption = say("Definition of each statistic over all groups")
        blocks.append(table("statistic-definitions", caption, columns, rows))
    notes = notes_table(result)
    return Section("methods", say("Methods"), (*blocks, *([notes] if notes else [])))

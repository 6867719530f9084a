"""How every number was made, and where the runs come from."""

from __future__ import annotations

from audit.generality.record import Generality
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.compared.methods import (
    adjustment_words,
    labels_words,
    named_words,
    versions_words,
)
from reports.definitions import defined
from reports.format import count, note_codes, plain
from reports.language import english, say
from reports.sections.methods import (
    ESTIMANDS,
    combinations_words,
    definitions,
    margins_words,
    resampled,
    table_of_notes,
)

_READING = (
    english(
        "A difference is the aggregator minus the control on the same backbone, seeds and faces. "
        "Its interval comes from the influence of each person on it, so what both find hard alike "
        "cancels. Below 5 seeds an interval does not count that another training would come out "
        "otherwise; the spread between seeds stands beside it. From 5 seeds on it does."
    ),
    english(
        "Over backbones: random effects with weights 1 / (variance + tau squared), tau squared by "
        "Paule and Mandel, the interval by Hartung and Knapp, never narrower than the chance of "
        "people alone. All backbones are tested on the same people, so their errors go together; "
        "that correlation is known and is part of the interval. The range for a new backbone is a "
        "prediction interval with k - 2 degrees of freedom. Fewer than 3 backbones have neither "
        "interval nor p; with 3 or 4 only large gains are settled."
    ),
    english(
        "A family is one metric over one combination of attributes and the whole table. Limits and "
        "p for a family come from the joint bootstrap of persons (max-T), or from Holm where seeds "
        "are a sample. Summaries over backbones are adjusted by Holm."
    ),
)


def build(result: Generality) -> Section:
    """Choices, definitions, notes, files."""
    blocks: list[Block] = [Prose(tuple(map(say, _READING))), Facts(_choices(result))]
    blocks.append(definitions(result.spec))
    tables = (result.gains, result.gaps, result.summaries, result.concordance)
    codes = {code for rows in tables for row in rows for code in note_codes(row.note)}
    if codes:
        blocks.append(table_of_notes(codes))
    files = [
        [Cell(plain(f.name), head=True), Cell(count(f.bytes), f.bytes), Cell(f.sha256)]
        for f in result.run.files
    ]
    if files:
        heads = (say("file"), say("bytes"), "SHA-256")
        blocks.append(table("files", say("Files read"), heads, files))
    return Section("methods", say("Methods"), tuple(blocks))


def _choices(result: Generality) -> tuple[tuple[str, str], ...]:
    spec, run = result.spec, result.run
    simulated = english("simulated") if run.simulated else english("not marked as simulated")
    replicates = say(
        "95 %; bootstrap replicates: {n}; seed {seed}", n=count(spec.n_boot), seed=run.seed
    )
    return (
        (say("control"), plain(spec.control)),
        (say("controls of equal size"), named_words(spec.matched) or say("none")),
        (say("holds"), say(spec.scope)),
        (say("trained"), plain(spec.training or "") or say("not stated")),
        (say("faces are"), say(simulated)),
        (say("unit of resampling"), resampled(spec)),
        (say("estimand"), say(ESTIMANDS[spec.estimand])),
        (say("intervals"), replicates),
        (say("smallest group tested"), say("{n} persons", n=count(spec.min_n))),
        (say("margins"), margins_words(spec) or say("none was stated")),
        (say("adjustment"), adjustment_words(spec)),
        (say("families"), defined(spec.families)),
        (say("combinations"), combinations_words(spec)),
        (say("group labels"), labels_words(spec)),
        (say("command"), plain(run.command or "") or say("not recorded")),
        (say("terms of the model and the data"), plain(run.terms or "") or say("not stated")),
        (say("versions"), versions_words(run.versions)),
    )

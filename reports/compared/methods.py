"""How every number was made, and where the runs come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.comparison import Comparison
from audit.result import Spec
from reports.blocks import Block, Cell, Facts, Prose, Section, table
from reports.compared.words import level_words
from reports.format import (
    commas,
    count,
    note_codes,
    plain,
    semicolons,
)
from reports.language import english, say
from reports.sections.methods import (
    ESTIMANDS,
    combinations_words,
    definitions,
    margins_words,
    resampled,
    table_of_notes,
)
from reports.words import SOURCES

_READING = (
    english(
        "A difference is the second run minus the first on the same faces. Its interval comes from "
        "the influence of each person on it, so what both runs find hard alike cancels: t for "
        "means and coefficients, Tango's score interval with the effective number of faces for "
        "shares, the joint bootstrap for quantiles. Changes of gaps in shares are adjusted as if "
        "half a face more had gone either way in each group, so that runs that agree are not taken "
        "for certain to agree."
    ),
    english(
        "A family is one metric over one combination of attributes. Limits and p for a family come "
        "from the joint bootstrap of persons (max-T), in which a person has the same weight in "
        "every run."
    ),
    english(
        "One run is better where its family's interval lies wholly beyond 0, or beyond the margin "
        "where one was stated. Two runs are equivalent only within a stated margin: where the 90 % "
        "interval lies inside it."
    ),
)
ADJUST = {
    "max_t": english("joint bootstrap (max-T)"),
    "holm": english("Holm"),
    "bh": english("Benjamini-Hochberg"),
}
MISSING = {"both": english("both"), "worst": english("worst")}


def build(result: Comparison) -> Section:
    """Choices, definitions, notes, files."""
    blocks: list[Block] = [Prose(tuple(map(say, _READING))), Facts(_choices(result))]
    blocks.append(definitions(result.spec))
    tables = (result.paired, result.gaps, result.seeds, result.pareto)
    texts = {row.note for rows in tables for row in rows}
    codes = {code for text in texts for code in note_codes(text)}
    if codes:
        blocks.append(table_of_notes(codes))
    files = [
        [Cell(plain(run.name), head=True), Cell(plain(f.name)), Cell(count(f.bytes), f.bytes),
         Cell(f.sha256)]
        for run in result.runs for f in run.run.files
    ]  # fmt: skip
    if files:
        heads = (say("run"), say("file"), say("bytes"), "SHA-256")
        blocks.append(table("files", say("Files read"), heads, files))
    return Section("methods", say("Methods"), tuple(blocks))


def labels_words(spec: Spec) -> str:
    """Who assigned the labels of a record's groups."""
    sources = [
        say("{name}: {text}", name=plain(name), text=say(SOURCES[found.source]))
        for name, found in spec.attributes.items()
    ]
    return semicolons(sources) or say("none")


def adjustment_words(spec: Spec) -> str:
    """How tests are corrected for their number."""
    return say(ADJUST[spec.adjust]) if spec.adjust else say("none")


def named_words(found: Mapping[str, Sequence[str]]) -> str:
    """Names with those that belong to each."""
    return semicolons(
        say("{name}: {text}", name=plain(name), text=commas(map(plain, own)))
        for name, own in found.items()
    )


def versions_words(versions: Mapping[str, str]) -> str:
    """Versions of packages, or that there is no record of them."""
    return commas(f"{k} {v}" for k, v in versions.items()) or say("not recorded")


def _choices(result: Comparison) -> tuple[tuple[str, str], ...]:
    spec = result.spec
    replicates = say(
        "{level}; bootstrap replicates: {n}", level=level_words(result), n=count(spec.n_boot)
    )
    settings = named_words(spec.settings)
    return (
        (say("holds"), say(spec.scope)),
        (say("baseline"), plain(spec.baseline)),
        (say("faces that failed"), say(MISSING[spec.missing])),
        (say("unit of resampling"), resampled(spec)),
        (say("estimand"), say(ESTIMANDS[spec.estimand])),
        (say("intervals"), replicates),
        (say("smallest group tested"), say("{n} persons", n=count(spec.min_n))),
        (say("margins"), margins_words(spec) or say("none was stated")),
        (say("adjustment"), adjustment_words(spec)),
        (say("combinations"), combinations_words(spec)),
        (say("group labels"), labels_words(spec)),
        *([(say("settings"), settings)] if settings else []),
        (say("command"), plain(result.command or "") or say("not recorded")),
        (say("versions"), versions_words(result.versions)),
    )

"""What papers claim for these mechanisms beside what was measured here."""

from __future__ import annotations

from audit.generality.record import Generality
from reports.blocks import Cell, Prose, Section, table
from reports.format import metric_title, plain
from reports.grid.claims import CLAIMS
from reports.grid.lookup import gain, leading, summaries_of, verdict_words, words
from reports.language import english, say

_READING = english(
    "A claim is quoted from its authors and was not repeated here. Most were made on other tasks "
    "and data, of whole systems, and say nothing of faces; they are not comparable with the "
    "numbers beside them. Mechanisms whose published figures could not be checked at their source "
    "are left out."
)


def build(result: Generality) -> Section | None:
    """A row for every aggregator of the grid with a claim that could be checked."""
    metric = leading(result)
    rows = []
    for name in result.spec.aggregators:
        claim = CLAIMS.get(name)
        if claim is None:
            continue
        found = summaries_of(result, metric, (name, result.spec.control))
        here = say("the control") if not found else words(result, metric, gain(result, found[0]))
        said = verdict_words(found[0]) if found else ""
        rows.append([
            Cell(plain(name), head=True), Cell(claim.paper), Cell(say(claim.task)),
            Cell(say("claimed: {claim}", claim=say(claim.claim))), Cell(here), Cell(said),
        ])  # fmt: skip
    if not rows:
        return None
    columns = (
        say("aggregator"), say("paper"), say("their task and data"), say("their claim"),
        say("gain here in {metric} [interval]", metric=metric_title(metric)), say("verdict here"),
    )  # fmt: skip
    shown = table("claims-table", say("Claimed there, measured here"), columns, rows)
    return Section("claims", say("Claims"), (Prose((say(_READING),)), shown))

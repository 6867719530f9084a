"""The page of a comparison, made from its record alone."""

from __future__ import annotations

from pathlib import Path

from audit.comparison import Comparison
from audit.files import write_text
from reports.compared import SECTIONS
from reports.format import plain, plural, semicolons
from reports.html import Page, html_of
from reports.language import english, say

KINDS = {
    "age": english("Face age models compared"),
    "expression": english("Facial expression models compared"),
}


def render_comparison(result: Comparison) -> str:
    """The page; the same record gives the same text."""
    return html_of(comparison_page(result))


def comparison_page(result: Comparison) -> Page:
    """What the page says, before any HTML."""
    found = [build(result) for build in SECTIONS]
    first, *others = result.runs
    if len(others) == 1:
        rest = plain(others[0].name)
    else:
        rest = plural(len(others), english("{n} other run"), english("{n} other runs"))
    data = dict.fromkeys(run.run.data for run in result.runs if run.run.data)
    return Page(
        kind=say(KINDS[result.task]),
        heading=say("{run} against {baseline}", run=rest, baseline=plain(first.name)),
        data=semicolons(map(plain, data)) or say("data not stated"),
        sections=tuple(section for section in found if section is not None),
        record=result,
        file="comparison.json",
        simulated=any(run.run.simulated for run in result.runs),
    )


def write_comparison(result: Comparison, path: Path) -> None:
    """Write the page whole or not at all."""
    write_text(path, render_comparison(result))

"""The page of a grid of backbones and aggregators, made from its record alone."""

from __future__ import annotations

from pathlib import Path

from audit.files import write_text
from audit.generality.record import Generality
from reports.format import plain
from reports.grid import SECTIONS
from reports.html import Page, html_of
from reports.language import english, say

KINDS = {
    "age": english("Face age: does it hold on every backbone"),
    "expression": english("Facial expression: does it hold on every backbone"),
}


def render_generality(result: Generality, file: str = "generality.json") -> str:
    """The page; the same record gives the same text. ``file`` is what its data are saved as."""
    return html_of(generality_page(result, file))


def generality_page(result: Generality, file: str = "generality.json") -> Page:
    """What the page says, before any HTML."""
    found = [build(result) for build in SECTIONS]
    spec = result.spec
    return Page(
        kind=say(KINDS[result.task]),
        heading=say(
            "{n} aggregators on {k} backbones", n=len(spec.aggregators), k=len(spec.backbones)
        ),
        data=plain(result.run.data or "") or say("data not stated"),
        sections=tuple(section for section in found if section is not None),
        record=result,
        file=file,
        simulated=result.run.simulated,
    )


def write_generality(result: Generality, path: Path) -> None:
    """Write the page whole or not at all."""
    write_text(path, render_generality(result, path.with_suffix(".json").name))

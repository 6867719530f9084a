"""The page of a recalibration: what was fitted on whom, and how to use it again."""

from __future__ import annotations

import json

from audit.recalibration.run import Recalibration
from reports.blocks import Answer, Block, Cell, Facts, Notice, Prose, Section, Tile, Tiles, table
from reports.definitions import defined
from reports.format import capital, count, number, people, plain
from reports.html import Page
from reports.language import english, say

_TASKS = {
    "age": english("Face age recalibrated"),
    "expression": english("Facial expression recalibrated"),
}
_READING = english(
    "The fit knows nothing of the audited people. What it changes for them, and for whom, say the "
    "two audits and their comparison, which stand beside this record."
)
MAX_ROWS = 400


def recalibration_page(result: Recalibration) -> Page:
    """What the page says, before any HTML."""
    title = plain(result.method)
    parts = [Section("summary", say("Summary"), _summary(result), fold=False)]
    if result.parameters:
        fitted = (_parameters(result),)
        parts.append(Section("parameters", say("Parameters"), fitted, fold=False))
    parts.append(Section("methods", say("Methods"), _methods(result), fold=False))
    return Page(
        kind=say(_TASKS[result.task]),
        heading=title,
        data=say("fitted on {people}", people=people(result.n_subjects_fit)),
        sections=tuple(parts),
        record=result,
        file="recalibration.json",
    )


def _summary(result: Recalibration) -> tuple[Block, ...]:
    fitted = people(result.n_subjects_fit)
    tiles = (
        Tile(say("fitted on"), count(result.n_fit), say("faces of {people}", people=fitted)),
        Tile(say("audited"), count(result.n_audit), say("faces of other people")),
        Tile(say("share asked for the fit"), number(result.fit_share)),
    )
    said = say(
        "{method} was fitted on {people}; no verdict is made here.",
        method=capital(plain(result.method)), people=fitted,
    )  # fmt: skip
    notices = [Notice("warning", say("Remark"), plain(remark)) for remark in result.remarks]
    question = say("What was fitted, and on whom?")
    return Answer(question, (said, say(_READING))), Tiles(tiles), *notices


def _parameters(result: Recalibration) -> Block:
    rows = [
        [Cell(plain(name), head=True), Cell(plain(_text(value)))]
        for name, value in list(result.parameters.items())[:MAX_ROWS]
    ]
    heads = (say("parameter"), say("value"))
    return table("parameters-table", say("What was fitted"), heads, rows)


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _methods(result: Recalibration) -> tuple[Block, ...]:
    facts = (
        (say("definition"), defined(result.definition)),
        (say("source"), plain(say(result.source))),
        (say("seed"), str(result.seed)),
        (say("schema of the record"), result.schema_),
    )
    again = say(
        "`hae-audit recalibrate TABLE --use recalibration.json` applies it to another table."
    )
    return Facts(facts), Prose((again,))

"""The page of a recalibration: what was fitted on whom, and how to use it again."""

from __future__ import annotations

import json

from audit.recalibration.run import Recalibration
from reports.blocks import Answer, Block, Cell, Facts, Notice, Prose, Section, Tile, Tiles, table
from reports.format import count, number, plain, plural
from reports.html import Page

_READING = (
    "The fit knows nothing of the audited people. What it changes for them, and for whom, say the "
    "two audits and their comparison, which stand beside this record."
)
MAX_ROWS = 400


def recalibration_page(result: Recalibration) -> Page:
    """What the page says, before any HTML."""
    title = plain(result.method)
    parts = [Section("summary", "Summary", _summary(result), fold=False)]
    if result.parameters:
        parts.append(Section("parameters", "Parameters", (_parameters(result),), fold=False))
    parts.append(Section("methods", "Methods", _methods(result), fold=False))
    return Page(
        kind={"age": "Face age recalibrated", "expression": "Facial expression recalibrated"}[
            result.task
        ],
        heading=title,
        data=f"fitted on {plural(result.n_subjects_fit, 'person', 'people')}",
        sections=tuple(parts),
        record=result,
        file="recalibration.json",
    )


def _summary(result: Recalibration) -> tuple[Block, ...]:
    fitted = plural(result.n_subjects_fit, "person", "people")
    tiles = (
        Tile("fitted on", count(result.n_fit), f"faces of {fitted}"),
        Tile("audited", count(result.n_audit), "faces of other people"),
        Tile("share asked for the fit", number(result.fit_share)),
    )
    said = f"{plain(result.method).capitalize()} was fitted on {fitted}; no verdict is made here."
    notices = [Notice("warning", "Remark", plain(remark)) for remark in result.remarks]
    return Answer("What was fitted, and on whom?", (said, _READING)), Tiles(tiles), *notices


def _parameters(result: Recalibration) -> Block:
    rows = [
        [Cell(plain(name), head=True), Cell(plain(_text(value)))]
        for name, value in list(result.parameters.items())[:MAX_ROWS]
    ]
    return table("parameters-table", "What was fitted", ("parameter", "value"), rows)


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _methods(result: Recalibration) -> tuple[Block, ...]:
    facts = (
        ("definition", plain(result.definition)),
        ("source", plain(result.source)),
        ("seed", str(result.seed)),
        ("schema of the record", result.schema_),
    )
    again = "`hae-audit recalibrate TABLE --use recalibration.json` applies it to another table."
    return Facts(facts), Prose((again,))

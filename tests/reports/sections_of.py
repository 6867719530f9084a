"""What the tests of sections share: small audits, and what a section or a page says."""

from __future__ import annotations

from typing import Any

import pandas as pd

from audit import AuditResult, audit
from reports.blocks import Block, Figure, Notice, Prose, Section, Table
from reports.page import render


def audited(table: pd.DataFrame, **options: Any) -> AuditResult:
    """A quick audit: no bootstrap unless it is asked for."""
    return audit(table, **{"n_boot": 0, **options})


def section(result: AuditResult, id: str) -> str:
    """The HTML of one section of the page."""
    text = render(result)
    start = text.index(f'<section id="{id}"')
    return text[start:].split("</section>")[0]


def text_of(found: Section | None) -> str:
    """Everything that a section says in words and tables, before any HTML."""
    assert found is not None
    return " ".join(_block(block) for block in found.blocks)


def shown_text(table: Table) -> str:
    """The caption, heads, cells and footnotes of a table."""
    heads = " ".join(column.name for column in table.columns)
    cells = " ".join(cell.text for row in table.rows for cell in row)
    notes = " ".join(words for _, words in table.footnotes)
    return " ".join((table.caption, heads, cells, notes, table.more or ""))


def figures_of(found: Section | None) -> list[Figure]:
    """The figures of a section, in order."""
    assert found is not None
    return [block for block in found.blocks if isinstance(block, Figure)]


def tables_of(found: Section | None) -> list[Table]:
    """The tables of a section in order, those of its figures among them."""
    assert found is not None
    return [
        block.table if isinstance(block, Figure) else block
        for block in found.blocks
        if isinstance(block, Figure | Table)
    ]


def _block(block: Block) -> str:
    if isinstance(block, Prose):
        return " ".join(block.paragraphs)
    if isinstance(block, Table):
        return shown_text(block)
    if isinstance(block, Figure):
        return " ".join((block.title, block.caption, shown_text(block.table)))
    if isinstance(block, Notice):
        return f"{block.title} {block.text}"
    return getattr(block, "text", "")

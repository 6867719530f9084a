"""The first screen as Markdown, for a pull request: the same sentences, tables and reasons."""

from __future__ import annotations

from collections.abc import Iterable

from reports.blocks import (
    Answer,
    Block,
    Cards,
    Cell,
    Facts,
    Listed,
    Notice,
    Prose,
    Table,
    Tiles,
)
from reports.format import bracketed, sentences
from reports.gate.markdown import cell
from reports.html import SEVERITIES, Page
from reports.language import say

MAX_ROWS = 60


def markdown(page: Page) -> str:
    """The first section of a page, and its warnings; nothing in it is markup but what we set."""
    title = say("{name}: {text}", name=cell(page.kind), text=cell(page.heading))
    parts = [f"# {title}", cell(page.data)]
    if page.simulated:
        simulated = f"**{say('Simulated faces.')}**"
        parts.append(sentences(simulated, say("Nothing here describes real people.")))
    for section in page.sections:
        if section.fold and section is not page.sections[0]:
            continue
        parts.append(f"## {cell(section.title)}")
        parts += [text for block in section.blocks if (text := block_text(block))]
    return "\n\n".join(parts) + "\n"


def block_text(block: Block) -> str:
    """One block; figures are left to the page."""
    if isinstance(block, Answer):
        return "\n\n".join((f"**{cell(block.question)}**", _bullets(block.sentences)))
    if isinstance(block, Table):
        return table_text(block)
    if isinstance(block, Tiles):
        return _bullets(
            bracketed(say("{name}: {text}", name=tile.label, text=tile.value), tile.detail)
            for tile in block.tiles
        )
    if isinstance(block, Listed):
        if not block.items:
            return ""
        label = say("{label}:", label=cell(block.label))
        return f"**{label}** {cell(sentences(*block.items))}"
    if isinstance(block, Notice):
        words = say("{name}: {text}", name=cell(block.title), text=cell(block.text))
        return f"- **{say(SEVERITIES[block.severity])}** {words}"
    if isinstance(block, Prose):
        return "\n\n".join(map(cell, block.paragraphs))
    if isinstance(block, Facts):
        return _bullets(say("{name}: {text}", name=name, text=text) for name, text in block.facts)
    if isinstance(block, Cards):
        return _bullets(
            sentences(
                say("{name}: {text}.", name=card.title, text=card.badge),
                " ".join(filter(None, (card.difference, *card.sure))),
            )
            for card in block.cards
        )
    return ""


def table_text(found: Table) -> str:
    """A table with its caption above it; rows beyond a few are counted."""
    heads = " | ".join(cell(column.name) for column in found.columns)
    rule = "|".join("---" for _ in found.columns)
    rows = [f"| {' | '.join(map(_cell, row))} |" for row in found.rows[:MAX_ROWS]]
    lines = [f"**{cell(found.caption)}**", "", f"| {heads} |", f"|{rule}|", *rows]
    if len(found.rows) > MAX_ROWS:
        n = len(found.rows) - MAX_ROWS
        lines += ["", say("{n} more rows are in the report.", n=n)]
    return "\n".join(lines)


def _cell(found: Cell) -> str:
    return cell(bracketed(found.text, found.detail).strip())


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {cell(text)}" for text in texts)

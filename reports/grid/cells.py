"""Every training of the grid, and why some have no result."""

from __future__ import annotations

from audit.generality.record import CellRow, Generality
from reports.blocks import Block, Cell, Prose, Section, table
from reports.format import bracketed, count, number, plain, plural
from reports.grid.lookup import unit
from reports.language import english, say

_STATUS = {
    "out_of_memory": english("out of memory"),
    "diverged": english("diverged"),
    "refused": english("refused"),
    "failed": english("failed"),
}


def build(result: Generality) -> Section:
    """Failed cells first, with their reasons; then all."""
    lost = [cell for cell in result.cells if cell.status != "done"]
    blocks: list[Block] = []
    if lost:
        rows = [
            [*_names(cell), Cell(say(_STATUS[cell.status])),
             Cell(plain(cell.reason or "") or say("not stated"))]
            for cell in lost
        ]  # fmt: skip
        columns = (
            say("backbone"), say("aggregator"), say("seed"), say("what happened"), say("reason"),
        )  # fmt: skip
        blocks.append(table("cells-failed", say("Cells without a result"), columns, rows))
    else:
        one, many = english("All {n} cell came out."), english("All {n} cells came out.")
        blocks.append(Prose((plural(len(result.cells), one, many),)))
    metrics = result.spec.analysed
    found = [
        [
            *_names(cell),
            *(_value(result, cell, name) for name in metrics),
            Cell("" if cell.n_failed is None else count(cell.n_failed), cell.n_failed),
            Cell("" if cell.trained_parameters is None else count(cell.trained_parameters),
                 cell.trained_parameters),
            Cell("" if cell.parameters is None else count(cell.parameters), cell.parameters),
            *(Cell("" if x is None else number(x, "years"), x)
              for x in (cell.train_seconds, cell.step_ms, cell.forward_ms, cell.memory_mb)),
        ]
        for cell in result.cells if cell.status == "done"
    ]  # fmt: skip
    heads = (
        say("backbone"), say("aggregator"), say("seed"), *metrics, say("faces not processed"),
        say("trained parameters"), say("parameters"), say("seconds"), say("ms of a step"),
        say("ms of estimates"), say("peak MiB of a step"),
    )  # fmt: skip
    caption = say("Every training: everyone, on the faces that all processed")
    summary = bracketed(caption, count(len(found)))
    blocks.append(table("cells-all", caption, heads, found, summary=summary))
    return Section("cells", say("Cells"), tuple(blocks))


def _names(cell: CellRow) -> list[Cell]:
    return [
        Cell(plain(cell.backbone), head=True), Cell(plain(cell.aggregator)),
        Cell(str(cell.seed), cell.seed),
    ]  # fmt: skip


def _value(result: Generality, cell: CellRow, metric: str) -> Cell:
    value = cell.metrics.get(metric)
    return Cell(number(value, unit(result, metric)), value)

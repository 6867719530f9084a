"""Every training of the grid, and why some have no result."""

from __future__ import annotations

from audit.generality.record import CellRow, Generality
from reports.blocks import Block, Cell, Prose, Section, table
from reports.format import count, number, plain, plural
from reports.grid.lookup import unit

_STATUS = {
    "out_of_memory": "out of memory",
    "diverged": "diverged",
    "refused": "refused",
    "failed": "failed",
}


def build(result: Generality) -> Section:
    """Failed cells first, with their reasons; then all."""
    lost = [cell for cell in result.cells if cell.status != "done"]
    blocks: list[Block] = []
    if lost:
        rows = [
            [*_names(cell), Cell(_STATUS.get(cell.status, cell.status)),
             Cell(plain(cell.reason or "not stated"))]
            for cell in lost
        ]  # fmt: skip
        columns = ("backbone", "aggregator", "seed", "what happened", "reason")
        blocks.append(table("cells-failed", "Cells without a result", columns, rows))
    else:
        blocks.append(Prose((f"All {plural(len(result.cells), 'cell')} came out.",)))
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
        "backbone", "aggregator", "seed", *metrics, "faces not processed", "trained parameters",
        "parameters", "seconds", "ms of a step", "ms of estimates", "peak MiB of a step",
    )  # fmt: skip
    caption = "Every training: everyone, on the faces that all processed"
    summary = f"{caption} ({count(len(found))})"
    blocks.append(table("cells-all", caption, heads, found, summary=summary))
    return Section("cells", "Cells", tuple(blocks))


def _names(cell: CellRow) -> list[Cell]:
    return [
        Cell(plain(cell.backbone), head=True), Cell(plain(cell.aggregator)),
        Cell(str(cell.seed), cell.seed),
    ]  # fmt: skip


def _value(result: Generality, cell: CellRow, metric: str) -> Cell:
    value = cell.metrics.get(metric)
    return Cell(number(value, unit(result, metric)), value)

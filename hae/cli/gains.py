"""The short answer of a grid: for a terminal, and as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.generality.record import CellRow, GainRow, Generality, SummaryRow
from hae.cli.terminal import MARKS
from reports.format import metric_title, note_words, p_value
from reports.grid.lookup import (
    contrasts,
    gain,
    gains_of,
    leading,
    summaries_of,
    titled,
    verdict_words,
    words,
)

FILES = ("generality.json", "generality.html")


@dataclass(frozen=True)
class Files:
    """Where the record and the page of a grid go; those of one task of several have its name."""

    record: Path
    page: Path

    @staticmethod
    def of(out: Path, task: str | None) -> Files:
        """Those in a folder.

        Examples
        --------
        >>> Files.of(Path("runs"), "age").page.as_posix()
        'runs/generality-age.html'
        """
        record, page = (out / name for name in FILES)
        if task is None:
            return Files(record, page)
        return Files(*(path.with_stem(f"{path.stem}-{task}") for path in (record, page)))


def as_dict(result: Generality, files: Files) -> dict[str, Any]:
    """Summarise a grid in the record's own names: rows of everyone, by the leading metric."""
    metric, pairs = leading(result), contrasts(result)
    gains = [row for pair in pairs for row in gains_of(result, metric, pair)]
    summaries = [row for pair in pairs for row in summaries_of(result, metric, pair)]
    return {
        "task": result.task,
        "control": result.spec.control,
        "metric": metric,
        "scope": result.spec.scope,
        "training": result.spec.training,
        "gains": [row.model_dump(mode="json") for row in gains],
        "summaries": [row.model_dump(mode="json") for row in summaries],
        "failed_cells": [cell.model_dump(mode="json") for cell in _failed(result)],
        "warnings": [warning.model_dump(mode="json") for warning in result.warnings],
        "files": {path.name: str(path) for path in (files.record, files.page)},
    }


def print_gains(result: Generality, files: Files) -> None:
    """Print what every aggregator gains on each backbone and over all, and which cells failed."""
    console = Console(highlight=False)
    title = f"{result.task}: gain in {metric_title(leading(result))} over {result.spec.control}"
    console.print(f"[bold]{escape(title)}[/]")
    console.print(escape(f"above 0 the aggregator is better; {result.spec.scope}"))
    if result.spec.training:
        console.print(escape(f"trained: {result.spec.training}"))
    console.print(_table(result))
    for cell in _failed(result):
        name = f"{cell.backbone}/{cell.aggregator}/{cell.seed}"
        why = f"{cell.status.replace('_', ' ')}: {cell.reason}"
        console.print(f"no result: {escape(f'{name}: {why}')}", soft_wrap=True)
    order = list(MARKS)
    for warning in sorted(result.warnings, key=lambda found: order.index(found.severity)):
        console.print(f"{MARKS[warning.severity]}: {escape(warning.message)}")
    console.print(f"report: {files.page}", markup=False, soft_wrap=True)


def _failed(result: Generality) -> list[CellRow]:
    return [cell for cell in result.cells if cell.status != "done"]


def _table(result: Generality) -> Table:
    """A line for each backbone, then one over all of them."""
    metric = leading(result)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("aggregator", "backbone", "gain [95 %]", "p, family", "verdict"):
        table.add_column(name, overflow="fold")
    for pair in contrasts(result):
        label = titled(result, *pair)
        for row in gains_of(result, metric, pair):
            table.add_row(escape(label), escape(row.backbone), *_cells(result, row))
            label = ""
        for pooled in summaries_of(result, metric, pair):
            over = f"all: better on {pooled.n_better} of {pooled.n_backbones}"
            table.add_row("", over, *_cells(result, pooled))
    return table


def _cells(result: Generality, row: GainRow | SummaryRow) -> tuple[str, str, str]:
    """Gain with interval, p for the family, verdict or why there is none."""
    if row.value is None:
        return "", "", escape(note_words(row.note) or verdict_words(row))
    verdict = verdict_words(row)
    if row.verdict is None and row.note:
        verdict += f": {note_words(row.note)}"
    return words(result, row.metric, gain(result, row)), p_value(row.p_adjusted), escape(verdict)

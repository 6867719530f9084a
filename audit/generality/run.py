"""A grid of backbones x aggregators x seeds, analysed: the order of the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from audit.block import Adjust, Setting, possible
from audit.concerns import table_warnings
from audit.errors import InputError
from audit.facts import facts_of
from audit.generality.blocks import Blocks, GridSums, grid_sums
from audit.generality.cells import Cell, Grid, Trained, grid_of
from audit.generality.differences import gain_rows, parts_of
from audit.generality.record import (
    FAMILIES,
    CellRow,
    ConcordanceRow,
    GainRow,
    GapRow,
    Generality,
    GeneralitySpec,
    SummaryRow,
)
from audit.generality.summaries import concordance_rows, gap_summaries, summary_rows
from audit.generality.widths import extremes, gap_parts, gap_rows
from audit.metrics.core import Metric
from audit.names import check_name
from audit.options import checked_options
from audit.paired import Places, sides_of
from audit.paired_sums import pair_of
from audit.paired_tables import paired_tables
from audit.result import RunInfo
from audit.rows import Concern
from audit.verdict import which_is_better, which_is_wider

DEFAULTS = {
    "age": ("mae", "within_band_accuracy", "band_distance", "cs5"),
    "expression": ("accuracy", "balanced_accuracy", "macro_f1"),
}
"""Metrics that are analysed unless others are named: the first that exists leads the page."""
MOST = 3
MOST_NAMED = 10


def generality(
    cells: Mapping[Cell, Trained],
    control: str,
    *,
    by: Sequence[str | Sequence[str]] | None = None,
    metrics: Sequence[str] = (),
    matched: Mapping[str, Sequence[str]] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    estimand: Literal["image", "subject"] = "image",
    min_n: int = 30,
    age_bands: Sequence[float] | None = None,
    max_cells: int = 20_000,
    margins: Mapping[str, float] | None = None,
    adjust: Adjust = "max_t",
    sources: Mapping[str, str] | None = None,
    training: str | None = None,
    run: RunInfo | None = None,
) -> Generality:
    """Tell whether an aggregator helps whatever the backbone, and whom.

    Parameters
    ----------
    cells : mapping of Cell to Trained
        What every training predicts for the same test faces, or why it failed.
    control : str
        The aggregator that every other one is compared with on the same backbone and seed.
    by, n_boot, seed, estimand, min_n, age_bands, max_cells, adjust, sources
        As in :func:`audit.run.audit`.
    metrics : sequence of str
        What to analyse, the leading one first; by default at most 3 that the task has. They must
        have a better direction and an interval from the influence of persons.
    matched : mapping, optional
        Aggregator -> further ones that it is compared with, such as controls of equal size.
    margins : mapping, optional
        Metric -> the largest difference, in the unit of the metric, that would not matter.
    training : str, optional
        How the cells were trained, for the reader.
    run : RunInfo, optional
        Where the numbers come from.

    Returns
    -------
    Generality
        The record; the order of the cells does not matter.

    Raises
    ------
    InputError
        With place, rule, value and remedy; cells of different test faces are refused.
    """
    grid = grid_of(cells, control, matched)
    options = checked_options(
        n_boot=n_boot, seed=seed, estimand=estimand, min_n=min_n, age_bands=age_bands,
        max_cells=max_cells, margins=margins, adjust=adjust, sources=sources,
    )  # fmt: skip
    tables = paired_tables({cell.name: table for cell, table in grid.done.items()}, by, options)
    chosen = _metrics(tables.setting, tables.first.table.task, metrics)
    sums = grid_sums(grid, tables)
    found = _analysed(sums, chosen)
    directions = {metric.name: metric.better for metric in chosen}
    stated = dict(margins or {})
    task = tables.first.table.task
    spec = tables.spec(options)
    return Generality(
        task=task,
        run=run or RunInfo(model="backbones x aggregators", seed=seed),
        spec=GeneralitySpec(
            **spec.model_dump(exclude={"fairness", "margins", "families", "aggregates"}),
            margins=stated,
            families=FAMILIES,
            control=control,
            backbones=list(grid.backbones),
            aggregators=list(grid.aggregators),
            matched={name: list(other) for name, other in grid.matched.items()},
            analysed=[metric.name for metric in chosen],
            training=training,
        ),
        cells=_cells(sums, chosen),
        gains=[
            row.model_copy(
                update={
                    "margin": stated.get(row.metric),
                    "verdict": which_is_better(row, directions[row.metric], stated.get(row.metric)),
                }
            )
            for row in found[0]
        ],
        gaps=[
            row.model_copy(
                update={
                    "margin": stated.get(row.metric),
                    "verdict": which_is_wider(row, stated.get(row.metric)),
                }
            )
            for row in found[1]
        ],
        summaries=found[2],
        concordance=found[3],
        warnings=_warnings(sums),
    )


def _metrics(setting: Setting, task: str, asked: Sequence[str]) -> list[Metric]:
    """The metrics to analyse, the leading one first."""
    fit = {
        metric.name: metric
        for metric in possible(setting)
        if metric.class_ is None
        and metric.quantile is None
        and metric.interval != "none"
        and metric.better in {"lower", "higher"}
    }
    for name in asked:
        check_name(name, sorted(fit), "metrics", "metric with a better direction")
    if asked:
        return [fit[name] for name in dict.fromkeys(asked)]
    found = [fit[name] for name in DEFAULTS[task] if name in fit][:MOST]
    if not found:
        raise InputError(f"metrics: none of {', '.join(DEFAULTS[task])} can be computed; name some")
    return found


def _analysed(
    sums: GridSums, metrics: Sequence[Metric]
) -> tuple[list[GainRow], list[GapRow], list[SummaryRow], list[ConcordanceRow]]:
    gains: list[GainRow] = []
    gaps: list[GapRow] = []
    summaries: list[SummaryRow] = []
    agreed: list[ConcordanceRow] = []
    for item in sums.groupings():
        blocks = Blocks(sums, item)
        for metric in metrics:
            parts = parts_of(blocks, metric)
            gains += gain_rows(blocks, metric, parts)
            summaries += summary_rows(blocks, metric, parts)
            pair = extremes(blocks, metric, parts) if item.names else None
            if pair is not None:
                changes, sides = gap_parts(metric, pair, parts)
                gaps += gap_rows(blocks, metric, pair, changes, sides)
                summaries += gap_summaries(blocks, metric, pair, changes)
            if item.names and metric.has_gaps:
                agreed += concordance_rows(blocks, metric, parts)
    return gains, gaps, summaries, agreed


def _cells(sums: GridSums, metrics: Sequence[Metric]) -> list[CellRow]:
    """What became of every cell, and its values over everyone."""
    grid, setting = sums.grid, sums.tables.setting
    everyone = sums.groupings()[0]
    rows = []
    for cell, trained in grid.cells.items():
        values: dict[str, float] = {}
        n_failed = None
        if cell in sums.every:
            table = sums.every[cell].table
            n_failed = int((table.labelled & ~table.processed).sum())
            for metric in metrics:
                run = (sums.every if metric.counts_failures else sums.common)[cell]
                place = Places(np.array([0]))
                side = sides_of(setting, pair_of(run, run, everyone), metric, place)
                values[metric.name] = float(side.values[0, 0])
        rows.append(
            CellRow.model_validate(
                {
                    **cell._asdict(),
                    "task": sums.tables.first.table.task,
                    "status": trained.status if trained.predictions is None else "done",
                    "reason": trained.reason,
                    "metrics": values,
                    "n_failed": n_failed,
                    "parameters": trained.parameters,
                    "trained_parameters": trained.trained_parameters,
                    "train_seconds": trained.train_seconds,
                    "step_ms": trained.step_ms,
                    "forward_ms": trained.forward_ms,
                    "memory_mb": trained.memory_mb,
                }
            )
        )
    return rows


def _warnings(sums: GridSums) -> list[Concern]:
    """What the tables say of themselves, and which cells failed."""
    grid: Grid = sums.grid
    told: dict[str, list[tuple[Cell, Concern]]] = {}
    for cell, run in sums.every.items():
        for concern in table_warnings(facts_of(run.table)):
            told.setdefault(concern.code, []).append((cell, concern))
    found = []
    for same in told.values():
        cell, concern = same[0]
        if len({other.message for _, other in same}) > 1 or len(same) < len(sums.every):
            message = f"{cell.name}: {concern.message}; so or alike in {len(same)} cells"
            concern = concern.model_copy(update={"message": message, "where": None})
        found.append(concern)
    lost = [cell.name for cell, trained in grid.cells.items() if trained.predictions is None]
    if lost:
        more = ", ..." if len(lost) > MOST_NAMED else ""
        message = (
            f"{len(lost)} of {len(grid.cells)} cells failed: {', '.join(lost[:MOST_NAMED])}{more}"
        )
        found.append(Concern(code="cells_failed", severity="warning", message=message))
    return found

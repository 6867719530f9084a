"""From the records of cells to the analysis of the grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from audit.errors import InputError
from audit.generality.cells import Cell, Trained
from audit.generality.record import AttentionRow
from audit.names import check_name
from audit.predictions import read_predictions
from audit.rows import Concern
from hae.aggregate.shares import Over
from hae.config import CONTROLS
from hae.generality.attention import Attention
from hae.generality.cells import PREDICTIONS, CellRecord
from hae.generality.grid import BESIDE, GridConfig, label
from hae.generality.grid import Cell as GridCell

MIB = 2**20
USUAL = ("mean", "single")
"""Controls where none is named, the first that is in the grid."""
ERRORS = ("mae", "band_distance", "accuracy")


def named(grid: GridConfig, cell: CellRecord | GridCell) -> str:
    """An aggregator with what else the grid varies.

    ``sae``, or ``sae k8 corn`` where the grid has several K and several heads.
    """
    heads = grid.heads if cell.task == "age" else grid.expression_heads
    width = cell.bin_width
    more = [
        f"k{cell.k}" if len(grid.ks) > 1 else "",
        cell.head if len(heads) > 1 else "",
        f"w{width:g}" if len(grid.bin_widths) > 1 and width is not None else "",
    ]
    way = cell.aggregator if isinstance(cell.aggregator, str) else label(cell.aggregator)
    return " ".join([way, *filter(None, more)])


def control_of(names: Iterable[str], asked: str | None) -> str:
    """What all are compared with: the one asked for, or the first usual one of the grid.

    Raises
    ------
    InputError
        The grid has no such one, or none of the usual ones.
    """
    known = list(names)
    if asked is not None:
        check_name(asked, known, "--control", "aggregator in the grid")
        return asked
    found = [name for usual in USUAL for name in known if name.split()[0] == usual]
    if not found:
        raise InputError(
            f"the grid has neither {' nor '.join(USUAL)} to compare with; add one, or name the "
            f"--control: {', '.join(known)}"
        )
    return found[0]


def matched_of(grid: GridConfig, records: Sequence[CellRecord]) -> dict[str, list[str]]:
    """Aggregator -> its controls of equal size, with the same other settings."""
    names = {(r.aggregator, (r.head, r.k, r.bin_width)): named(grid, r) for r in records}
    found: dict[str, list[str]] = {}
    for (aggregator, rest), name in names.items():
        if aggregator.partition(".")[0] in CONTROLS:
            continue
        beside = [names.get((f"{control}.{aggregator}", rest)) for control in BESIDE]
        if any(beside):
            found[name] = [control for control in beside if control]
    return found


def trained_cells(
    grid: GridConfig, records: Sequence[CellRecord], out: Path
) -> dict[Cell, Trained]:
    """What every cell predicts for the test faces, or why it failed."""
    return {
        Cell(record.backbone, named(grid, record), record.seed): _trained(record, out)
        for record in records
    }


def _trained(record: CellRecord, out: Path) -> Trained:
    if record.status != "done":
        return Trained(reason=record.reason or "no reason was given", status=record.status)
    path = out / record.key / PREDICTIONS
    table = replace(read_predictions(path, task=record.task), place=f"{record.key}/{PREDICTIONS}")
    cost, files = record.cost, record.predictions
    return Trained(
        table,
        parameters=cost.parameters if cost else None,
        trained_parameters=cost.trained_parameters if cost else None,
        train_seconds=cost.seconds if cost else None,
        step_ms=cost.step_ms if cost else None,
        forward_ms=cost.forward_ms if cost else None,
        memory_mb=cost.peak_bytes / MIB if cost and cost.peak_bytes is not None else None,
        files=(files,) if files else (),
    )


def attention_rows(grid: GridConfig, records: Sequence[CellRecord]) -> list[AttentionRow]:
    """What aggregators attend to on each backbone, the mean over the seeds that came out."""
    found: dict[tuple[str, str, Over], list[Attention]] = {}
    for record in records:
        for one in record.attention:
            found.setdefault((record.backbone, named(grid, record), one.over), []).append(one)
    return [
        AttentionRow(
            backbone=backbone,
            aggregator=aggregator,
            over=over,
            weights=[round(fmean(x), 5) for x in zip(*(one.weights for one in seeds), strict=True)],
            n=seeds[0].n_faces,
            n_subjects=seeds[0].n_people,
            n_seeds=len(seeds),
            placed=seeds[0].placed,
        )
        for (backbone, aggregator, over), seeds in found.items()
    ]


def weak_controls(
    records: Sequence[CellRecord],
    constant: Mapping[str, float],
    control: str,
    grid: GridConfig,
) -> list[Concern]:
    """Controls whose error is not below half of the best constant's; of one task.

    What is gained over a control that hardly learned says little of the aggregator. The error of
    expressions is the share told wrong, 1 - accuracy.
    """
    own = [r for r in records if named(grid, r) == control and r.metrics]
    metric = next((m for m in ERRORS if m in constant and any(m in r.metrics for r in own)), None)
    if metric is None:
        return []

    def error(figures: Mapping[str, float]) -> float:
        return 1 - figures[metric] if metric == "accuracy" else figures[metric]

    weak = [r for r in own if error(r.metrics) >= error(constant) / 2]
    if not weak:
        return []
    worst = max(weak, key=lambda record: error(record.metrics))
    message = (
        f"{len(weak)} of {len(own)} trainings of the control {control!r} are not better than half "
        f"of the best constant ({_error_words(metric)} {error(constant):.3g}); the worst is "
        f"{worst.key} with {error(worst.metrics):.3g}: train longer, or from better first weights"
    )
    return [Concern(code="weak_control", severity="warning", message=message)]


def _error_words(metric: str) -> str:
    return "share told wrong" if metric == "accuracy" else metric

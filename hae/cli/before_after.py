"""What ``recalibrate`` writes and prints: the same people before and after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from audit.predictions import Predictions
    from audit.recalibration.run import Recalibration
    from audit.result import AuditResult

SIDES = ("before", "after")


def write(
    place: Path,
    record: Recalibration,
    sides: tuple[Predictions, Predictions],
    options: dict[str, Any],
    table: Path,
    command: str | None,
) -> tuple[AuditResult, AuditResult]:
    """Write both audits, their comparison and the recalibration."""
    from dataclasses import replace

    from audit.compare import compare
    from audit.predictions import write_predictions
    from audit.run import audit
    from audit.tables import file_hash
    from hae.cli.record import run_of_table
    from reports.page import write_report

    tables = {
        name: replace(_named(side), files=(file_hash(table),))
        for name, side in zip(SIDES, sides, strict=True)
    }
    words = {"before": "", "after": f", {record.method} recalibrated"}
    infos = {
        name: run_of_table(f"{table.stem}{words[name]}", options["seed"], command) for name in SIDES
    }
    found = []
    for name in SIDES:
        result = audit(tables[name], run=infos[name], **options)
        (place / name).mkdir(parents=True, exist_ok=True)
        result.write(place / name / "audit.json")
        write_predictions(tables[name], place / name / "predictions.parquet")
        write_report(result, place / name / "report.html")
        found.append(result)
    compare(tables, infos=infos, command=command, **options).write(place / "comparison.json")
    record.write(place / "recalibration.json")
    return found[0], found[1]


def _named(side: Predictions) -> Predictions:
    """The side with ids, by which a comparison pairs its faces: row numbers where it has none."""
    from dataclasses import replace

    import pandas as pd

    if side.sample_id is not None:
        return side
    numbers = pd.Series([f"row {i + 1}" for i in range(len(side))], index=side.other.index)
    return replace(side, sample_id=numbers)


def tell(
    record: Recalibration, results: tuple[AuditResult, AuditResult], place: Path, *, as_json: bool
) -> None:
    """Print what was fitted, and the values before and after."""
    from rich.console import Console
    from rich.table import Table as Lines

    from audit.record import record_text
    from reports.format import group_label, row_estimate

    if as_json:
        typer.echo(record_text(record), nl=False)
        return
    console = Console(stderr=False)
    shown = Lines(box=None, header_style="bold")
    for head in ("metric", "group", *SIDES):
        shown.add_column(head)
    before, after = results
    for metric in _shown(record, before, after):
        units = after.spec.metrics[metric].unit
        for row in after.metrics:
            if row.metric != metric or len(row.group) > 1:
                continue
            same = [r for r in before.metrics if (r.metric, r.group) == (metric, row.group)]
            first = row_estimate(same[0], units) if same else ""
            shown.add_row(metric, group_label(row.group), first, row_estimate(row, units))
    console.print(shown)
    for remark in record.remarks:
        console.print(f"note: {remark}", markup=False)
    console.print(f"recalibration: {place / 'recalibration.json'}", markup=False, soft_wrap=True)


def _shown(record: Recalibration, *results: AuditResult) -> list[str]:
    """The metrics that a recalibration of this kind is about."""
    wanted = {
        "expression": ("confidence_bias", "squared_ce", "ece", "nll", "accuracy"),
        "age": ("mae", "bias", "slope", "crps", "coverage_90"),
    }[record.task]
    stated = [name for name in results[1].spec.metrics if name.startswith("stated_")]
    known = {m.metric for result in results for m in result.metrics if m.value is not None}
    chosen = [*stated] if record.method == "conformal" else [*wanted]
    return [name for name in chosen if name in known and name in results[1].spec.metrics]

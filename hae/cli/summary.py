"""The short answer of an audit, as data: what ``evaluate --json`` prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from audit.result import AuditResult
from audit.rows import MetricRow, RangeGap
from reports.lookup import headline, metric_row, range_gap


def overall(result: AuditResult) -> MetricRow | None:
    """The headline metric over everyone."""
    metric = headline(result)
    return metric_row(result, metric, {}) if metric else None


def worst_and_best(result: AuditResult) -> list[RangeGap]:
    """The headline metric's largest gap, one for each attribute combination that has one."""
    metric = headline(result)
    found = [range_gap(result, metric, names) for names in result.spec.combinations if metric]
    return [gap for gap in found if gap is not None]


def as_dict(result: AuditResult, out: Path) -> dict[str, Any]:
    """Summarise an audit in the record's own names; the files are named as the command saw them."""
    row = overall(result)
    files = ("predictions.parquet", "audit.json", "report.html")
    return {
        "model": result.run.model,
        "data": result.run.data,
        "simulated": result.run.simulated,
        "task": result.task,
        "overall": row.model_dump(by_alias=True, mode="json") if row else None,
        "gaps": [gap.model_dump(by_alias=True, mode="json") for gap in worst_and_best(result)],
        "warnings": [warning.model_dump(mode="json") for warning in result.warnings],
        "files": {name: str(out / name) for name in files},
    }


def print_json(content: object) -> None:
    """Print JSON on stdout, in ASCII where that is all it takes."""
    whole = "utf" in (sys.stdout.encoding or "").lower()
    typer.echo(json.dumps(content, indent=1, ensure_ascii=not whole, allow_nan=False))

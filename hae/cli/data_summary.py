"""The short answer of a data set audit: for a terminal, and as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.result import AuditResult
from audit.rows import MetricRow
from hae.cli.terminal import MARKS
from reports.data_set.lookup import (
    beside_chance,
    everyone,
    extremes,
    labels_of,
    rows_of,
    share_of,
    statistic,
)
from reports.format import combination_label, faces, group_label, number, people

FILES = ("audit.json", "report.html")
OVER_ALL = ("evenness", "tv_reference", "drift_tv")


def as_dict(result: AuditResult, out: Path) -> dict[str, Any]:
    """Summarise an audit in the record's own names."""
    names = ("share", "representation_ratio", "near_duplicates", "unread_images", "same_bytes",
             "shared_people", "shared_photos", "shared_images")  # fmt: skip
    kept = {*OVER_ALL, *(f"cramers_v_corrected_{label}" for label in labels_of(result))}
    return {
        "data": result.run.model,
        "simulated": result.run.simulated,
        "task": result.task,
        "metrics": [_plain(row) for row in result.metrics if row.metric in names],
        "fairness": [_plain(row) for row in result.fairness if row.metric in kept],
        "warnings": [warning.model_dump(mode="json") for warning in result.warnings],
        "files": {name: str(out / name) for name in FILES},
    }


def _plain(row: Any) -> Any:
    return row.model_dump(by_alias=True, mode="json")


def print_data(result: AuditResult, out: Path) -> None:
    """Print who is least and most in the data, what the labels tell, and what to beware of."""
    console = Console(highlight=False)
    whole = everyone(result, "share")
    who = faces(whole.n) if whole else "no faces"
    if whole and result.spec.unit_of_resampling == "person":
        who += f" of {people(whole.n_subjects)}"
    console.print(f"[bold]{escape(result.run.model)}[/]: {who}")
    if result.spec.combinations:
        console.print(_table(result))
    for line in _lines(result):
        console.print(escape(line))
    order = list(MARKS)
    for warning in sorted(result.warnings, key=lambda found: order.index(found.severity)):
        where = f" ({warning.where})" if warning.where else ""
        console.print(f"{MARKS[warning.severity]}: {escape(warning.message + where)}")
    console.print(f"report: {out / FILES[1]}", markup=False, soft_wrap=True)


def _table(result: AuditResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("by", "least [95 %]", "most [95 %]", "evenness"):
        table.add_column(name, overflow="fold")
    for names in result.spec.combinations:
        ends = extremes(rows_of(result, "share", names))
        even = statistic(result, "evenness", names)
        cells = ["", ""] if ends is None else [_end(row) for row in ends]
        table.add_row(
            escape(combination_label(names)), *cells, number(even.value if even else None)
        )
    return table


def _end(row: MetricRow) -> str:
    return escape(f"{group_label(row.group)} {share_of(row)}")


def _lines(result: AuditResult) -> list[str]:
    """What the labels tell, the distance to a reference and to another data set."""
    lines = []
    for names in result.spec.combinations:
        by = combination_label(names)
        for label in labels_of(result):
            row = statistic(result, f"cramers_v_corrected_{label}", names)
            if row is not None and row.value is not None:
                lines.append(f"{label} and {by}: Cramer's V {beside_chance(row)}")
        far = statistic(result, "tv_reference", names)
        if far is not None and far.value is not None:
            ends = extremes(rows_of(result, "representation_ratio", names))
            text = f"reference by {by}: total variation {beside_chance(far)}"
            if ends is not None:
                text += f"; {_end(ends[0])} to {_end(ends[1])} of their shares there"
            lines.append(text)
        drift = statistic(result, "drift_tv", names)
        if drift is not None:
            lines.append(f"drift by {by}: total variation {beside_chance(drift)}")
    return lines

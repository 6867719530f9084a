"""The short answer of a comparison: for a terminal, and as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from audit.comparison import Comparison, GapChange, PairedRow
from audit.verdict import settled
from reports.compared.lookup import LARGEST, combinations, gaps_of, headline, others, overall
from reports.compared.words import change_words, from_to, gap_sides, verdict_words, what, where
from reports.format import combination_label, metric_title, plural

FILES = ("comparison.json", "comparison.html")
MOST = 8


def as_dict(result: Comparison, out: Path) -> dict[str, Any]:
    """Summarise a comparison in the record's own names."""
    metric = headline(result)
    rows = _overall(result) if metric else []
    gaps = _gaps(result) if metric else []
    sure = _settled(result)
    return {
        "task": result.task,
        "baseline": result.spec.baseline,
        "scope": result.spec.scope,
        "missing": result.spec.missing,
        "runs": [run.model_dump(exclude={"run"}, mode="json") for run in result.runs],
        "overall": [row.model_dump(by_alias=True, mode="json") for row in rows],
        "largest_gaps": [row.model_dump(by_alias=True, mode="json") for row in gaps],
        "settled": [row.model_dump(by_alias=True, mode="json") for row in sure],
        "pareto": [point.model_dump(mode="json") for point in result.pareto],
        "warnings": [warning.model_dump(mode="json") for warning in result.warnings],
        "files": {name: str(out / name) for name in FILES},
    }


def print_comparison(result: Comparison, out: Path) -> None:
    """Print who is better overall, what becomes of the largest gaps, and what is settled."""
    from hae.cli.terminal import MARKS

    console = Console(highlight=False)
    base = result.spec.baseline
    console.print(f"[bold]{escape(f'{result.task}: compared with {base}')}[/]")
    console.print(f"{escape(result.spec.scope)}")
    metric = headline(result)
    if metric is None:
        console.print("no metric has a value in any run; see the notes in the record")
    else:
        console.print(_table(result, metric))
        for line in _sure_lines(result):
            console.print(escape(line))
    order = list(MARKS)
    for warning in sorted(result.warnings, key=lambda found: order.index(found.severity)):
        place = f" ({warning.where})" if warning.where else ""
        console.print(f"{MARKS[warning.severity]}: {escape(warning.message + place)}")
    console.print(f"report: {out / FILES[1]}", markup=False, soft_wrap=True)


def _overall(result: Comparison) -> list[PairedRow]:
    metric = headline(result)
    found = [overall(result, metric, run) for run in others(result)] if metric else []
    return [row for row in found if row is not None]


def _gaps(result: Comparison) -> list[GapChange]:
    metric = headline(result)
    return [
        row
        for run in others(result)
        for names in combinations(result)
        for row in (gaps_of(result, metric, run, names, LARGEST) if metric else [])
    ]


def _settled(result: Comparison) -> list[PairedRow | GapChange]:
    rows: list[PairedRow | GapChange] = [
        *result.paired,
        *(row for row in result.gaps if row.kind not in LARGEST),
    ]
    return sorted(
        (row for row in rows if settled(row)), key=lambda row: (row.p_adjusted or 0, row.p or 0)
    )


def _table(result: Comparison, metric: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("run", metric_title(metric), "from -> to", "change [95 %]", "verdict"):
        table.add_column(name, overflow="fold")
    for run in others(result):
        row = overall(result, metric, run)
        if row is not None:
            table.add_row(escape(run), "everyone", *_cells(result, row))
        for names in combinations(result):
            for gap in gaps_of(result, metric, run, names, LARGEST):
                sides = f": {gap_sides(result, gap)}" if gap.a and gap.b else ""
                label = f"gap by {combination_label(names)}{sides}"
                table.add_row("", escape(label), *_cells(result, gap))
    return table


def _cells(result: Comparison, row: PairedRow | GapChange) -> tuple[str, str, str]:
    if row.value is None:
        return "", "", "not compared"
    return from_to(result, row), change_words(result, row, word=False), escape(verdict_words(row))


def _sure_lines(result: Comparison) -> list[str]:
    sure = _settled(result)
    tested = {
        (r.run_b, r.family) for r in (*result.paired, *result.gaps) if r.p_adjusted is not None
    }
    families = plural(len(tested), "{n} family of tests", "{n} families of tests")
    if not sure:
        return [f"no difference holds for its family ({families})"]
    shown = plural(len(sure), "{n} difference", "{n} differences")
    lines = [f"{shown} hold for their family ({families}); the surest:"]
    for row in sure[:MOST]:
        place = f"gap {gap_sides(result, row)}" if isinstance(row, GapChange) else where(row)
        words = f"{from_to(result, row)}, {change_words(result, row, word=False)}"
        lines.append(f"  {row.run_b}: {what(row)}, {place}: {words}, {verdict_words(row)}")
    return lines

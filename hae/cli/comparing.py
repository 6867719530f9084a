"""Doing what ``compare`` was asked: read the runs, compare, write, tell."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audit.errors import InputError
from hae.cli.jobs import (
    RUNS,
    AuditOptions,
    TableOptions,
    check_place,
    columns_of,
    task_of,
    unique_names,
)
from hae.cli.record import ENGINE, run_of_table, versions

if TYPE_CHECKING:
    from audit.comparison import Comparison
    from audit.predictions import Predictions
    from audit.result import AuditResult, RunInfo

TABLE, RECORD = "predictions.parquet", "audit.json"
FILES = ("comparison.json", "comparison.html")


@dataclass(frozen=True)
class CompareOptions:
    """What is compared, and how; the fields are arguments of :func:`audit.compare.compare`."""

    baseline: str | None
    by: tuple[str, ...] | None
    missing: Literal["both", "worst"]
    n_boot: int
    seed: int
    estimand: Literal["image", "subject"]
    min_n: int
    age_bands: tuple[float, ...] | None
    max_cells: int
    margins: Mapping[str, float]
    adjust: Literal["max_t", "holm", "bh"]
    settings: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was found: its table, where it comes from, and its audit if it has one."""

    name: str
    predictions: Predictions
    info: RunInfo
    audit: AuditResult | None = None


def run_compare(
    paths: Sequence[Path],
    table: TableOptions,
    conditions: Sequence[str],
    options: CompareOptions,
    out: Path | None,
    command: str | None,
    *,
    as_json: bool,
) -> None:
    """Compare runs, write both files, and tell."""
    from hae.cli.summary import print_json
    from hae.cli.versus import as_dict, print_comparison

    place = out or RUNS / "comparison"
    check_place(place)
    runs = read_runs(paths, table, conditions, options.seed)
    result = compared(runs, options, command)
    write(result, place)
    if as_json:
        print_json(as_dict(result, place))
    else:
        print_comparison(result, place)


def read_runs(
    paths: Sequence[Path], table: TableOptions, conditions: Sequence[str], seed: int
) -> list[Run]:
    """Read every run; a condition holds for the tables that have its column.

    Raises
    ------
    InputError
        Fewer than two, two of one name, one that cannot be read, or a condition of no table.
    """
    from audit.tables import condition_column

    if len(paths) < 2:
        given = paths[0] if paths else "nothing"
        raise InputError(f"compare {given}: one run alone; give at least two")
    lost = next((path for path in paths if not path.exists()), None)
    if lost is not None:
        raise InputError(f"{lost}: no such file or folder; give a table, or a folder of evaluate")
    wanted = {condition: condition_column(condition) for condition in conditions}
    known = [{*columns_of(path), *table.mapping} if path.is_file() else set() for path in paths]
    for condition, column in wanted.items():
        if not any(column in names for names in known):
            tables = ", ".join(str(path) for path in paths if path.is_file()) or "no table"
            raise InputError(
                f"--failed-when {condition!r}: no table has a column {column!r} ({tables})"
            )
    found = []
    for name, path, names in zip(unique_names(paths), paths, known, strict=True):
        held = [condition for condition, column in wanted.items() if column in names]
        if len(held) > 1:
            raise InputError(
                f"{path}: --failed-when {held[0]!r} and {held[1]!r} both apply; give one for a "
                "table"
            )
        own = replace(table, failed_when=held[0] if held else None)
        found.append(_folder(name, path) if path.is_dir() else _table(name, path, own, seed))
    return found


def _folder(name: str, folder: Path) -> Run:
    from audit.predictions import read_predictions
    from audit.result import AuditResult

    if not (folder / TABLE).is_file():
        inside = sorted(path.parent.name for path in folder.glob(f"*/{TABLE}"))
        hint = f"; it holds the runs {', '.join(inside[:5])}: name those" if inside else ""
        raise InputError(
            f"{folder}: has no {TABLE}; give a folder that evaluate wrote, or a table{hint}"
        )
    audit = AuditResult.read(folder / RECORD)
    classes = audit.spec.classes if audit.task == "expression" else None
    table = read_predictions(folder / TABLE, task=audit.task, classes=classes)
    return Run(name, replace(table, place=str(folder / TABLE)), audit.run, audit)


def _table(name: str, path: Path, table: TableOptions, seed: int) -> Run:
    from audit.predictions import read_predictions

    found = read_predictions(
        path,
        task=table.task or task_of(path, table.mapping),
        mapping=table.mapping,
        join=table.join,
        on=table.on,
        failed_when=table.failed_when,
        logits=table.logits,
        classes=table.classes,
    )
    return Run(name, found, run_of_table(name, seed, None))


def compared(runs: Sequence[Run], options: CompareOptions, command: str | None) -> Comparison:
    """Compare runs; what is not asked for is taken from the baseline's audit, where it has one."""
    from audit.compare import compare

    first = next((run for run in runs if run.name == options.baseline), runs[0])
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    if first.audit is not None and options.by is None:
        spec = first.audit.spec
        given["by"] = [",".join(names) for names in spec.combinations]
        used = {name for names in spec.combinations for name in names}
        known = {name: spec.attributes[name].source for name in used}
        given["sources"] = {**known, **options.sources}
        given["age_bands"] = options.age_bands or spec.age_bands
    result = compare(
        {run.name: run.predictions for run in runs},
        infos={run.name: run.info for run in runs},
        command=command,
        **given,
    )
    return result.model_copy(update={"versions": versions(ENGINE)})


def write(result: Comparison, place: Path) -> None:
    """Write the record and the page."""
    from reports.comparison import write_comparison

    result.write(place / FILES[0])
    write_comparison(result, place / FILES[1])


def after_audits(
    folders: Sequence[Path], audited: AuditOptions, place: Path, command: str | None
) -> Comparison | None:
    """Compare the models of one ``evaluate``; says why not where they cannot be compared."""
    table = TableOptions(None, {}, None, None, None, None, None)
    asked = {field.name for field in fields(AuditOptions)}
    same = {f.name: getattr(audited, f.name) for f in fields(CompareOptions) if f.name in asked}
    options = CompareOptions(baseline=None, missing="both", settings={}, **same)
    try:
        result = compared(read_runs(folders, table, (), options.seed), options, command)
    except InputError as error:
        print(f"hae-audit: no comparison: {' '.join(str(error).split())}", file=sys.stderr)
        return None
    write(result, place)
    return result

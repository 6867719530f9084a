"""Two or more runs on the same faces, paired by person: the order of the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from audit.agreement import agreement_rows
from audit.align import Aligned
from audit.block import Adjust, Setting
from audit.comparison import (
    ComparedRun,
    Comparison,
    ComparisonSpec,
    GapChange,
    Missing,
    PairedRow,
)
from audit.concerns import table_warnings
from audit.errors import InputError
from audit.facts import facts_of
from audit.gap_changes import gap_changes
from audit.options import checked_options
from audit.paired_block import PairedBlock
from audit.paired_family import Resampling
from audit.paired_rows import paired_rows
from audit.paired_sums import Reading, RunSums, blocks_of
from audit.paired_tables import paired_tables
from audit.pareto import headline_of, pareto_points
from audit.predictions import Predictions
from audit.result import RunInfo
from audit.rows import Concern
from audit.seeds import check_settings, seed_rows
from audit.verdict import compared


def compare(
    runs: Mapping[str, Predictions],
    *,
    baseline: str | None = None,
    by: Sequence[str | Sequence[str]] | None = None,
    missing: Missing = "both",
    n_boot: int = 1000,
    seed: int = 0,
    estimand: Literal["image", "subject"] = "image",
    min_n: int = 30,
    age_bands: Sequence[float] | None = None,
    max_cells: int = 20_000,
    margins: Mapping[str, float] | None = None,
    adjust: Adjust = "max_t",
    settings: Mapping[str, Sequence[str]] | None = None,
    sources: Mapping[str, str] | None = None,
    infos: Mapping[str, RunInfo] | None = None,
    command: str | None = None,
) -> Comparison:
    """Compare runs on the same faces: every metric and every gap, paired by person.

    Parameters
    ----------
    runs : mapping of str to Predictions
        At least two tables with ``sample_id``, by the names that the record uses.
    baseline : str, optional
        The run that each other one is compared with; by default the first.
    by, n_boot, seed, estimand, min_n, age_bands, max_cells, adjust, sources
        As in :func:`audit.run.audit`.
    missing : {"both", "worst"}
        Faces that a run did not process: errors are compared on the faces that both processed; or
        a failure counts as wrong, and metrics for which a failure has no value are left out.
    margins : mapping, optional
        Metric -> the largest difference, in the unit of the metric, that would not matter. Without
        one, runs can be better or worse but never equivalent.
    settings : mapping, optional
        Name -> at least 5 runs that differ in their seed alone: a random effect.
    infos : mapping, optional
        Run -> where its numbers come from.
    command : str, optional
        What was typed, for the record.

    Returns
    -------
    Comparison
        The record. It holds for these checkpoints; what another training would give it cannot say.

    Raises
    ------
    InputError
        With place, rule, value and remedy; runs of different faces or labels are refused.
    """
    options = checked_options(
        n_boot=n_boot,
        seed=seed,
        estimand=estimand,
        min_n=min_n,
        age_bands=age_bands,
        max_cells=max_cells,
        margins=margins,
        adjust=adjust,
        sources=sources,
    )
    names = _in_order(runs, baseline)
    check_settings(settings or {}, names)
    if missing not in get_args(Missing):
        raise InputError(f"--missing {missing!r}: must be one of {', '.join(get_args(Missing))}")
    tables = paired_tables({name: runs[name] for name in names}, by, options)
    aligned, reading, sums, setting = tables.aligned, tables.reading, tables.sums, tables.setting
    paired, gaps = _changes(setting, sums, reading, tables.weights, missing)
    task = tables.first.table.task
    headline = headline_of(setting, task, missing)
    points = pareto_points(setting, headline, sums, reading) if headline else []
    directions = {metric.name: metric.better for metric in setting.metrics}
    spec = tables.spec(options)
    return Comparison(
        task=task,
        runs=_runs(aligned, infos or {}, settings or {}, seed),
        spec=ComparisonSpec(
            **spec.model_dump(exclude={"fairness", "margins"}),
            margins=dict(margins or {}),
            baseline=names[0],
            missing=missing,
            settings={name: list(found) for name, found in (settings or {}).items()},
        ),
        paired=compared(paired, directions, margins or {}),
        gaps=compared(gaps, directions, margins or {}),
        agreement=[
            row
            for name in names[1:]
            for row in agreement_rows((names[0], name), (tables.first, sums[name]), reading)
        ],
        pareto=points,
        seeds=seed_rows(setting, sums, settings, reading) if settings else [],
        warnings=_warnings(aligned),
        command=command,
    )


def _in_order(runs: Mapping[str, Predictions], baseline: str | None) -> list[str]:
    if len(runs) < 2:
        raise InputError(f"compare: {len(runs)} run is given; give at least two")
    first = next(iter(runs)) if baseline is None else baseline
    if first not in runs:
        raise InputError(f"--baseline {first}: no such run; choose one of {', '.join(runs)}")
    return [first, *(name for name in runs if name != first)]


def _changes(
    setting: Setting,
    sums: Mapping[str, RunSums],
    reading: Reading,
    weights: Resampling,
    missing: Missing,
) -> tuple[list[PairedRow], list[GapChange]]:
    """Each run against the first."""
    paired: list[PairedRow] = []
    gaps: list[GapChange] = []
    first, *others = sums
    for other in others:
        pair = (sums[first], sums[other])
        blocks = blocks_of(setting, (first, other), pair, reading, weights)
        left = dict(setting.impossible)
        if missing == "worst" and any(_failed(run.table) for run in pair):
            kept = tuple(m for m in setting.metrics if m.counts_failures)
            left = {m.name: left.get(m.name, "no_worst") for m in setting.metrics if m not in kept}
            blocks = [replace(block, setting=replace(setting, metrics=kept)) for block in blocks]
        paired += _left_out(blocks[0], left)
        for block in blocks:
            paired += paired_rows(block)
            if block.grouping.names:
                gaps += gap_changes(block)
    return paired, gaps


def _failed(table: Predictions) -> bool:
    return bool((table.labelled & ~table.processed).any())


def _left_out(block: PairedBlock, notes: Mapping[str, str]) -> list[PairedRow]:
    """A row of everyone, without a value, for each metric that is not compared."""
    a, b = block.names
    return [
        PairedRow(
            metric=name,
            group={},
            run_a=a,
            run_b=b,
            family=f"{name}/everyone",
            value=None,
            n=0,
            n_subjects=0,
            note=note,
        )
        for name, note in notes.items()
    ]


def _runs(
    aligned: Aligned,
    infos: Mapping[str, RunInfo],
    settings: Mapping[str, Sequence[str]],
    seed: int,
) -> list[ComparedRun]:
    of_setting = {run: name for name, found in settings.items() for run in found}
    rows = []
    for i, (name, table) in enumerate(aligned.runs.items()):
        info = infos.get(name) or RunInfo(model=name, seed=seed)
        known = {(file.name, file.sha256) for file in info.files}
        more = [file for file in table.files if (file.name, file.sha256) not in known]
        rows.append(
            ComparedRun(
                name=name,
                baseline=i == 0,
                setting=of_setting.get(name),
                n_absent=int((~aligned.present[name]).sum()),
                n_failed=int((table.labelled & ~table.processed).sum()),
                run=info.model_copy(update={"files": [*info.files, *more]}),
            )
        )
    return rows


def _warnings(aligned: Aligned) -> list[Concern]:
    """What each table says of itself, once where all say it."""
    told: dict[tuple[str, str, str], list[str]] = {}
    for name, table in aligned.runs.items():
        for concern in table_warnings(facts_of(table)):
            told.setdefault((concern.code, concern.severity, concern.message), []).append(name)
        absent = int((~aligned.present[name]).sum())
        if absent:
            message = f"{absent} of {len(aligned)} faces are not in the table; they count as failed"
            told.setdefault(("faces_absent", "warning", message), []).append(name)
    everyone = list(aligned.runs)
    return [
        Concern.model_validate(
            {
                "code": code,
                "severity": severity,
                "message": message,
                "where": None if names == everyone else ", ".join(names),
            }
        )
        for (code, severity, message), names in told.items()
    ]

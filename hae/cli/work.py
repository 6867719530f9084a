"""Doing the jobs of ``evaluate``: predict or read, audit, write, tell."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from audit.errors import InputError
from hae.cli.jobs import AuditOptions, Job, TableOptions, task_of
from hae.cli.record import run_of_model, run_of_table
from hae.cli.streaming import arguments, is_streamed, stream_job

if TYPE_CHECKING:
    from audit.predictions import Predictions
    from audit.result import AuditResult, RunInfo
    from hae.adapters.predictor import Predictor
    from hae.data.core import Manifest

DONE, BAD_INPUT, PARTLY = 0, 2, 3


def run_all(
    jobs: Sequence[Job],
    table: TableOptions,
    options: AuditOptions,
    command: str | None,
    *,
    as_json: bool,
) -> int:
    """Do every job; with several, a job that fails does not stop the others.

    Returns
    -------
    int
        The exit code: 0 all done, 2 none done, 3 part of them.
    """
    from hae.cli.summary import as_dict, print_json
    from hae.cli.terminal import print_summary

    summaries, failed = [], 0
    done: list[Path] = []
    for job in jobs:
        try:
            result = run_job(job, table, options, command)
        except InputError as error:
            if len(jobs) == 1:
                raise
            failed += 1
            print(f"hae-audit: error: {job.name}: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        summaries.append(as_dict(result, job.out))
        done.append(job.out)
        if not as_json:
            print_summary(result, job.out)
    if as_json:
        print_json(summaries if len(jobs) > 1 else summaries[0])
    if len(done) > 1:
        _compare(done, options, command, quiet=as_json)
    return DONE if not failed else PARTLY if summaries else BAD_INPUT


def _compare(
    folders: Sequence[Path], options: AuditOptions, command: str | None, *, quiet: bool
) -> None:
    """Compare what was audited, beside the audits; where that cannot be it is said, and no more."""
    from hae.cli.comparing import FILES, after_audits

    place = folders[0].parent
    if after_audits(folders, options, place, command) is not None and not quiet:
        print(f"comparison: {place / FILES[1]}")


def run_job(
    job: Job, table: TableOptions, options: AuditOptions, command: str | None
) -> AuditResult:
    """Do one job and write its three files."""
    from audit.predictions import write_predictions
    from audit.run import audit
    from hae.parts import Parts, parts_of
    from reports.page import write_report

    if is_streamed(job, table, options):
        result = stream_job(job, table, options, command)
        result = _finished(result, options, job)
        write_report(result, job.out / "report.html")
        return result
    predictions, run, options = _predictions(job, table, options, command)
    result = audit(predictions, run=run, **arguments(options))
    out = job.out / "predictions.parquet"
    result = _finished(result, options, job)
    write_predictions(predictions, out)
    write_report(result, job.out / "report.html")
    Parts(parts_of(out)).remove()
    return result


def _finished(result: AuditResult, options: AuditOptions, job: Job) -> AuditResult:
    """Write the record, on request fit for publication or with every pair of groups beside it."""
    from audit.publish import suppress

    if options.publish_min is not None:
        result = suppress(result, options.publish_min)
    if options.pairs == "all":
        result = _with_pairs_apart(result, job.out / "gaps.csv")
    result.write(job.out / "audit.json")
    return result


def _with_pairs_apart(result: AuditResult, path: Path) -> AuditResult:
    """Write every gap as CSV; the record lists the largest of them."""
    from audit.files import write_text
    from audit.gaps import listed_pairs
    from audit.rows import Concern
    from reports.sheet import csv_text

    write_text(path, csv_text(result.to_frame("gaps")))
    listed = listed_pairs(result.gaps)
    concerns = list(result.warnings)
    if len(listed) < len(result.gaps):
        message = f"{len(listed)} of {len(result.gaps)} gaps are listed; all are in {path.name}"
        concerns.append(Concern(code="gaps_truncated", severity="info", message=message))
    return result.model_copy(update={"gaps": listed, "warnings": concerns})


def _predictions(
    job: Job, table: TableOptions, options: AuditOptions, command: str | None
) -> tuple[Predictions, RunInfo, AuditOptions]:
    from audit.predictions import read_predictions

    if job.table is None:
        return _of_model(job, table, options, command)
    predictions = read_predictions(
        job.table,
        task=table.task or task_of(job.table, table.mapping),
        mapping=table.mapping,
        join=table.join,
        on=table.on,
        failed_when=table.failed_when,
        logits=table.logits,
        classes=table.classes,
        relabels=table.relabels,
    )
    return predictions, run_of_table(job.name, options.seed, command), options


def _of_model(
    job: Job, table: TableOptions, options: AuditOptions, command: str | None
) -> tuple[Predictions, RunInfo, AuditOptions]:
    from audit.groups import attribute, attributes_of, combinations_of
    from audit.predictions import predictions_from_frame
    from audit.stated import statements
    from hae.adapters.zoo import load_model
    from hae.cli.concerns import concerns_of
    from hae.cli.progress import run_with_bar
    from hae.data.readers import read_data
    from hae.parts import parts_of
    from hae.where.face import face_concern
    from hae.where.predictor import predictor_with_where

    assert job.model is not None
    assert job.data is not None
    manifest = read_data(job.data, job.split, table.mapping)
    predictor = load_model(job.model)
    task = table.task or predictor.tasks[0]
    if task not in predictor.tasks:
        raise InputError(f"--task {task}: {predictor.name} predicts {', '.join(predictor.tasks)}")
    truth = _truth(
        manifest, predictor, task
    )  # what is wrong with the labels is said before the long work
    by = options.by or tuple(dict.fromkeys([*manifest.sources, *_usual(truth)]))
    stated = statements(options.margins, options.primary, options.policy)
    combinations = stated.combinations(combinations_of(by, truth), attributes_of(truth))
    used = {name for names in combinations for name in names}
    for name in sorted(used):
        attribute(truth, name, options.age_bands)
    known = {name: source for name, source in manifest.sources.items() if name in used}
    looking = predictor_with_where(predictor, manifest, job.face_lines) if job.where else None
    frame = run_with_bar(
        manifest,
        looking or predictor,
        parts_of(job.out / "predictions.parquet"),
        keep_probabilities=task == "age",
    )
    predictions = predictions_from_frame(frame, task=task, place=manifest.label)
    # what leaks is told by the table itself, now and when it is read again
    told = [row for row in concerns_of(manifest, predictor) if row.code != "leaky_split"]
    if looking is not None:
        told.append(face_concern(manifest.crop, looking.face, job.face_lines))
    predictions = replace(predictions, warnings=(*told, *predictions.warnings))
    run = run_of_model(manifest, predictor, options.seed, command)
    return predictions, run, replace(options, by=by, sources={**known, **options.sources})


def _usual(truth: Predictions) -> list[str]:
    """Attributes that are audited where none is named."""
    from audit.groups import combinations_of

    return [name for names in combinations_of(None, truth) for name in names]


def _truth(manifest: Manifest, predictor: Predictor, task: str) -> Predictions:
    """Read the manifest as a table without predictions, so that its labels are checked."""
    from audit.predictions import predictions_from_frame

    column = "age_pred" if task == "age" else "expression_pred"
    if task == "expression":
        _check_classes(manifest, predictor)
    frame = manifest.frame.drop(columns="path").assign(**{column: None})
    classes = predictor.classes or None
    return predictions_from_frame(frame, task=task, place=manifest.label, classes=classes)


def _check_classes(manifest: Manifest, predictor: Predictor) -> None:
    """Refuse labels that the model does not know: numbers too, for each data set has its own."""
    from audit.classes import as_classes

    if "expression" not in manifest.frame.columns:
        return  # said when the table is read
    found = as_classes(manifest.frame["expression"], manifest.label).dropna()
    strange = sorted({*found} - {*predictor.classes})
    if strange:
        raise InputError(
            f"data set {manifest.label}: its expression {strange[0]!r} is none of the model's, "
            f"which are {', '.join(predictor.classes)}; name them so in the table, or leave such "
            "faces out"
        )


def check_file_target(path: Path, option: str) -> None:
    """Refuse a folder where a file is to be written."""
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; give a file name")

"""Tables that are audited as a stream: which ones, and their files."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from audit.errors import InputError
from hae.cli.jobs import AuditOptions, Job, TableOptions, task_of
from hae.cli.record import run_of_table

if TYPE_CHECKING:
    from audit.result import AuditResult

STREAM_ROWS = 2_000_000


def arguments(options: AuditOptions) -> dict[str, Any]:
    """The options as arguments of :func:`audit.run.audit`."""
    names = [field.name for field in fields(options) if field.name != "publish_min"]
    return {name: getattr(options, name) for name in names}


def is_streamed(job: Job, table: TableOptions, options: AuditOptions) -> bool:
    """Whether a job is a table that is read in parts: on request, or when it is long Parquet.

    Raises
    ------
    InputError
        ``--stream yes`` with what needs the whole table.
    """
    if table.stream == "no" or job.table is None:
        return False
    needed = {
        "--join": table.join is not None,
        "--relabels": table.relabels is not None,
        "--gate": bool(options.gates),
        "--reference": options.reference is not None,
        "--permute-within": options.permute_within is not None,
    }
    whole = [name for name, given in needed.items() if given]
    if table.stream == "yes" and whole:
        raise InputError(f"--stream yes: {whole[0]} needs the whole table; leave one of them out")
    return table.stream == "yes" or (not whole and _rows(job) > STREAM_ROWS)


def _rows(job: Job) -> int:
    """Rows of a Parquet table; 0 where it is none or cannot be read, which its reader reports."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from audit.tables import is_parquet

    assert job.table is not None
    try:
        return int(pq.read_metadata(job.table).num_rows) if is_parquet(job.table) else 0
    except (OSError, pa.ArrowException):
        return 0


def stream_job(
    job: Job, table: TableOptions, options: AuditOptions, command: str | None
) -> AuditResult:
    """Audit a table in parts and write its predictions in the contract's columns beside."""
    from audit.stream import audit_file

    assert job.table is not None
    given: dict[str, Any] = {
        "task": table.task or task_of(job.table, table.mapping),
        "mapping": table.mapping,
        "failed_when": table.failed_when,
        "logits": table.logits,
        "classes": table.classes,
    }
    run = run_of_table(job.name, options.seed, command)
    out = job.out / "predictions.parquet"
    return audit_file(job.table, run=run, copy_to=out, **given, **arguments(options))

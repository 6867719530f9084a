"""``hae-audit report``: the page from the record alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hae.cli.flags import PublishMin


def report(
    record: Annotated[Path, typer.Argument(metavar="AUDIT.json", help="The record of an audit.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: report.html beside the record.")
    ] = None,
    publish_min: PublishMin = None,
) -> None:
    """Render the report of an audit again, for publication if asked."""
    from audit.publish import suppress
    from audit.result import AuditResult
    from hae.cli.work import check_file_target
    from reports.page import write_report

    target = out or record.with_name("report.html")
    check_file_target(target, "--out")
    result = AuditResult.read(record)
    write_report(result if publish_min is None else suppress(result, publish_min), target)
    typer.echo(str(target))

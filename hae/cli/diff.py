"""``hae-audit diff``: what changed between two records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from audit.changes import AuditDiff


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The older record.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The newer record.")],
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON on stdout.")] = False,
) -> None:
    """List what changed between two audits; it tests nothing and always ends with 0."""
    from audit.diff import diff as difference
    from audit.result import AuditResult
    from hae.cli.summary import print_json

    found = difference(AuditResult.read(old), AuditResult.read(new))
    if json:
        print_json(found.model_dump(by_alias=True, mode="json"))
    else:
        _print(found)


def _print(found: AuditDiff) -> None:
    from reports.changes import lines

    for line in lines(found):
        typer.echo(line)

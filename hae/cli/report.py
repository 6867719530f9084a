"""``hae-audit report``: the page from the record alone, and the record in other formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hae.cli.flags import PublishMin


def report(
    record: Annotated[
        Path, typer.Argument(metavar="RECORD.json", help="A record of any kind: audit.json, ...")
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="A,B,...", help="Of html, md, csv, card and pdf.")
    ] = "html",
    plotly: Annotated[
        Literal["inline", "directory", "cdn", "none"],
        typer.Option(help="Where figures come from: the page, a file beside it, the net, nowhere."),
    ] = "inline",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page; other formats stand beside it. Default: beside the record, "
            "report.html for audit.json, else the record's name.",
        ),
    ] = None,
    language: Annotated[
        Literal["en", "zh"], typer.Option(help="Of the page: English or Simplified Chinese.")
    ] = "en",
    publish_min: PublishMin = None,
    faces: Annotated[
        int, typer.Option(min=0, max=100, metavar="N", help="Add the N largest errors as pictures.")
    ] = 0,
    predictions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For --faces: the table of the audit.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME:ROOT", help="For --faces: where the images are.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="For --faces: part of the data set.")] = None,
    faces_consent: Annotated[
        bool, typer.Option("--faces-consent", help="You state that the people agreed to be shown.")
    ] = False,
    faces_plain: Annotated[
        bool, typer.Option("--faces-plain", help="Not blurred: they agreed to be recognised, too.")
    ] = False,
) -> None:
    """Render any record again, for publication if asked.

    Pages hold no face unless --faces asks for the largest errors, for which the people must have
    agreed (--faces-consent); they are small and blurred, under a banner.
    """
    from audit.errors import InputError
    from audit.publish import suppress
    from audit.result import AuditResult
    from hae.cli.jobs import check_place
    from hae.cli.work import check_file_target
    from reports.kinds import read_any
    from reports.write import write_formats

    name = "report.html" if record.stem == "audit" else f"{record.stem}.html"
    target = out or record.with_name(name)
    check_file_target(target, "--out")
    check_place(target.parent)
    kind, found = read_any(record)
    if publish_min is not None:
        if not isinstance(found, AuditResult):
            raise InputError(f"--publish-min: is for audits; {record.name} is a {kind.name}")
        found = suppress(found, publish_min)
    shown = None
    if faces:
        from hae.cli.shown import shown_faces

        shown = shown_faces(found, faces, predictions, data, split,
                            consent=faces_consent, plain=faces_plain)  # fmt: skip
    formats = [part.strip() for part in format_.split(",") if part.strip()]
    extra = {} if shown is None else {"shown": shown}
    for path in write_formats(kind, found, record, target, formats, plotly, language, **extra):
        typer.echo(str(path))

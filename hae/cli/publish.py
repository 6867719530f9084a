"""``hae-audit publish`` and ``hae-audit view``: a static site of records, and a look at it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

PARTLY = 3


def publish(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN ...", help="Folders with records, or records.")
    ],
    site: Annotated[Path, typer.Option(metavar="DIR", help="The site; made if it is not there.")],
    release: Annotated[
        str | None, typer.Option(help="Name in a trend; default: the folder of each record.")
    ] = None,
    date: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Date of publication; default: today.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the site.")] = None,
    url: Annotated[
        str | None, typer.Option(help="Where the site will stand; the feed links there.")
    ] = None,
    language: Annotated[
        Literal["en", "zh"] | None,
        typer.Option(help="Of what is published from now on: English or Simplified Chinese."),
    ] = None,
) -> None:
    """Add records to a static site: index, a page each, trends, JSON and an Atom feed.

    What is published stays byte for byte. A broken or foreign record is listed with its error, the
    rest is built, and the exit code is 3.
    """
    from hae.cli.jobs import check_place
    from hae.cli.options import date_of
    from reports.site.build import publish as build

    check_place(site, "--site")
    done = build(runs, site, date=date_of(date), release=release, title=title, url=url,
                 language=language)  # fmt: skip
    for entry in done.added:
        typer.echo(str(site / "pages" / f"{entry.id}.html"))
    for one in done.failed:
        typer.echo(f"hae-audit: error: {one.name}: {one.error}", err=True)
    typer.echo(str(site / "index.html"))
    if done.failed:
        raise typer.Exit(PARTLY)


def view(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A site, or a folder with runs below it.")
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    language: Annotated[
        Literal["en", "zh"],
        typer.Option(help="Of pages of runs: English or Simplified Chinese; a site keeps its own."),
    ] = "en",
) -> None:
    """Show a site, or the runs below a folder, on this machine only; follows changed records."""
    from audit.errors import InputError
    from reports.site.view import serve

    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give a site, or a folder with runs")
    with serve(folder, port, language) as server:
        host, number = server.server_address[:2]
        typer.echo(f"http://{host!s}:{number}/ (Ctrl-C ends)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return

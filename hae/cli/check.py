"""``hae-audit data check``: what is in a data set, and what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hae.cli.evaluate import DATA_HELP

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from hae.data.checks.images import Scan
    from hae.data.checks.record import Count, DataCheck
    from hae.data.core import Manifest

Option = typer.Option


def data_check(
    data: Annotated[str, typer.Argument(metavar="NAME:ROOT", help=DATA_HELP)],
    split: Annotated[str | None, Option(help="Only this part of the data set.")] = None,
    near: Annotated[
        int | None, Option(min=0, max=64, help="Bits of 256 in which copies differ; default 32.")
    ] = None,
    images: Annotated[
        bool, Option("--images/--no-images", help="Read every image; else the labels alone.")
    ] = True,
    map_: Annotated[
        list[str] | None,
        Option("--map", metavar="OURS=THEIRS", help="Our name for a column: path=img."),
    ] = None,
    json: Annotated[bool, Option("--json", help="The record as JSON on stdout.")] = False,
) -> None:
    """Count a data set beside its published counts; find damage, doubles, leaks, contradictions.

    What it finds is no error: the command ends with 0 when the data set could be read.
    """
    from audit.errors import InputError
    from hae.cli.options import pairs_of
    from hae.cli.summary import print_json
    from hae.data.checks.images import stray_files
    from hae.data.checks.run import check_data
    from hae.data.readers import READERS, read_data

    if near is not None and not images:
        raise InputError("--near: compares images; leave it or --no-images out")
    manifest = read_data(data, split, pairs_of(map_, "--map", "OURS=THEIRS"))
    scan = scanned(manifest, near) if images else None
    counts = READERS[data.partition(":")[0]].counts
    found = check_data(manifest, counts, scan, stray_files(manifest, whole=split is None))
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        print_check(found)


def scanned(manifest: Manifest, near: int | None) -> Scan:
    """Read and compare every image, with bars; ``near`` is how many bits of copies may differ."""
    from hae.cli.progress import bars
    from hae.data.checks.images import scan
    from hae.data.splits.duplicates import NEAR

    with bars(transient=True) as bar:
        read = bar.add_task("reading images", total=len(manifest))
        compared = bar.add_task("comparing", total=len(manifest))
        return scan(
            manifest,
            NEAR if near is None else near,
            lambda done: bar.advance(read, done),
            lambda done: bar.advance(compared, done),
        )


def print_check(found: DataCheck) -> None:
    """Print a check for a person: counts, images, leaks, and what to beware of, worst first."""
    from rich.console import Console
    from rich.markup import escape

    from hae.cli.terminal import MARKS

    console = Console(highlight=False)
    people = f" of {found.people:,} people" if found.people else ""
    console.print(f"[bold]{escape(found.data)}[/]: {found.faces:,} faces{people}")
    console.print(f"crop: {escape(found.crop)}")
    console.print(f"terms: {escape(found.terms or 'not stated')}")
    if found.made:
        console.print(f"made: {escape(found.made)}")
    for part in dict.fromkeys(count.part for count in found.counts):
        of_part = [count for count in found.counts if count.part == part]
        title = f"split {part}" if part else "all faces"
        console.print()
        console.print(_counts(title, of_part))
    console.print()
    for line in _lines(found):
        console.print(line, markup=False)
    console.print()
    for one in found.findings:
        console.print(f"{MARKS[one.severity]}: {escape(one.message)}")
    _print_end(console, found)


def _counts(title: str, counts: list[Count]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    published = any(count.published is not None for count in counts)
    total = next(count.found for count in counts if count.group == "usable")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column(escape(title), overflow="fold")
    for name in ("found", "share", *(("published", "difference") if published else ())):
        table.add_column(name, justify="right")
    for count in counts:
        name, _, value = count.group.partition("=")
        share = f"{100 * count.found / total:.1f} %" if total and value else ""
        cells = [f"{count.found:,}", share]
        if count.published is not None:
            differs = count.found - count.published
            cells += [f"{count.published:,}", f"{differs:+,}" if differs else "0"]
        table.add_row(escape(f"{name} {value}" if value else count.group), *cells)
    return table


def _lines(found: DataCheck) -> list[str]:
    """The rest of what was counted, in lines."""
    from reports.format import faces, plural

    lines = []
    if found.youngest is not None:
        oldest = "an open band" if found.oldest is None else f"{found.oldest:g} years"
        lines.append(f"ages: {found.youngest:g} to {oldest}")
    if found.missing:
        gaps = ", ".join(f"{name} {n:,}" for name, n in found.missing.items())
        lines.append(f"empty cells: {gaps}")
    lines += [f"{n:,} x {why}" for why, n in found.failed.items()]
    images = found.images
    if images is None:
        lines.append("images: not read (--no-images)")
    else:
        lines.append(
            f"images: {images.read:,} read, {sum(images.unreadable.values()):,} unreadable"
        )
        lines += [f"  {n:,} x {why}" for why, n in list(images.unreadable.items())[:8]]
        same = plural(images.same_bytes, "{n} file", "{n} files")
        pairs = plural(images.pairs, "{n} pair", "{n} pairs")
        groups = plural(images.groups, "{n} group", "{n} groups")
        lines.append(
            f"copies: {same} byte for byte; near-duplicates: {pairs}, {groups} of "
            f"{faces(images.faces)}"
        )
    return lines + [str(leak) for leak in found.leaks]


def _print_end(console: Console, found: DataCheck) -> None:
    from collections import Counter

    from reports.format import plural

    n = Counter(one.severity for one in found.findings)
    warnings = plural(n["warning"], "{n} warning", "{n} warnings")
    notes = plural(n["info"], "{n} note", "{n} notes")
    console.print(f"{n['serious']} serious, {warnings}, {notes}; these are findings, no errors")

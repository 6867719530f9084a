"""``hae-audit data split``: a data set divided by a protocol, as tables that ``--data`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hae.cli.evaluate import DATA_HELP

if TYPE_CHECKING:
    from hae.data.core import Manifest
    from hae.data.splits.divide import Divided, Units

Option = typer.Option
Protocol = Literal["ratio", "se", "rs", "lopo", "bench5", "official"]

UNDRAWN = ("lopo", "official")
"""Protocols that leave nothing to chance."""


def data_split(
    data: Annotated[str, typer.Argument(metavar="NAME:ROOT", help=DATA_HELP)],
    out: Annotated[Path, Option(metavar="FILE.csv", help="The table; folds are FILE-fold0.csv...")],
    protocol: Annotated[
        Protocol,
        Option(
            help="ratio: by person; se: the same, 80/20, everybody known; rs: by image, leaky; "
            "lopo: leave one person out; bench5: five folds; official: the set's own column."
        ),
    ] = "ratio",
    shares: Annotated[
        str | None,
        Option(metavar="A,B[,C]", help="Of train,test or train,val,test; default 0.8,0.2."),
    ] = None,
    seed: Annotated[int, Option(min=0, max=2**31 - 1, help="Another seed, another split.")] = 0,
    strata: Annotated[
        str | None,
        Option(
            metavar="A,B,...", help="Columns; default: gender,race,age as far as there; or none."
        ),
    ] = None,
    near: Annotated[
        int | None, Option(min=0, max=64, help="Bits of 256 in which copies differ; default 32.")
    ] = None,
    split: Annotated[str | None, Option(help="Divide only this part of the data set.")] = None,
    map_: Annotated[
        list[str] | None,
        Option("--map", metavar="OURS=THEIRS", help="Our name for a column: path=img."),
    ] = None,
) -> None:
    """Divide a data set, by person; print who is on both sides.

    Where a face has no person, all images are read once and the near-duplicates stay together.

    Writes a table with the column split, and its card: --data manifest:FILE.csv --split train.
    """
    from audit.errors import InputError
    from hae.cli.options import names, pairs_of
    from hae.data.readers import read_data
    from hae.data.splits.divide import PUBLISHED, strata_names
    from hae.data.splits.duplicates import NEAR
    from hae.predict import check_images

    _check_target(out)
    if shares is not None and protocol != "ratio":
        raise InputError(f"--shares {shares}: goes with --protocol ratio; {protocol} has its own")
    if strata is not None and protocol in UNDRAWN:
        raise InputError(f"--strata {strata}: --protocol {protocol} draws nothing; leave it out")
    parts = PUBLISHED if shares is None else _shares(shares)
    manifest = read_data(data, split, pairs_of(map_, "--map", "OURS=THEIRS"))
    if manifest.images is not None:
        raise InputError(
            f"data set {manifest.label}: its images lie in no files that a table could name; "
            "divide a data set before it is packed, and drawn faces and those in the cells of a "
            "fer2013.csv by their own --split"
        )
    check_images(manifest)
    asked = () if strata == "none" else names(strata)
    by = strata_names(manifest.frame, asked)  # what is wrong is said before the long work
    units = _units(manifest, NEAR if near is None else near)
    tables = _tables(units, protocol, parts, by, seed)
    paths = _write(tables, out)
    for line in _said(units, tables, paths):
        typer.echo(line)


def _check_target(out: Path) -> None:
    from audit.errors import InputError
    from hae.cli.work import check_file_target

    check_file_target(out, "--out")
    if out.suffix.lower() != ".csv":
        raise InputError(f"--out {out}: must end in .csv")


def _shares(text: str) -> tuple[float, ...]:
    from audit.errors import InputError
    from hae.cli.options import numbers

    found = numbers(text, "--shares") or ()
    if len(found) not in (2, 3) or not all(share > 0 for share in found):
        raise InputError(
            f"--shares {text}: must be two or three shares above 0: train,test or train,val,test"
        )
    if abs(sum(found) - 1) > 1e-9:
        raise InputError(f"--shares {text}: sum to {sum(found):g}, must be 1")
    return found


def _units(manifest: Manifest, near: int) -> Units:
    from hae.cli.progress import bars
    from hae.data.splits.divide import units_of

    with bars(transient=True) as bar:
        read = bar.add_task("reading images", total=len(manifest), visible=False)
        compared = bar.add_task("comparing", total=len(manifest), visible=False)
        return units_of(
            manifest,
            near,
            lambda done: bar.update(read, advance=done, visible=True),
            lambda done: bar.update(compared, advance=done, visible=True),
        )


def _tables(
    units: Units, protocol: Protocol, shares: Sequence[float], by: Sequence[str], seed: int
) -> list[Divided]:
    """The tables, each with words on how it was made."""
    from dataclasses import replace

    from hae.data.splits.divide import divided, official, strata_of
    from hae.data.splits.folds import bench5, lopo

    strata = strata_of(units.manifest.frame, by)
    if protocol == "official":
        tables = [official(units)]
    elif protocol == "lopo":
        tables = lopo(units)
    elif protocol == "bench5":
        tables = bench5(units, strata, seed)
    else:
        tables = [divided(units, protocol, shares, strata, seed)]
    said = f", stratified by {', '.join(by)}" if by else ", not stratified"
    said = "" if protocol in UNDRAWN else said
    before = units.manifest.made
    said += f"; of {units.manifest.label}" if units.manifest.split else ""
    said += f"; before: {before}" if before else ""
    return [replace(table, made=table.made + said) for table in tables]


def _write(tables: Sequence[Divided], out: Path) -> list[Path]:
    """Write all tables and cards or none; a file of other content is not overwritten."""
    from audit.errors import InputError
    from hae.data.card import card_path
    from hae.data.manifest import write_manifest

    width = len(str(len(tables) - 1))
    paths = [
        out
        if table.fold is None
        else out.with_name(f"{out.stem}-fold{table.fold:0{width}}{out.suffix}")
        for table in tables
    ]
    written: list[tuple[Path, Path]] = []
    try:
        for table, path in zip(tables, paths, strict=True):
            new = path.with_name(f".{path.name}.new")
            written += [(new, path), (card_path(new), card_path(path))]
            write_manifest(table.manifest, new, table.made, table.leaky)
        for new, path in written:
            if path.is_dir() or (path.exists() and path.read_bytes() != new.read_bytes()):
                raise InputError(
                    f"--out {out}: {path} exists with other content; delete it with its card, or "
                    "give another name"
                )
        for new, path in written:
            new.replace(path)
    finally:
        for new, _ in written:
            new.unlink(missing_ok=True)
    return paths


def _said(units: Units, tables: Sequence[Divided], paths: Sequence[Path]) -> list[str]:
    """What was done, in lines."""
    n = len(units.manifest)
    leaky = tables[0].leaky
    made = tables[0].made.replace(f", fold 0 of {len(tables)}", f", {len(tables)} folds")
    lines = [f"{units.manifest.label}: {n:,} faces, {made}"]
    if units.nameless:
        lines.append(
            f"{units.nameless:,} faces have no person: subject-exclusive impossible; "
            f"{units.copies:,} of them are copies of others and stay together"
        )
    if units.joined and not any(leak.shared for table in tables for leak in table.leaks):
        lines.append(
            f"{units.joined:,} faces share an image file with another's, and so their part"
        )
    if units.unread:
        lines.append(f"{units.unread:,} images cannot be read; data check says why")
    lines += _parts(tables[0]) if len(tables) == 1 else _folds(tables)
    if leaky:
        lines += [f"already before: {leaky['']}"] if "" in leaky else []
        lines.append("leaky: every audit of this table will say so")
    named = f"{paths[0]}" if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
    lines.append(f"{named}: read with --data manifest:{paths[0]} --split train")
    return lines + (["data pool makes one table of their predictions"] if len(paths) > 1 else [])


def _parts(table: Divided) -> list[str]:
    from hae.data.splits.leaks import SPLIT, texts

    split = texts(table.manifest.frame, SPLIT)
    lines = [
        f"  {name or 'no part':10} {count:>9,}  {100 * count / len(split):5.1f} %"
        + ("" if name else "  (their labels cannot be used)")
        for name, count in split.value_counts().items()
    ]
    return lines + [str(leak) for leak in table.leaks]


def _folds(tables: Sequence[Divided]) -> list[str]:
    """Sizes of the folds, and the leaks of all of them together."""
    from collections import Counter

    import numpy as np

    from audit.data_set.copies import Shared
    from hae.data.splits.leaks import SPLIT, texts

    splits = [texts(table.manifest.frame, SPLIT) for table in tables]
    names = [name for name in ("train", "val", "test") if (splits[0] == name).any()]
    lines = []
    for name in names:
        sizes = [int((split == name).sum()) for split in splits]
        range_ = "" if min(sizes) == max(sizes) else f" to {max(sizes):,}"
        lines.append(f"  {name:10} {min(sizes):>9,}{range_} faces a fold")
    tested = Counter(np.sum([split == "test" for split in splits], axis=0).tolist())
    words = {0: "never", 1: "once", 2: "twice"}
    times = ", ".join(f"{tested[n]:,} {words.get(n, f'{n} times')}" for n in sorted(tested))
    lines.append(f"  faces tested: {times}")
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for leak in (leak for table in tables for leak in table.leaks):
        pair = leak.part, leak.other, leak.word
        faces, shared = sums.get(pair, (0, 0))
        sums[pair] = faces + leak.faces, shared + leak.shared
    return lines + [
        str(Shared(part, other, *counts, 0, word=word))
        for (part, other, word), counts in sums.items()
    ]

"""``hae-audit data audit``: who is in a data set, what its labels tell of them, what is twice."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hae.cli.evaluate import DATA_HELP
from hae.cli.flags import AgeBands, By, LabelSource, Map, MaxCells, NBoot, Seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hae.data.checks.audited import Listed

Option = typer.Option
TABLES = (".csv", ".parquet", ".pq")


def data_audit(
    ctx: typer.Context,
    data: Annotated[
        str, typer.Argument(metavar="NAME:ROOT|TABLE", help=f"{DATA_HELP} Or a table of labels.")
    ],
    split: Annotated[str | None, Option(help="Only this part of the data set.")] = None,
    by: By = None,
    reference: Annotated[
        Path | None,
        Option(metavar="FILE", help="Shares to compare with: columns gender,...,share (or count)."),
    ] = None,
    against: Annotated[
        str | None,
        Option(metavar="NAME:ROOT|TABLE", help="Another data set: how far the two are apart."),
    ] = None,
    against_split: Annotated[str | None, Option(help="Only this part of the other.")] = None,
    images: Annotated[
        bool, Option("--images/--no-images", help="Read every image; else the labels alone.")
    ] = True,
    near: Annotated[
        int | None, Option(min=0, max=64, help="Bits of 256 in which copies differ; default 32.")
    ] = None,
    map_: Map = None,
    label_source: LabelSource = None,
    age_bands: AgeBands = None,
    max_cells: MaxCells = 20_000,
    n_boot: NBoot = 1000,
    seed: Seed = 0,
    json: Annotated[bool, Option("--json", help="The short answer as JSON on stdout.")] = False,
    out: Annotated[
        Path | None, Option(metavar="DIR", help="Default: runs/ and the name of the data set.")
    ] = None,
) -> None:
    """Audit a data set before any model: representation, labels, copies, shared people, drift.

    Writes audit.json and report.html. What it finds is no error: it ends with 0.
    """
    from audit.data_set.prepare import DataOptions
    from audit.data_set.reference import read_shares
    from audit.errors import InputError
    from audit.tables import file_hash
    from hae.cli.check import scanned
    from hae.cli.data_summary import as_dict, print_data
    from hae.cli.jobs import RUNS, check_place
    from hae.cli.options import numbers, pairs_of, sources_of
    from hae.cli.record import run_of_data
    from hae.cli.summary import print_json
    from hae.data.checks.audited import audit_listed
    from reports.page import write_report

    if near is not None and not images:
        raise InputError("--near: compares images; leave it or --no-images out")
    if against_split is not None and against is None:
        raise InputError(f"--against-split {against_split}: goes with --against")
    mapping = pairs_of(map_, "--map", "OURS=THEIRS")
    faces = _listed(data, split, mapping)
    place = out or RUNS / re.sub(r"[^\w.]+", "-", faces.label).strip("-")
    check_place(place)
    shares = None if reference is None else read_shares(reference)
    other = None if against is None else _listed(against, against_split, mapping)
    options = DataOptions(
        by=by,
        sources=sources_of(label_source),
        age_bands=numbers(age_bands, "--age-bands"),
        max_cells=max_cells,
        n_boot=n_boot,
        seed=seed,
    )
    given = [*faces.files, *(other.files if other else ()), *([reference] if reference else ())]
    command = ctx.obj if isinstance(ctx.obj, str) else None
    result = audit_listed(
        faces,
        options,
        scan=partial(scanned, near=near) if images else None,
        reference=shares,
        against=other,
        run=run_of_data(faces, other, [file_hash(path) for path in given], seed, command),
    )
    result.write(place / "audit.json")
    write_report(result, place / "report.html")
    if json:
        print_json(as_dict(result, place))
    else:
        print_data(result, place)


def _listed(text: str, split: str | None, mapping: Mapping[str, str]) -> Listed:
    """A data set as every command names it, or a table that needs no images."""
    from audit.tables import read_table, rename
    from hae.data.checks.audited import Listed, listed
    from hae.data.manifest import only_split
    from hae.data.readers import READERS, read_data

    path = Path(text).expanduser()
    if text.partition(":")[0] in READERS or path.suffix.lower() not in TABLES:
        return listed(read_data(text, split, mapping))
    frame = rename(read_table(path), mapping, path.name)
    if "path" in frame.columns:
        return listed(read_data(f"manifest:{path}", split, mapping))
    if split is not None:
        frame = only_split(frame, split, path.name)
    return Listed(path.stem if split is None else f"{path.stem} {split}", frame, (path,))

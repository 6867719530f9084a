"""``hae-audit data pool``: the test predictions of several folds as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hae.cli.evaluate import DATA_HELP

if TYPE_CHECKING:
    import pandas as pd

Option = typer.Option


def data_pool(
    tables: Annotated[
        list[Path], typer.Argument(metavar="PREDICTIONS", help="Of each fold's test part.")
    ],
    out: Annotated[Path, Option(metavar="FILE.parquet", help="The table of all folds.")],
    data: Annotated[
        str | None, Option(metavar="NAME:ROOT", help=f"All faces, to count the rest. {DATA_HELP}")
    ] = None,
    repeats: Annotated[
        bool, Option("--repeats", help="Faces and people may be tested in several folds.")
    ] = False,
) -> None:
    """Pool the predictions of all folds, with a column fold; say whether each face was tested once.

    A face that was tested in several folds keeps all rows, as one person: ID@fold3, ID@fold4.
    """
    from audit.errors import InputError
    from audit.tables import read_table
    from hae.cli.work import check_file_target
    from hae.data.splits.folds import pool_folds
    from hae.parts import write_parquet

    check_file_target(out, "--out")
    if out.suffix.lower() not in (".parquet", ".pq"):
        raise InputError(f"--out {out}: must end in .parquet")
    if out.resolve() in [path.resolve() for path in tables]:
        raise InputError(f"--out {out}: is one of the tables to pool; give another name")
    everyone = None if data is None else _ids(data)
    frames = [read_table(path) for path in tables]
    pooled = pool_folds(frames, [str(path) for path in tables], repeats=repeats)
    tested = [str(name) for frame in frames for name in frame["sample_id"]]
    said = _said(tested, len(frames), everyone)
    write_parquet(pooled, out)
    typer.echo(f"{out}: {said}")
    typer.echo(f"audit it with evaluate --predictions {out}")


def _ids(data: str) -> pd.Series:
    """The faces whose label can be used, by ``sample_id``."""
    from hae.data.checks.counts import usable_rows
    from hae.data.readers import read_data

    manifest = read_data(data)
    return manifest.frame["sample_id"][usable_rows(manifest)]


def _said(tested: Sequence[str], folds: int, everyone: pd.Series | None) -> str:
    """How often each face was tested, in words."""
    from collections import Counter

    from audit.errors import InputError
    from reports.format import plural

    times = Counter(tested)
    often = Counter(times.values())
    said = (
        f"{plural(len(tested), '{n} row', '{n} rows')} of {plural(folds, '{n} fold', '{n} folds')}"
    )
    if set(often) == {1}:
        said += "; each face in it was tested once"
    else:
        said += f"; {sum(n for k, n in often.items() if k > 1):,} faces were tested more than once"
    if everyone is None:
        return said + " (--data NAME:ROOT tells of those that never were)"
    strangers = set(times) - set(everyone)
    if len(strangers) == len(times):
        raise InputError("--data: none of the tested faces is in it; is it the same data set?")
    missing = len(set(everyone) - set(times))
    said += f", {missing:,} of {len(everyone):,} never" if missing else ", and no face was left out"
    return said + (f"; {len(strangers):,} are not in --data" if strangers else "")

"""``hae-audit predict``: a model over a data set, as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hae.cli.evaluate import DATA_HELP

Option = typer.Option


def predict(
    model: Annotated[str, typer.Argument(help="MODEL.safetensors, zoo:NAME or a TOML spec.")],
    data: Annotated[str, Option(metavar="NAME:ROOT", help=DATA_HELP)],
    out: Annotated[Path, Option(metavar="FILE", help="The Parquet file to write.")],
    split: Annotated[str | None, Option(help="Part of the data set, such as val.")] = None,
    map_: Annotated[
        list[str] | None,
        Option("--map", metavar="OURS=THEIRS", help="Our name for a column: path=img."),
    ] = None,
    keep_probabilities: Annotated[
        bool, Option("--keep-probabilities", help="Also the whole age distribution.")
    ] = False,
) -> None:
    """Predict every face; an interrupted run goes on where it stopped.

    An image that is missing or cannot be decoded keeps its row, with the reason in failure_reason.
    """
    from hae.adapters.zoo import load_model
    from hae.cli.concerns import concerns_of
    from hae.cli.options import pairs_of
    from hae.cli.progress import run_with_bar
    from hae.cli.work import check_file_target
    from hae.data.readers import read_data
    from hae.parts import Parts, parts_of, write_parquet
    from hae.predict import REASON

    check_file_target(out, "--out")
    manifest = read_data(data, split, pairs_of(map_, "--map", "OURS=THEIRS"))
    predictor = load_model(model)
    parts = parts_of(out)
    for concern in concerns_of(manifest, predictor):
        if concern.severity == "serious":
            typer.echo(f"hae-audit: WARNING: {concern.message}", err=True)
    frame = run_with_bar(manifest, predictor, parts, keep_probabilities=keep_probabilities)
    write_parquet(frame, out)
    Parts(parts).remove()
    failed = int(frame[REASON].notna().sum())
    typer.echo(f"{out}: {len(frame):,} faces, {failed:,} failed")
    for reason, count in frame[REASON].value_counts().head(5).items():
        typer.echo(f"  {count:,} x {reason}")

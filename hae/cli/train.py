"""``hae-audit train``: faces in, a checkpoint out; an interrupted run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hae.cli.evaluate import DATA_HELP

Option = typer.Option
train = typer.Typer(help="Train a model; the same command goes on with it.", no_args_is_help=True)


@train.command("age")
def age(
    data: Annotated[str, Option(metavar="NAME:ROOT", help=DATA_HELP)],
    out: Annotated[Path, Option(metavar="DIR", help="Where the run and its checkpoint go.")],
    split: Annotated[str | None, Option(help="Part of the data to train on.")] = None,
    val_split: Annotated[
        str | None,
        Option(help="Part to select on; default: people held out of the training part."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        Option("--map", metavar="OURS=THEIRS", help="Our name for a column: age=label."),
    ] = None,
    config: Annotated[Path | None, Option(metavar="FILE", help="TOML; see README.")] = None,
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="KEY=VALUE", help="Over the file: model.views.k=4."),
    ] = None,
    init: Annotated[
        Path | None, Option(metavar="FILE", help="A checkpoint whose weights to begin with.")
    ] = None,
    cache: Annotated[
        Path | None,
        Option(metavar="DIR", help="Decoded faces, for several runs; default: with the run."),
    ] = None,
    devices: Annotated[int, Option(min=1, help="GPUs, or processes on the CPU.")] = 1,
) -> None:
    """Train the hierarchical attention age estimator or one of its rivals.

    Writes DIR/model.safetensors, the weights that were best on people held out, with the config
    inside; DIR/logs for TensorBoard and as CSV.
    """
    from hae.cli.training import order_of, run_training
    from hae.training.train_age import train_age

    order = order_of(data, split, val_split, map_, config, set_, out, init, cache, devices)
    run_training(train_age, order)

"""``hae-audit train``: faces in, a checkpoint out; an interrupted run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hae.cli.evaluate import DATA_HELP

Option = typer.Option
train = typer.Typer(help="Train a model; the same command goes on with it.", no_args_is_help=True)

Data = Annotated[str, Option(metavar="NAME:ROOT", help=DATA_HELP)]
Out = Annotated[Path, Option(metavar="DIR", help="Where the run and its checkpoint go.")]
Split = Annotated[str | None, Option(help="Part of the data to train on.")]
ValSplit = Annotated[
    str | None,
    Option(help="Part to select on; default: people held out of the training part."),
]
Map = Annotated[
    list[str] | None,
    Option("--map", metavar="OURS=THEIRS", help="Our name for a column: age=label."),
]
Config = Annotated[Path | None, Option(metavar="FILE", help="TOML; see README.")]
Set = Annotated[
    list[str] | None,
    Option("--set", metavar="KEY=VALUE", help="Over the file: model.views.k=4."),
]
Init = Annotated[
    Path | None, Option(metavar="FILE", help="A checkpoint whose weights to begin with.")
]
Cache = Annotated[
    Path | None,
    Option(metavar="DIR", help="Decoded faces, for several runs; default: with the run."),
]
Devices = Annotated[int, Option(min=1, help="GPUs, or processes on the CPU.")]


@train.command("age")
def age(
    data: Data,
    out: Out,
    split: Split = None,
    val_split: ValSplit = None,
    map_: Map = None,
    config: Config = None,
    set_: Set = None,
    init: Init = None,
    cache: Cache = None,
    devices: Devices = 1,
) -> None:
    """Train the hierarchical attention age estimator or one of its rivals.

    Writes DIR/model.safetensors, the weights that were best on people held out, with the config
    inside; DIR/logs for TensorBoard and as CSV.
    """
    from hae.cli.training import order_of, run_training
    from hae.training.train_age import train_age

    order = order_of(data, split, val_split, map_, config, set_, out, init, cache, devices)
    run_training(train_age, order)


@train.command("identity")
def identity(
    data: Data,
    out: Out,
    split: Split = None,
    map_: Map = None,
    config: Config = None,
    set_: Set = None,
    init: Init = None,
    cache: Cache = None,
    devices: Devices = 1,
) -> None:
    """Train a backbone to tell people apart: a first stage for train age --init.

    The data must say whose photos they are (subject_id). It is judged on held-out photos of the
    people that it learns, so there is no --val-split.
    """
    from hae.cli.training import order_of, run_training
    from hae.training.train_identity import train_identity

    order = order_of(data, split, None, map_, config, set_, out, init, cache, devices)
    run_training(train_identity, order)


@train.command("expression")
def expression(
    data: Data,
    out: Out,
    split: Split = None,
    val_split: ValSplit = None,
    map_: Map = None,
    config: Config = None,
    set_: Set = None,
    init: Init = None,
    cache: Cache = None,
    devices: Devices = 1,
    label_noise: Annotated[
        float | None,
        Option(min=0, max=0.99, help="Share of the training labels to flip on purpose."),
    ] = None,
    noise: Annotated[
        Literal["symmetric", "pair", "instance"] | None,
        Option(help="How: to any class, to the next one, or hard faces more often."),
    ] = None,
) -> None:
    """Train the Self-Cure Network or one of its baselines on expressions.

    Writes DIR/model.safetensors; DIR/training.parquet, what became of every training label, for
    evaluate --predictions; DIR/relabels.csv, every change of a label.
    """
    from audit.errors import InputError
    from hae.cli.training import order_of, run_training
    from hae.training.train_expression import train_expression

    wanted = {"label_noise": label_noise, "noise": noise}
    more = [f"expression.{name}={value}" for name, value in wanted.items() if value is not None]
    settings = [*(set_ or []), *more]
    order = order_of(data, split, val_split, map_, config, settings, out, init, cache, devices)
    if noise is not None and not order.config.expression.label_noise:
        raise InputError(f"--noise {noise}: goes with --label-noise SHARE")
    run_training(train_expression, order)

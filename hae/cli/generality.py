"""``hae-audit generality``: does an aggregator help whatever the backbone, and whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hae.cli.evaluate import DATA_HELP
from hae.cli.flags import (
    Adjust,
    AgeBands,
    By,
    Estimand,
    LabelSource,
    Margin,
    MaxCells,
    MinN,
    NBoot,
    Seed,
)
from hae.cli.train import Cache, Map, Set

Option = typer.Option


def generality(
    ctx: typer.Context,
    out: Annotated[Path, Option(metavar="DIR", help="Where cells, record and page go.")],
    preset: Annotated[
        str | None,
        Option(metavar="NAME", help="A grid that comes with this: quick, ablation or full."),
    ] = None,
    config: Annotated[
        Path | None, Option(metavar="FILE", help="Or one of your own in TOML; see README.")
    ] = None,
    data: Annotated[
        str | None, Option(metavar="NAME:ROOT", help=f"{DATA_HELP} quick brings drawn ones.")
    ] = None,
    split: Annotated[str, Option(help="Part to train on.")] = "train",
    val_split: Annotated[str, Option(help="Part to select on.")] = "val",
    test_split: Annotated[str, Option(help="Part to compare on.")] = "test",
    test_data: Annotated[
        str | None, Option(metavar="NAME:ROOT", help="Test faces of another data set.")
    ] = None,
    first_data: Annotated[
        str | None,
        Option(metavar="NAME:ROOT", help="Other people, for backbones without weights."),
    ] = None,
    first_split: Annotated[str | None, Option(help="Part of these.")] = None,
    map_: Map = None,
    set_: Set = None,
    cache: Cache = None,
    control: Annotated[
        str | None,
        Option(metavar="AGGREGATOR", help="What each other one is compared with: mean, or single."),
    ] = None,
    by: By = None,
    margin: Margin = None,
    age_bands: AgeBands = None,
    label_source: LabelSource = None,
    adjust: Adjust = "max_t",
    estimand: Estimand = "image",
    min_n: MinN = 30,
    max_cells: MaxCells = 20_000,
    n_boot: NBoot = 1000,
    seed: Seed = 0,
    json: Annotated[bool, Option("--json", help="A JSON summary on stdout.")] = False,
) -> None:
    """Train every aggregator on every backbone at equal budget, and compare on the same faces.

    The same command goes on with a grid that was stopped. Writes generality.json and
    generality.html into DIR, and a folder for each cell. 3 is returned where cells failed; what was
    finished is kept and compared.
    """
    from hae.cli.grid_asked import Asked, GridOptions, with_preset
    from hae.cli.gridding import run_generality
    from hae.cli.options import margins_of, numbers, sources_of

    config, data, test_data = with_preset(preset, config, data, test_data)
    asked = Asked(
        data, split, val_split, test_data, test_split, first_data, first_split, map_, config, set_,
        out, cache,
    )  # fmt: skip
    options = GridOptions(
        control=control,
        by=tuple(by) if by else None,
        margins=margins_of(margin),
        age_bands=numbers(age_bands, "--age-bands"),
        sources=sources_of(label_source),
        adjust=adjust,
        estimand=estimand,
        min_n=min_n,
        max_cells=max_cells,
        n_boot=n_boot,
        seed=seed,
    )
    command = ctx.obj if isinstance(ctx.obj, str) else None
    raise typer.Exit(run_generality(asked, options, command, as_json=json))

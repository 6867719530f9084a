"""``hae-audit compare``: several runs on the same faces, and whether one is surely better."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from hae.cli.flags import (
    FAILED_HELP,
    Adjust,
    AgeBands,
    By,
    Classes,
    Estimand,
    Join,
    LabelSource,
    Logits,
    Map,
    Margin,
    MaxCells,
    MinN,
    NBoot,
    On,
    Seed,
    Task,
)

Option = typer.Option


def compare(
    ctx: typer.Context,
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN ...", help="Folders of evaluate, or tables."),
    ],
    baseline: Annotated[
        str | None, Option(metavar="RUN", help="What each other run is compared with; the first.")
    ] = None,
    by: By = None,
    margin: Margin = None,
    missing: Annotated[
        Literal["both", "worst"],
        Option(help="Failed faces: compare what both processed, or count them as wrong."),
    ] = "both",
    seeds_of: Annotated[
        list[str] | None,
        Option(metavar="NAME=RUN,...", help="5 or more runs that differ in their seed alone."),
    ] = None,
    task: Task = None,
    map_: Map = None,
    join: Join = None,
    on: On = None,
    failed_when: Annotated[
        list[str] | None,
        Option(metavar="CONDITION", help=f"{FAILED_HELP} Of the tables with such a column."),
    ] = None,
    logits: Logits = None,
    classes: Classes = None,
    age_bands: AgeBands = None,
    label_source: LabelSource = None,
    adjust: Adjust = "max_t",
    estimand: Estimand = "image",
    min_n: MinN = 30,
    max_cells: MaxCells = 20_000,
    n_boot: NBoot = 1000,
    seed: Seed = 0,
    json: Annotated[bool, Option("--json", help="A JSON summary on stdout.")] = False,
    out: Annotated[Path | None, Option(metavar="DIR", help="Default: runs/comparison.")] = None,
) -> None:
    """Compare runs on the same faces: every metric and every gap, paired by person.

    A run is a folder that evaluate wrote, or a table with sample_id. Writes comparison.json and
    comparison.html into DIR. It holds for these checkpoints: training again may give another
    result.
    """
    from hae.cli.comparing import CompareOptions, run_compare
    from hae.cli.jobs import TableOptions
    from hae.cli.options import margins_of, names, numbers, pairs_of, sources_of

    table = TableOptions(
        task=task,
        mapping=pairs_of(map_, "--map", "OURS=THEIRS"),
        join=join,
        on=on,
        failed_when=None,
        logits=logits,
        classes=names(classes),
    )
    seeds = pairs_of(seeds_of, "--seeds-of", "NAME=RUN,RUN,...")
    options = CompareOptions(
        baseline=baseline,
        by=tuple(by) if by else None,
        missing=missing,
        n_boot=n_boot,
        seed=seed,
        estimand=estimand,
        min_n=min_n,
        age_bands=numbers(age_bands, "--age-bands"),
        max_cells=max_cells,
        margins=margins_of(margin),
        adjust=adjust,
        settings={name: names(text) or () for name, text in seeds.items()},
        sources=sources_of(label_source),
    )
    command = ctx.obj if isinstance(ctx.obj, str) else None
    run_compare(runs, table, failed_when or [], options, out, command, as_json=json)

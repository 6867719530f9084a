"""``hae-audit recalibrate``: fit on some people, audit the others before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hae.cli.flags import (
    FAILED_HELP,
    Adjust,
    By,
    Classes,
    Join,
    Logits,
    Map,
    Margin,
    MinN,
    NBoot,
    On,
    Seed,
    Task,
)

Option = typer.Option


def recalibrate(
    ctx: typer.Context,
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="Predictions with the truth, CSV or Parquet.")
    ],
    method: Annotated[
        Literal["temperature", "isotonic", "conformal", "bias-by-age"],
        Option(help="Ages have all four, expressions the first two."),
    ] = "temperature",
    use: Annotated[
        Path | None,
        Option(metavar="FILE", help="A recalibration.json to apply instead of fitting one."),
    ] = None,
    fit_share: Annotated[
        float, Option(help="Share of the people to fit on; the others are audited.")
    ] = 0.5,
    level: Annotated[
        list[float] | None, Option(metavar="PERCENT", help="Level of conformal intervals.")
    ] = None,
    groups: Annotated[
        str | None,
        Option(metavar="ATTRIBUTE,...", help="Conformal intervals for each of their groups."),
    ] = None,
    task: Task = None,
    map_: Map = None,
    join: Join = None,
    on: On = None,
    failed_when: Annotated[str | None, Option(metavar="CONDITION", help=FAILED_HELP)] = None,
    logits: Logits = None,
    classes: Classes = None,
    by: By = None,
    margin: Margin = None,
    adjust: Adjust = "max_t",
    min_n: MinN = 30,
    n_boot: NBoot = 1000,
    seed: Seed = 0,
    json: Annotated[bool, Option("--json", help="The recalibration as JSON on stdout.")] = False,
    out: Annotated[
        Path | None, Option(metavar="DIR", help="Default: runs/ and the name of the table.")
    ] = None,
) -> None:
    """Recalibrate predictions on part of the people; audit the others before and after.

    Writes recalibration.json, comparison.json, and an audit with its report in DIR/before and
    DIR/after.
    """
    from audit.predictions import read_predictions
    from audit.recalibration import run as recalibration
    from hae.cli.before_after import tell, write
    from hae.cli.jobs import check_place, task_of
    from hae.cli.options import margins_of, names, pairs_of

    place = out or Path("runs") / f"{table.stem}-{method}"
    check_place(place)
    mapping = pairs_of(map_, "--map", "OURS=THEIRS")
    predictions = read_predictions(
        table,
        task=task or task_of(table, mapping),
        mapping=mapping,
        join=join,
        on=on,
        failed_when=failed_when,
        logits=logits,
        classes=names(classes),
    )
    options: dict[str, Any] = {
        "by": by,
        "n_boot": n_boot,
        "seed": seed,
        "min_n": min_n,
        "margins": margins_of(margin),
        "adjust": adjust,
    }
    if use is not None:
        record = recalibration.Recalibration.read(use)
        sides = (predictions, recalibration.apply(record, predictions))
    else:
        done = recalibration.recalibrate(
            predictions,
            method,
            fit_share=fit_share,
            seed=seed,
            levels=level or [90.0],
            groups=names(groups) or (),
        )
        record, sides = done.record, (done.before, done.after)
    command = ctx.obj if isinstance(ctx.obj, str) else None
    results = write(place, record, sides, options, table, command)
    tell(record, results, place, as_json=json)

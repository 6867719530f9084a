"""``info``, ``schema`` and ``data list``: what is there."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def schema(
    what: Annotated[Literal["audit", "predictions"], typer.Argument(help="Which of the two.")],
) -> None:
    """Print a JSON Schema: of audit.json, or of a row of the predictions table."""
    from hae.cli.summary import print_json

    if what == "audit":
        from audit.result import AuditResult

        print_json(AuditResult.model_json_schema(by_alias=True))
    else:
        from audit.predictions import predictions_schema

        print_json(predictions_schema())


def info() -> None:
    """Show versions, devices, zoo models and data sets."""
    from hae.adapters.zoo import PREFIX, ZOO
    from hae.cli.record import SHOWN, versions
    from hae.data.readers import READERS

    for name, version in versions(SHOWN).items():
        typer.echo(f"{name:14} {version}")
    typer.echo(f"{'devices':14} {_devices()}")
    typer.echo(f"{'models':14} {', '.join(PREFIX + name for name in ZOO)}")
    typer.echo(f"{'data sets':14} {', '.join(READERS)}")


def _devices() -> str:
    import os

    import torch

    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    return ", ".join([f"cpu ({os.cpu_count()} cores)", *gpus])


def data_list() -> None:
    """List the data sets that --data can name."""
    from hae.data.readers import READERS

    for name, entry in READERS.items():
        typer.echo(f"{name}: {entry.about}")
        typer.echo(f"  --data {name}:ROOT  ROOT is {entry.root}")
        typer.echo(f"  --split SPLIT  {entry.splits}")

"""Every command in one list. Heavy libraries are imported when a command runs, not here."""

from __future__ import annotations

import typer

from hae.cli.check import data_check
from hae.cli.compare import compare
from hae.cli.data_audit import data_audit
from hae.cli.diff import diff
from hae.cli.evaluate import evaluate
from hae.cli.gate import gate
from hae.cli.generality import generality
from hae.cli.listing import data_list, info, schema
from hae.cli.pack import data_pack, data_verify
from hae.cli.pool import data_pool
from hae.cli.predict import predict
from hae.cli.publish import publish, view
from hae.cli.recalibrate import recalibrate
from hae.cli.report import report
from hae.cli.split import data_split
from hae.cli.train import train

app = typer.Typer(
    name="hae-audit",
    help="Audit face-age and facial-expression models: how wrong, for whom, and is it real?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data = typer.Typer(
    help="Data sets: list, check, audit, divide and pack them.", no_args_is_help=True
)

app.command()(evaluate)
app.command()(predict)
app.command()(compare)
app.command()(generality)
app.command()(report)
app.command()(publish)
app.command()(view)
app.command()(recalibrate)
app.command()(gate)
app.command()(diff)
app.command()(schema)
app.command()(info)
app.add_typer(train, name="train")
app.add_typer(data, name="data")
data.command("list")(data_list)
data.command("split")(data_split)
data.command("check")(data_check)
data.command("audit")(data_audit)
data.command("pool")(data_pool)
data.command("pack")(data_pack)
data.command("verify")(data_verify)

"""``info``, ``schema`` and ``data list``: what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from hae.config import ExpressionConfig


def schema(
    what: Annotated[
        Literal[
            "audit",
            "comparison",
            "generality",
            "predictions",
            "policy",
            "gate",
            "diff",
            "recalibration",
        ],
        typer.Argument(help="Which of them."),
    ],
) -> None:
    """Print a JSON Schema: of a record, a predictions row, a policy; gate and diff --json."""
    from hae.cli.summary import print_json

    if what == "predictions":
        from audit.predictions import predictions_schema

        print_json(predictions_schema())
        return
    from audit.changes import AuditDiff
    from audit.comparison import Comparison
    from audit.findings import GateResult
    from audit.generality.record import Generality
    from audit.policy import Policy
    from audit.recalibration.run import Recalibration
    from audit.result import AuditResult
    from audit.rows import Record

    models: dict[str, type[Record]] = {
        "audit": AuditResult,
        "comparison": Comparison,
        "generality": Generality,
        "policy": Policy,
        "gate": GateResult,
        "diff": AuditDiff,
        "recalibration": Recalibration,
    }
    print_json(models[what].model_json_schema(by_alias=True))


def info(
    checkpoint: Annotated[
        str | None, typer.Argument(metavar="[CHECKPOINT]", help="MODEL.safetensors or zoo:NAME.")
    ] = None,
) -> None:
    """Show versions, devices, zoo models and data sets; or what a checkpoint holds."""
    if checkpoint is not None:
        _print_header(checkpoint)
        return
    from hae.cli.record import SHOWN, versions
    from hae.data.readers import READERS
    from hae.zoo import PREFIX, ZOO

    for name, version in versions(SHOWN).items():
        typer.echo(f"{name:20} {version}")
    typer.echo(f"{'devices':20} {_devices()}")
    typer.echo(f"{'models':20} {', '.join(PREFIX + name for name in ZOO)}")
    typer.echo(f"{'data sets':20} {', '.join(READERS)}")


def _print_header(text: str) -> None:
    from audit.errors import InputError
    from hae.checkpoint import SUFFIX, read_checkpoint
    from hae.cli.training import described
    from hae.zoo import model_path

    path = model_path(text)
    if path.suffix == ".toml":
        raise InputError(f"{text}: is a spec ({path}) that can be read as it is; give a {SUFFIX}")
    header = read_checkpoint(path).header  # all of it: a cut file must not look whole
    model, made = header.config.model, header.provenance
    head, views, aggregator = model.head, model.views, model.aggregator
    age = {
        "views": f"{views.k} of each face, combined by {aggregator.name}",
        "head": f"{head.name}, {head.n_bins} bins of {head.bin_width:g} years from "
        f"{head.age_min:g}{', the last open' if head.open_top else ''}",
        "temperature": f"{header.temperature:.3f} of the predictive distribution",
    }
    width = {
        "age": f" -> {model.embedding} dimensions",
        "identity": f" -> {header.config.identity.embedding} dimensions",
        "expression": "",
    }
    settings = header.config.expression
    expression = {
        "classes": ", ".join(header.classes),
        "labels": _cured(settings) if settings.cure else "trusted as they are",
    }
    if settings.aggregate:
        expression["views"] = age["views"]
    if settings.label_noise:
        expression["flipped"] = f"{settings.label_noise:.0%} of the labels, {settings.noise}"
    own = {"age": age, "expression": expression, "identity": {}}
    rows = {
        "model": f"{header.config.name}, task {header.task}, {header.format}",
        "network": f"{model.backbone.label} at {model.size} px{width[header.task]}",
        **own[header.task],
        "validation": described(header),
        "trained on": f"{made.data}: {made.faces:,} faces of {made.people:,} people",
        "saw": made.crop + (f", of {made.trained_crop.described()}" if made.trained_crop else ""),
        **({"leaky": made.leaky} if made.leaky else {}),
        "first weights": ", ".join(f"{k} {v}" for k, v in made.init.items() if v),
        "terms": made.terms or "not stated",
        "versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "digest": header.digest,
    }
    for name, value in rows.items():
        typer.echo(f"{name:14} {value}")


def _cured(settings: ExpressionConfig) -> str:
    """How an expression model's labels were weighed and changed."""
    if settings.relabel == "off":
        return "weighed by importance, none changed"
    part = "the least important part" if settings.relabel == "low_group" else "the whole"
    since = settings.relabel_from
    return f"weighed by importance, changed in {part} of a batch from epoch {since}"


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
        typer.echo(f"  terms  {entry.terms}")
        if entry.counts:
            typer.echo(f"  published  {_published(entry.counts)}")


def _published(counts: Mapping[str, Mapping[str, int]]) -> str:
    parts = []
    for split, found in counts.items():
        people = f" of {found['people']:,} people" if "people" in found else ""
        parts.append(f"{f'{split}: ' if split else ''}{found['usable']:,} faces{people}")
    return "; ".join(parts)

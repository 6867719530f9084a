"""``hae-audit evaluate``: a model or a table in, predictions, audit and report out."""

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
    PublishMin,
    Seed,
    Task,
)

MODEL_HELP = "MODEL.safetensors, zoo:NAME or a TOML spec. None and no table: the embedded example."
DATA_HELP = "Faces: fairface:FOLDER, manifest:TABLE, rendered:default; see data list."
Option = typer.Option


def evaluate(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help=MODEL_HELP)] = None,
    data: Annotated[str | None, Option(metavar="NAME:ROOT", help=DATA_HELP)] = None,
    split: Annotated[str | None, Option(help="Part of the data set, such as val.")] = None,
    predictions: Annotated[
        list[Path] | None, Option(metavar="FILE", help="A CSV or Parquet table of predictions.")
    ] = None,
    task: Task = None,
    map_: Map = None,
    join: Join = None,
    on: On = None,
    failed_when: Annotated[str | None, Option(metavar="CONDITION", help=FAILED_HELP)] = None,
    logits: Logits = None,
    classes: Classes = None,
    relabels: Annotated[
        Path | None, Option(metavar="LOG", help="The relabels.csv of the run that trained on it.")
    ] = None,
    by: By = None,
    age_bands: AgeBands = None,
    label_source: LabelSource = None,
    margin: Margin = None,
    primary: Annotated[
        str | None, Option(metavar="METRIC,...", help="Named beforehand; the rest explores.")
    ] = None,
    policy: Annotated[
        Path | None,
        Option(metavar="P.toml", help="States margins and primary metrics; see schema policy."),
    ] = None,
    adjust: Adjust = "max_t",
    gate: Annotated[
        list[str] | None,
        Option(metavar="LEGAL[:CHALLENGE]", help="An age gate, years: 18, or 18:25."),
    ] = None,
    gate_target: Annotated[
        float | None,
        Option(metavar="SHARE", help="Minors who may pass: 0.01. Asks for a challenge age."),
    ] = None,
    reference: Annotated[
        Path | None,
        Option(metavar="FILE", help="A mix of ages to standardise to: columns age and share."),
    ] = None,
    permute_within: Annotated[
        Literal["age"] | None, Option(help="Permute persons only within their decade of age.")
    ] = None,
    estimand: Estimand = "image",
    pairs: Annotated[
        Literal["auto", "all"], Option(help="all: every pair of groups, as gaps.csv.")
    ] = "auto",
    slices: Annotated[
        bool, Option(help="Search the worst slices of up to three attributes.")
    ] = True,
    slice_by: Annotated[
        str | None, Option(metavar="COLUMN,...", help="Further columns to search slices by.")
    ] = None,
    where: Annotated[
        bool, Option("--where", help="Where a MODEL looks on the face, by group; needs captum.")
    ] = False,
    face_lines: Annotated[
        str | None,
        Option(metavar="EYES,MOUTH", help="With --where: their heights in the crop: 0.4,0.73."),
    ] = None,
    min_n: MinN = 30,
    max_cells: MaxCells = 20_000,
    publish_min: PublishMin = None,
    n_boot: NBoot = 1000,
    seed: Seed = 0,
    stream: Annotated[
        Literal["auto", "yes", "no"],
        Option(help="Read a table in parts, never whole; auto: above 2,000,000 rows of Parquet."),
    ] = "auto",
    json: Annotated[bool, Option("--json", help="A JSON summary on stdout.")] = False,
    out: Annotated[
        Path | None, Option(metavar="DIR", help="Default: runs/ and the name of the model.")
    ] = None,
) -> None:
    """Audit models or tables of predictions, by group, with intervals.

    Writes predictions.parquet, audit.json and report.html into DIR.

    With several models or tables: into DIR/NAME for each, and DIR/comparison.html if the faces
    are the same.
    """
    from audit.declared import read_policy
    from audit.gates import check_target, gates_of
    from audit.reference import read_reference
    from hae.cli.jobs import AuditOptions, TableOptions, plan
    from hae.cli.options import margins_of, names, numbers, pairs_of, sources_of
    from hae.cli.work import run_all

    check_target(gate_target, gates_of(gate or ()))
    table = TableOptions(
        task=task,
        mapping=pairs_of(map_, "--map", "OURS=THEIRS"),
        join=join,
        on=on,
        failed_when=failed_when,
        logits=logits,
        classes=names(classes),
        relabels=relabels,
        stream=stream,
    )
    options = AuditOptions(
        by=tuple(by) if by else None,
        n_boot=n_boot,
        seed=seed,
        estimand=estimand,
        min_n=min_n,
        age_bands=numbers(age_bands, "--age-bands"),
        max_cells=max_cells,
        pairs=pairs,
        margins=margins_of(margin),
        primary=names(primary) or (),
        policy=read_policy(policy) if policy else None,
        adjust=adjust,
        permute_within=permute_within,
        sources=sources_of(label_source),
        gates=tuple(gate or ()),
        gate_target=gate_target,
        reference=read_reference(reference) if reference else None,
        slices=slices,
        slice_by=names(slice_by) or (),
        publish_min=publish_min,
    )
    command = ctx.obj if isinstance(ctx.obj, str) else None
    lines = numbers(face_lines, "--face-lines")
    jobs = plan(
        models or [], data, split, predictions or [], table, out, where=where, face_lines=lines
    )
    raise typer.Exit(run_all(jobs, table, options, command, as_json=json))

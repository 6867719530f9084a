"""Options that several commands have in common: how a table is read, and what is tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Option = typer.Option

Task = Annotated[
    Literal["age", "expression"] | None,
    Option(help="What is predicted; by default what the model or the table's columns say."),
]
Map = Annotated[
    list[str] | None,
    Option("--map", metavar="OURS=THEIRS", help="Our name for a column: age=age_labels."),
]
Join = Annotated[Path | None, Option(metavar="TRUTH", help="A table of the truth.")]
On = Annotated[str | None, Option(metavar="KEY", help="The column to join on.")]
FAILED_HELP = "Rows that failed: 'face_confidence == 0'."
Logits = Annotated[str | None, Option(metavar="COLUMN", help="Scores before softmax.")]
Classes = Annotated[str | None, Option(metavar="A,B,...", help="Class order.")]
By = Annotated[
    list[str] | None,
    Option(metavar="ATTRIBUTE[,...]", help="Groups: gender, or gender,race together."),
]
LabelSource = Annotated[
    list[str] | None,
    Option(metavar="NAME=SOURCE", help="self_reported, perceived, predicted or unknown."),
]
AgeBands = Annotated[str | None, Option(metavar="0,13,...", help="Edges of the age groups, years.")]
Margin = Annotated[
    list[str] | None,
    Option(metavar="METRIC=VALUE", help="Largest gap that would not matter: mae=0.5."),
]
Adjust = Annotated[
    Literal["max_t", "holm", "bh"], Option(help="Correction for the many groups tested.")
]
Estimand = Annotated[Literal["image", "subject"], Option(help="Mean over faces, or over persons.")]
MinN = Annotated[int, Option(min=2, help="Fewer persons than this are not tested.")]
MaxCells = Annotated[int, Option(min=1, help="Most intersections of attributes.")]
PublishMin = Annotated[
    int | None,
    Option(
        min=2,
        metavar="K",
        help="Hide what rests on fewer than K persons, and what would give it away, in the record "
        "and the report; not in predictions.parquet.",
    ),
]
NBoot = Annotated[int, Option(min=0, help="Bootstrap replicates.")]
Seed = Annotated[int, Option(min=0, help="Seed of the bootstrap.")]

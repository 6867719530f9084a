"""The record of a grid of backbones x aggregators x seeds, as flat rows.

Written as ``generality.json`` (schema ``hae-audit/generality/1``), published as JSON Schema by
``hae-audit schema generality``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from audit.comparison import GapChange, PairedRow
from audit.files import write_text
from audit.record import read_record, record_text, rows_frame
from audit.result import RunInfo, Spec
from audit.rows import Concern, Group, Note, Number, Record, Task

SCHEMA: Literal["hae-audit/generality/1"] = "hae-audit/generality/1"
SCOPE = (
    "intervals of single backbones are for these trainings, unless there are at least 5 seeds; "
    "summaries over backbones hold for backbones of which these are a sample, tested on such people"
)
FAMILIES = (
    "one metric x one attribute combination x the whole table: every aggregator on every backbone "
    "in every group; changes of gaps likewise; summaries over backbones by Holm over aggregators "
    "and groups, those of gaps over aggregators"
)

Kind = Literal["value", "worst_minus_best"]
Table = Literal["cells", "gains", "gaps", "summaries", "concordance", "warnings"]


class CellRow(Record):
    """One training of the grid; values are of everyone, on the faces that all cells processed."""

    backbone: str
    aggregator: str
    seed: int
    task: Task
    status: Literal["done", "out_of_memory", "diverged", "refused", "failed"]
    reason: str | None = Field(default=None, description="why it failed")
    metrics: dict[str, Number] = {}
    n_failed: int | None = Field(default=None, description="labelled faces that it did not process")
    parameters: int | None = Field(default=None, description="of the whole model")
    trained_parameters: int | None = Field(default=None, description="without a frozen backbone")
    train_seconds: Number = Field(
        default=None,
        description="of the steps and their validation, without the look at faces before them; "
        "none where the training was stopped in between",
    )
    step_ms: Number = Field(default=None, description="a training step on one batch, as for all")
    forward_ms: Number = Field(default=None, description="estimates for that batch")
    memory_mb: Number = Field(
        default=None, description="MiB at most in a training step on that batch, with the weights"
    )


class _OfCells(Record):
    backbone: str
    aggregator: str
    against: str = Field(description="the aggregator that it is compared with")
    n_seeds: int = Field(description="seeds at which both came out")
    sd_seeds: Number = Field(
        default=None, description="standard deviation between seeds of the difference"
    )


class GainRow(PairedRow, _OfCells):
    """One metric in one group on one backbone: the aggregator minus what it is compared with.

    Means over the seeds that both have. ``verdict``: ``b better`` is the aggregator.
    """


class GapRow(GapChange, _OfCells):
    """How the gap between two groups changes: with the aggregator, minus without.

    The groups are the worst and the best of the mean over the whole grid, the same in every row.
    """


class SummaryRow(Record):
    """One aggregator over all backbones, by random effects; of everyone, a group, or a gap.

    ``value`` is the mean difference (aggregator minus control) over backbones of which these are a
    sample, ``low_new`` to ``high_new`` the prediction interval for a new one.
    """

    metric: str
    aggregator: str
    against: str
    kind: Kind
    group: Group = {}
    attributes: list[str] = []
    a: Group | None = None
    b: Group | None = None
    value: Number
    low: Number = None
    high: Number = None
    low_90: Number = None
    high_90: Number = None
    low_new: Number = None
    high_new: Number = None
    tau: Number = Field(default=None, description="standard deviation between backbones")
    i2: Number = Field(default=None, description="share of tau^2 in the variance between backbones")
    scale: Number = Field(default=None, description="Hartung and Knapp's factor; below 1 unused")
    method: str | None = None
    n_backbones: int
    n_better: int = Field(description="backbones where it is better, or the gap narrower")
    n_worse: int
    p: Number = Field(default=None, description="inversion of [low, high]; none below 3 backbones")
    p_adjusted: Number = None
    family: str
    verdict: Literal["better", "worse", "narrower", "wider", "inconclusive"] | None = None
    note: Note = None


class Worst(Record):
    """The worst served group of one backbone."""

    backbone: str
    group: Group
    value: Number


class ConcordanceRow(Record):
    """Whether the backbones agree on who is served worst: Kendall's W over the tested groups."""

    metric: str
    attributes: list[str]
    aggregator: str
    value: Number = Field(description="Kendall's W: 1 where all backbones rank the groups alike")
    low: Number = None
    high: Number = None
    null_expected: Number = Field(
        default=None, description="mean W on these faces if no group differed"
    )
    p: Number = Field(
        default=None,
        description="chance of at least this W if no group differed; has little power where "
        "backbones share much of their luck with people",
    )
    n_backbones: int
    n_groups: int
    worst: list[Worst] = []
    note: Note = None


Placed = Literal["face", "crop", "nowhere"]


class AttentionRow(Record):
    """What an aggregator attends to on one backbone: the mean over test faces and seeds."""

    backbone: str
    aggregator: str
    over: Literal["views", "regions"]
    weights: list[float] = Field(
        description="shares that sum to 1, of each view or of each region; regions of a square "
        "row by row from the top left"
    )
    placed: Placed = Field(
        default="face",
        description="regions are the places of a map of the face, of a map of crops of it (such as "
        "views that are flipped and turned), or of no map: parts and crops that lie anywhere",
    )
    n: int = Field(description="test faces")
    n_subjects: int
    n_seeds: int


class GeneralitySpec(Spec):
    """What was compared, and how."""

    control: str
    backbones: list[str]
    aggregators: list[str]
    matched: dict[str, list[str]] = Field(
        default={}, description="aggregator -> its controls of equal size"
    )
    analysed: list[str] = Field(description="metrics, the leading one first")
    scope: str = SCOPE
    training: str | None = Field(default=None, description="how the cells were trained")


class Generality(Record):
    """Everything that was found of a grid."""

    schema_: Literal["hae-audit/generality/1"] = Field(default=SCHEMA, alias="schema")
    task: Task
    run: RunInfo
    spec: GeneralitySpec
    cells: list[CellRow]
    gains: list[GainRow]
    gaps: list[GapRow] = []
    summaries: list[SummaryRow] = []
    concordance: list[ConcordanceRow] = []
    attention: list[AttentionRow] = []
    drawn_face: list[list[int]] = Field(
        default=[], description="grey levels of the mean drawn test face; never of real faces"
    )
    warnings: list[Concern] = []

    def to_frame(self, table: Table = "gains") -> pd.DataFrame:
        """One table of the record as a flat frame."""
        return rows_frame(getattr(self, table))

    def to_json(self) -> str:
        """The record as JSON text, a row a line: same record, same bytes, never a bare NaN."""
        return record_text(self)

    def write(self, path: Path) -> None:
        """Write ``generality.json`` whole or not at all."""
        write_text(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Generality:
        """Read ``generality.json`` back.

        Raises
        ------
        InputError
            The file is missing, is no JSON, or does not follow the schema.
        """
        return read_record(cls, path, SCHEMA, "hae-audit generality")

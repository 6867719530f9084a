"""The record of a comparison: two or more runs on the same faces, as flat rows.

Written as ``comparison.json`` (schema ``hae-audit/comparison/1``), published as JSON Schema by
``hae-audit schema comparison``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from audit.files import write_text
from audit.record import read_record, record_text, rows_frame
from audit.result import RunInfo, Spec
from audit.rows import Concern, Group, Note, Number, Record, Task

SCHEMA: Literal["hae-audit/comparison/1"] = "hae-audit/comparison/1"
SCOPE = "for these checkpoints; training randomness is not included"

RunVerdict = Literal["a better", "b better", "equivalent", "inconclusive"]
WidthVerdict = Literal["narrower", "wider", "unchanged", "inconclusive"]
Missing = Literal["both", "worst"]


class ComparedRun(Record):
    """One run, under the name that the rows use."""

    name: str
    baseline: bool
    setting: str | None = Field(default=None, description="the setting of which it is one seed")
    n_absent: int = Field(description="faces of the comparison that its table does not hold")
    n_failed: int = Field(description="labelled faces not processed by it, absent ones included")
    run: RunInfo


class _Change(Record):
    """``run_b`` minus ``run_a``, with its 95 % and 90 % intervals."""

    metric: str
    class_: str | None = Field(default=None, alias="class")
    run_a: str
    run_b: str
    value: Number
    value_a: Number = None
    value_b: Number = None
    low: Number = None
    high: Number = None
    low_90: Number = None
    high_90: Number = None
    method: str | None = None
    n: int = Field(description="faces that enter in both runs")
    n_subjects: int
    p: Number = Field(default=None, description="inversion of [low, high]")
    p_adjusted: Number = Field(default=None, description="p that holds for the family together")
    low_adjusted: Number = Field(default=None, description="95 % limits for the family together")
    high_adjusted: Number = None
    low_sum: Number = Field(
        default=None,
        description="family-adjusted limits of value_a + value_b: with those of the difference "
        "they tell which of two signed numbers is the larger",
    )
    high_sum: Number = None
    family: str
    margin: Number = None
    note: Note = None


class PairedRow(_Change):
    """One metric in one group: the second run minus the first."""

    group: Group
    verdict: RunVerdict | None = None


class GapChange(_Change):
    """How a difference between groups changes: that of the second run minus that of the first.

    ``worst_minus_best`` and ``max_minus_min`` take a and b from the first run, where their
    difference is not negative. ``n`` and ``n_subjects`` add those of both sides.
    """

    attributes: list[str]
    kind: Literal["difference", "vs_rest", "worst_minus_best", "max_minus_min"]
    a: Group | None = None
    b: Group | None = None
    verdict: WidthVerdict | None = None


class Agreement(Record):
    """Two runs face by face, counts of labelled faces; right is told by ``right``."""

    run_a: str
    run_b: str
    group: Group
    n: int = Field(description="labelled faces")
    n_both: int = Field(description="processed by both")
    failed_a: int = Field(description="processed by run_b only")
    failed_b: int = Field(description="processed by run_a only")
    failed_both: int
    same: int = Field(description="given the same answer by both")
    right: str = Field(description="accuracy, or within_band_accuracy for ages")
    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    mean_abs_difference: Number = Field(
        default=None, description="of the two estimates, in years, on the faces of both"
    )


class ParetoPoint(Record):
    """Overall value of one run against its largest gap, on the faces that all runs share."""

    metric: str
    attributes: list[str]
    run: str
    value: Number
    low: Number = None
    high: Number = None
    gap: Number = None
    gap_low: Number = None
    gap_high: Number = None
    gap_debiased: Number = None
    a: Group | None = None
    b: Group | None = None
    n: int
    n_subjects: int
    dominated_by: list[str] = Field(
        default=[], description="runs that are better in both, settled by paired intervals"
    )
    not_settled: list[str] = Field(
        default=[], description="runs that look better in both, but not beyond chance"
    )
    note: Note = None


class SeedRow(Record):
    """The mean over the seeds of a setting, less that of ``against``; by t with seeds - 1 df.

    The variance is sd_seeds^2 / n_seeds (both settings' where two are compared) plus the squared
    ``se_faces`` of drawing other people.
    """

    metric: str
    class_: str | None = Field(default=None, alias="class")
    group: Group
    attributes: list[str] = []
    kind: Literal["value", "worst_minus_best", "max_minus_min"] = "value"
    a: Group | None = None
    b: Group | None = None
    setting: str
    against: str | None = Field(default=None, description="another setting, or a single run")
    value: Number
    low: Number = None
    high: Number = None
    low_90: Number = None
    high_90: Number = None
    sd_seeds: Number = Field(default=None, description="standard deviation between seeds")
    se_faces: Number = Field(default=None, description="standard error of the mean over persons")
    n_seeds: int
    n: int
    n_subjects: int
    p: Number = None
    note: Note = None


class ComparisonSpec(Spec):
    """What was compared, and how."""

    baseline: str
    missing: Missing
    scope: str = SCOPE
    settings: dict[str, list[str]] = Field(
        default={}, description="setting -> the runs that are its seeds"
    )


class Comparison(Record):
    """Everything that a comparison found."""

    schema_: Literal["hae-audit/comparison/1"] = Field(default=SCHEMA, alias="schema")
    task: Task
    runs: list[ComparedRun]
    spec: ComparisonSpec
    paired: list[PairedRow]
    gaps: list[GapChange]
    agreement: list[Agreement] = []
    pareto: list[ParetoPoint] = []
    seeds: list[SeedRow] = []
    warnings: list[Concern] = []
    command: str | None = None
    versions: dict[str, str] = {}

    def to_frame(
        self, table: Literal["paired", "gaps", "agreement", "pareto", "seeds"] = "paired"
    ) -> pd.DataFrame:
        """One table of the record as a flat frame, a column per attribute of the group."""
        return rows_frame(getattr(self, table))

    def to_json(self) -> str:
        """The record as JSON text, a row a line: same record, same bytes, never a bare NaN."""
        return record_text(self)

    def write(self, path: Path) -> None:
        """Write ``comparison.json`` whole or not at all."""
        write_text(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """Read ``comparison.json`` back.

        Raises
        ------
        InputError
            The file is missing, is no JSON, or does not follow the schema.
        """
        return read_record(cls, path, SCHEMA, "hae-audit compare")

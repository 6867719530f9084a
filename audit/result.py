"""The audit record: what an audit found, as flat rows with everything needed to read them again.

``AuditResult`` is the only thing that reports, gates and comparisons read. It is written as
``audit.json`` (schema ``hae-audit/audit/1``) and published as JSON Schema by
``hae-audit schema audit``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import Field

from audit.files import write_text
from audit.policy import PolicyInfo
from audit.record import read_record, record_text, rows_frame
from audit.rows import (
    About,
    Better,
    Concern,
    Count,
    CurveRow,
    FairnessRow,
    Gap,
    LabelSource,
    MetricRow,
    Number,
    Record,
    SliceRow,
)

SCHEMA: Literal["hae-audit/audit/1"] = "hae-audit/audit/1"


class FileHash(Record):
    """A file that the audit read."""

    name: str
    sha256: str
    bytes: int


class RunInfo(Record):
    """Where the numbers come from."""

    model: str
    data: str | None = None
    simulated: bool = False
    files: list[FileHash] = []
    versions: dict[str, str] = {}
    seed: int
    command: str | None = None
    terms: str | None = None


class AttributeSpec(Record):
    """An attribute, who assigned it, and the groups that occur."""

    source: LabelSource = "unknown"
    values: list[str]
    n_unknown: Count = 0


class MetricSpec(Record):
    """What a metric is: enough to compute it again."""

    unit: str
    better: Better
    scale: str
    interval: str
    definition: str
    source: str
    counts_failures: bool | None = Field(
        default=None, description="whether faces that were not processed enter the value"
    )


class Spec(Record):
    """What was computed, and how, decided before the numbers were seen."""

    attributes: dict[str, AttributeSpec]
    combinations: list[list[str]]
    unit_of_resampling: Literal["person", "face"]
    units: str
    estimand: Literal["image", "subject"]
    n_boot: int
    min_n: int
    level: float = 0.95
    classes: list[str] | None = None
    bands: list[list[Number]] | None = None
    age_bands: list[float] | None = None
    margins: dict[str, float] = {}
    families: str = (
        "one metric (all its classes) x one attribute combination: every group with enough persons "
        "against the rest; its pairs, listed or not, are a second family; ratios test the "
        "hypothesis of their difference and are not adjusted again; the largest gap is adjusted "
        "over all pairs, and over the classes by Bonferroni"
    )
    pooling: str | None = Field(default=None, description="how pooled values are made")
    publish_min: int | None = Field(
        default=None, description="numbers that rest on fewer persons are hidden"
    )
    n_suppressed: int | None = Field(
        default=None, description="groups, and classes within groups, that are hidden"
    )
    slices: str | None = Field(default=None, description="how the worst slices were searched")
    adjust: Literal["max_t", "holm", "bh"] | None = Field(
        default=None,
        description="how p_adjusted and the family-adjusted interval are made: max_t, the joint "
        "bootstrap of studentised statistics at its critical value; holm, with Bonferroni's "
        "intervals, cut at 0 where only Holm rejects; bh, with intervals of which 5 % among the "
        "rejected miss their gap (Benjamini and Yekutieli, 2005)",
    )
    permute_within: Literal["age"] | None = Field(
        default=None, description="persons were permuted within decades of their median age"
    )
    primary: list[str] = Field(
        default=[], description="metrics named before the numbers were seen; the rest explores"
    )
    gates: list[str] = Field(default=[], description="age gates as LEGAL:CHALLENGE, in years")
    gate_target: Number = Field(
        default=None, description="largest share of minors that may pass, for the challenge age"
    )
    reference: dict[str, float] | None = Field(
        default=None, description="the user's mix of ages: age band -> share"
    )
    policy: PolicyInfo | None = Field(
        default=None, description="the policy that stated margins and primary metrics"
    )
    metrics: dict[str, MetricSpec]
    fairness: dict[str, MetricSpec] = {}
    aggregates: dict[str, MetricSpec] = Field(default={}, description="what each kind of spread is")
    adjustments: dict[str, str] = Field(
        default={}, description="what the kinds of adjusted gaps are"
    )
    curves: dict[str, str] = {}


class AuditResult(Record):
    """Everything an audit found.

    Examples
    --------
    >>> AuditResult.model_json_schema()["title"]
    'AuditResult'
    """

    schema_: Literal["hae-audit/audit/1"] = Field(default=SCHEMA, alias="schema")
    task: About
    run: RunInfo
    spec: Spec
    metrics: list[MetricRow]
    gaps: list[Gap]
    fairness: list[FairnessRow] = []
    slices: list[SliceRow] = []
    curves: list[CurveRow] = []
    warnings: list[Concern] = []

    def to_frame(
        self,
        table: Literal["metrics", "gaps", "fairness", "slices", "curves", "warnings"] = "metrics",
    ) -> pd.DataFrame:
        """One table of the record as a flat frame, a column per attribute of the group.

        Groups become text columns (``group.gender``, ``a.gender``, ...); a column that a row does
        not have is ``NaN`` or ``None`` there. ``scope`` tells "everyone" from an unknown group.
        """
        frame = rows_frame(getattr(self, table))
        if table in {"metrics", "curves"}:
            scopes = [",".join(row.group) or "everyone" for row in getattr(self, table)]
            frame.insert(0, "scope", scopes)
        return frame

    def to_json(self) -> str:
        """The record as JSON text, a row a line: same record, same bytes, never a bare NaN."""
        return record_text(self)

    def write(self, path: Path) -> None:
        """Write ``audit.json`` whole or not at all."""
        write_text(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> AuditResult:
        """Read ``audit.json`` back.

        Raises
        ------
        InputError
            The file is missing, is no JSON, or does not follow the schema.
        """
        return read_record(cls, path, SCHEMA, "hae-audit evaluate")

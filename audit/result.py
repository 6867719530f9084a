"""The audit record: what an audit found, as flat rows with everything needed to read them again.

``AuditResult`` is the only thing that reports, gates and comparisons read. It is written as
``audit.json`` (schema ``hae-audit/audit/1``) and published as JSON Schema by
``hae-audit schema audit``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from audit.errors import InputError
from audit.files import write_text
from audit.notes import NOTES, WARNING_CODES

SCHEMA: Literal["hae-audit/audit/1"] = "hae-audit/audit/1"

Group = dict[str, str | None]
"""Attribute -> value; ``{}`` is everyone, ``None`` as a value means "unknown" (an empty cell)."""

Task = Literal["age", "expression"]
Better = Literal["lower", "higher", "zero", "none"]
LabelSource = Literal["self_reported", "perceived", "predicted", "drawn", "unknown"]
Verdict = Literal["gap", "no material gap", "inconclusive"]


def _known_note(note: object) -> object:
    for part in str(note).split("; ") if note is not None else ():
        if part.split(":")[0] not in NOTES:
            raise ValueError(f"unknown note {part!r}; choose one of {sorted(NOTES)}")
    return note


def _known_code(code: object) -> object:
    if code not in WARNING_CODES:
        raise ValueError(f"unknown warning code {code!r}; choose one of {sorted(WARNING_CODES)}")
    return code


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Note = Annotated[str | None, BeforeValidator(_known_note)]
Code = Annotated[str, BeforeValidator(_known_code)]
Number = Annotated[float | None, BeforeValidator(_finite)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Interval(_Record):
    """A metric's value with its 95 % and 90 % intervals and the method that made them."""

    metric: str
    class_: str | None = Field(default=None, alias="class")
    value: Number
    low: Number = None
    high: Number = None
    low_90: Number = None
    high_90: Number = None
    method: str | None = None


class MetricRow(_Interval):
    """One metric in one group. ``value`` is ``None`` only with a ``note`` that says why."""

    group: Group
    null_expected: Number = Field(
        default=None, description="mean of the metric under perfect calibration at this n"
    )
    n: int = Field(
        description="faces that enter the value: known truth and processed; with the failed ones "
        "for failure_rate and *_all; those of the class for recall and precision"
    )
    n_subjects: int = Field(description="distinct persons among them")
    m_eff: Number = Field(
        default=None, description="(sum n_s)^2 / sum n_s^2 over the persons s of the group"
    )
    n_failed: int
    n_unlabelled: int
    note: Note = None


class _Gap(_Interval):
    attributes: list[str]
    p: Number = Field(default=None, description="inversion of [low, high]")
    p_adjusted: Number = None
    p_permutation: Number = None
    family: str
    margin: Number = None
    verdict: Verdict | None = None
    min_detectable: Number = None
    n_a: int | None = None
    n_b: int | None = None
    n_subjects_a: int | None = None
    n_subjects_b: int | None = None
    note: Note = None


class PairGap(_Gap):
    """M(a) - M(b) or M(a) / M(b), a and b in text order."""

    kind: Literal["difference", "ratio"]
    a: Group
    b: Group


class RestGap(_Gap):
    """M(a) - M(everyone else whose attributes are known)."""

    kind: Literal["vs_rest"]
    a: Group
    b: None = None


class RangeGap(_Gap):
    """The largest gap among the groups: a is the worst (or the largest), b the best (or least).

    ``debiased`` is the cross-fitted range: worst and best are chosen on 4/5 of the persons and
    compared on the other 1/5. It may be negative and is never floored.
    """

    kind: Literal["worst_minus_best", "max_minus_min"]
    a: Group | None = None
    b: Group | None = None
    debiased: Number = None


class AggregateGap(_Gap):
    """One number for the spread of a metric over all groups of an attribute."""

    kind: Literal["sd_between", "tau2", "gini", "garbe", "fdr", "inequity", "gei_between"]
    null_expected: Number = None


class AdjustedGap(_Gap):
    """A gap after adjusting for what the groups are made of."""

    kind: Literal["standardised_difference", "adjusted_difference", "kitagawa_mix", "kitagawa_rate"]
    a: Group
    b: Group | None = None


Gap = Annotated[
    PairGap | RestGap | RangeGap | AggregateGap | AdjustedGap, Field(discriminator="kind")
]


class FairnessRow(_Record):
    """One statistic of how the groups of an attribute combination differ, over all of them.

    Extremes over groups are biased away from parity: ``null_expected`` is the mean of the
    statistic over the same groups if they did not differ. ``group`` is set for NPMI only. What a
    statistic is says ``spec.fairness``.
    """

    metric: str
    class_: str | None = Field(default=None, alias="class")
    attributes: list[str]
    group: Group | None = None
    value: Number
    null_expected: Number = None
    n: int = Field(description="faces of the groups that enter: known truth and processed")
    n_groups: int
    note: Note = None


class CurveRow(_Record):
    """One point of a curve. What x, y and z are is said in ``spec.curves``."""

    name: str
    class_: str | None = Field(default=None, alias="class")
    group: Group
    x: float | str
    y: float | str | None
    z: Number = None
    low: Number = None
    high: Number = None
    n: int


class Concern(_Record):
    """Something a reader must know before trusting the numbers."""

    code: Code
    severity: Literal["info", "warning", "serious"]
    message: str
    where: str | None = None


class FileHash(_Record):
    """A file that the audit read."""

    name: str
    sha256: str
    bytes: int


class RunInfo(_Record):
    """Where the numbers come from."""

    model: str
    data: str | None = None
    simulated: bool = False
    files: list[FileHash] = []
    versions: dict[str, str] = {}
    seed: int
    command: str | None = None
    terms: str | None = None


class AttributeSpec(_Record):
    """An attribute, who assigned it, and the groups that occur."""

    source: LabelSource = "unknown"
    values: list[str]
    n_unknown: int = 0


class MetricSpec(_Record):
    """What a metric is: enough to compute it again."""

    unit: str
    better: Better
    scale: str
    interval: str
    definition: str
    source: str


class Spec(_Record):
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
    families: str = "one metric x one attribute combination"
    adjust: str | None = None
    metrics: dict[str, MetricSpec]
    fairness: dict[str, MetricSpec] = {}
    curves: dict[str, str] = {}


class AuditResult(_Record):
    """Everything an audit found.

    Examples
    --------
    >>> AuditResult.model_json_schema()["title"]
    'AuditResult'
    """

    schema_: Literal["hae-audit/audit/1"] = Field(default=SCHEMA, alias="schema")
    task: Task
    run: RunInfo
    spec: Spec
    metrics: list[MetricRow]
    gaps: list[Gap]
    fairness: list[FairnessRow] = []
    curves: list[CurveRow] = []
    warnings: list[Concern] = []

    def to_frame(
        self,
        table: Literal["metrics", "gaps", "fairness", "curves", "warnings"] = "metrics",
    ) -> pd.DataFrame:
        """One table of the record as a flat frame, a column per attribute of the group.

        Groups become text columns (``group.gender``, ``a.gender``, ...); a column that a row does
        not have is ``NaN`` or ``None`` there. ``scope`` tells "everyone" from an unknown group.
        """
        rows = [_flat(row.model_dump(by_alias=True, mode="json")) for row in getattr(self, table)]
        frame = pd.DataFrame(rows)
        if table in {"metrics", "curves"}:
            scopes = [",".join(row.group) or "everyone" for row in getattr(self, table)]
            frame.insert(0, "scope", scopes)
        leading = [
            name
            for name in frame.columns
            if name in {"scope", "metric", "class", "kind"}
            or name.startswith(("group.", "a.", "b."))
        ]
        return frame[[*leading, *(name for name in frame.columns if name not in leading)]]

    def to_json(self) -> str:
        """The record as JSON text, a row a line: same record, same bytes, never a bare NaN."""
        content = self.model_dump(by_alias=True, mode="json")
        parts = [f" {_dumps(key)}: {_lines(value)}" for key, value in content.items()]
        return "{\n" + ",\n".join(parts) + "\n}\n"

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
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read ({error}); give an audit.json") from None
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{path} line {error.lineno}: is no complete JSON ({error.msg}); "
                "run `hae-audit evaluate` again"
            ) from None
        found = content.get("schema") if isinstance(content, dict) else None
        if found != SCHEMA:
            raise InputError(
                f"{path}: schema is {found!r}, must be {SCHEMA!r}; "
                "use the hae-audit version that wrote it"
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{path}: {where}: {first['msg']} ({error.error_count()} such errors); "
                "see `hae-audit schema audit`"
            ) from None


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _dumps(value)
    return "[\n" + ",\n".join(f"  {_dumps(row)}" for row in value) + "\n ]"


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": text for name, text in value.items()}
        else:
            flat[key] = ",".join(value) if isinstance(value, list) else value
    return flat

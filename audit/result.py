"""The audit record: what an audit found, as flat rows with everything needed to read them again.

``AuditResult`` is the only thing that reports, gates and comparisons read. It is written as
``audit.json`` (schema ``hae-audit/audit/1``) and published as JSON Schema by
``hae-audit schema audit``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, ValidationError

from audit.errors import InputError
from audit.files import write_text
from audit.rows import (
    Better,
    Concern,
    CurveRow,
    FairnessRow,
    Gap,
    LabelSource,
    MetricRow,
    Number,
    Record,
    SliceRow,
    Task,
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
    n_unknown: int = 0


class MetricSpec(Record):
    """What a metric is: enough to compute it again."""

    unit: str
    better: Better
    scale: str
    interval: str
    definition: str
    source: str


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
    families: str = "one metric x one attribute combination"
    adjust: Literal["max_t", "holm", "bh"] | None = Field(
        default=None, description="how p_adjusted and the family-adjusted interval are made"
    )
    primary: list[str] = Field(
        default=[], description="metrics named before the numbers were seen; the rest explores"
    )
    metrics: dict[str, MetricSpec]
    fairness: dict[str, MetricSpec] = {}
    curves: dict[str, str] = {}


class AuditResult(Record):
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

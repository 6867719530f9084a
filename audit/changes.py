"""The rows of a diff between two records."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from audit.rows import About, Group, Number, Record, Verdict

DIFF_SCHEMA: Literal["hae-audit/diff/1"] = "hae-audit/diff/1"
READING = (
    "Each row says that a number is not what it was. Whether two intervals overlap is not a test: "
    "they may overlap where a difference is real, and on the same faces they say too little. "
    "`hae-audit compare` tests, on the same faces."
)


class ChangedMetric(Record):
    """A metric in a group whose value, interval, count or note changed."""

    metric: str
    class_: str | None = Field(default=None, alias="class")
    group: Group
    old: Number
    new: Number
    change: Number = Field(description="new minus old")
    intervals_overlap: bool | None = Field(description="of the 95 % intervals; not a test")
    n_old: int
    n_new: int
    note_old: str | None
    note_new: str | None


class ChangedGap(Record):
    """A gap whose value or verdict changed."""

    metric: str
    class_: str | None = Field(default=None, alias="class")
    attributes: list[str]
    kind: str
    a: Group | None = None
    b: Group | None = None
    a_old: Group | None = Field(default=None, description="of a largest gap, if others were worst")
    b_old: Group | None = None
    old: Number
    new: Number
    change: Number
    verdict_old: Verdict | None
    verdict_new: Verdict | None
    margin_old: Number
    margin_new: Number


class ChangedSetting(Record):
    """A setting of ``spec`` or a fact of ``run`` that differs; absent is null."""

    name: str
    old: Any
    new: Any


class Presence(Record):
    """A row, a group, a warning or a file that only one record has."""

    what: Literal["metric", "gap", "group", "warning", "file"]
    only_in: Literal["old", "new"]
    name: str
    detail: str | None = None


class AuditDiff(Record):
    """What changed between two records of one task, in a stable order."""

    schema_: Literal["hae-audit/diff/1"] = Field(default=DIFF_SCHEMA, alias="schema")
    task: About
    reading: str = READING
    old: str = Field(description="the model of the older record")
    new: str
    same: bool = Field(description="whether nothing changed")
    verdicts: list[ChangedGap] = Field(description="gaps whose verdict changed")
    metrics: list[ChangedMetric]
    gaps: list[ChangedGap] = Field(description="other gaps that changed")
    presence: list[Presence]
    settings: list[ChangedSetting]
    tables: list[str] = Field(description="tables that differ and are not listed row by row")
    unchanged: dict[str, int] = Field(description="how many rows are as they were")

"""What a gate found: one finding for every row that a rule of the policy judged."""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import Field

from audit.policy import ALL, Kind
from audit.result import FileHash
from audit.rows import About, Group, Note, Number, Record, Verdict
from audit.verdict import LimitVerdict

GATE_SCHEMA: Literal["hae-audit/gate/1"] = "hae-audit/gate/1"
Outcome = Literal["passed", "failed", "warned", "skipped"]
How = Literal["paired", "independent"]


class Change(Record):
    """How much larger a gap is, or how much worse a value, than in the baseline; above 0: worse."""

    value: Number
    low: Number = None
    high: Number = None
    how: How = Field(
        description="paired: on the same faces, those that both models processed; independent: "
        "from two records as if of different faces, with wider intervals"
    )
    before: Number = Field(description="the row's value in the baseline")
    failed_before: bool = Field(description="whether the baseline fails the same rule here")
    a: Group | None = Field(
        default=None, description="of a largest gap: the groups that were compared in both"
    )
    b: Group | None = None


class Finding(Record):
    """One rule applied to one row; or to nothing, which fails.

    Numbers are those of the row, under its names; ``interval`` says which of its intervals gave the
    verdict. ``a`` alone is the group of a value, or the one that is set against everyone else.
    """

    rule: str
    index: int = Field(description="of the rule in the policy, from 0")
    metric: str
    class_: str | None = Field(default=None, alias="class")
    attributes: list[str]
    kind: Kind
    a: Group | None = None
    b: Group | None = None
    value: Number = None
    low: Number = None
    high: Number = None
    low_90: Number = None
    high_90: Number = None
    low_adjusted: Number = None
    high_adjusted: Number = None
    interval: Literal["95 %", "90 %", "family-adjusted 95 %"] | None = None
    bound: float = Field(description="the margin, or the limit")
    unit: str = ""
    verdict: Verdict | LimitVerdict | None = None
    outcome: Outcome
    note: Note = Field(default=None, description="of the row")
    reason: str | None = Field(default=None, description="why the outcome is what it is")
    change: Change | None = None

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The limits that gave the verdict."""
        if self.interval == "family-adjusted 95 %":
            return self.low_adjusted, self.high_adjusted
        return (self.low, self.high) if self.interval == "95 %" else (self.low_90, self.high_90)

    @property
    def key(self) -> tuple[object, ...]:
        """What the finding is about, the same in two records; not who is worst."""
        fixed = self.kind != "worst_minus_best"
        sides = tuple(
            tuple(sorted(side.items(), key=str)) if side is not None and fixed else None
            for side in (self.a, self.b)
        )
        metric = self.metric.removesuffix(ALL)  # without failures a record has no <metric>_all
        return self.rule, metric, self.class_, tuple(sorted(self.attributes)), *sides


class Judged(Record):
    """A record that was read, and the hash of its file."""

    model: str
    data: str | None = None
    file: FileHash


class GatePolicy(Record):
    """The policy of a gate, and whether it is the one that the audit was made under."""

    name: str
    date: datetime.date | None = None
    sha256: str
    declared: Literal["same", "another", "none"]


class GateResult(Record):
    """What a gate found. It is passed if no finding failed."""

    schema_: Literal["hae-audit/gate/1"] = Field(default=GATE_SCHEMA, alias="schema")
    task: About
    policy: GatePolicy
    record: Judged
    baseline: Judged | None = None
    compared: list[How] = Field(default=[], description="how changes since it were compared")
    passed: bool
    counts: dict[Outcome, int]
    findings: list[Finding]
    remarks: list[str] = Field(default=[], description="what to know before trusting the outcome")

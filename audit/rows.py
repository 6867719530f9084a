"""The rows of an audit record: flat, tidy, each with what is needed to read it alone."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from audit.notes import NOTES, WARNING_CODES

Group = dict[str, str | None]
"""Attribute -> value; ``{}`` is everyone, ``None`` as a value means "unknown" (an empty cell)."""

Task = Literal["age", "expression"]
About = Literal["age", "expression", "data"]
"""What a record is about: a task of a model, or a data set before any model."""
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
Count = int | None
"""How many; ``None`` only where a record was made fit for publication."""


class Record(BaseModel):
    """A frozen value of the record that knows no further fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Interval(Record):
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
    p: Number = Field(
        default=None, description="p of the hypothesis that the metric's definition names, if any"
    )
    n: Count = Field(
        description="faces that enter the value: known truth and processed; with the failed ones "
        "for failure_rate and *_all; those of the class for recall and precision"
    )
    n_subjects: Count = Field(description="distinct persons among them")
    m_eff: Number = Field(
        default=None, description="(sum n_s)^2 / sum n_s^2 over the persons s of the group"
    )
    n_failed: Count
    n_unlabelled: Count
    pooled: Number = Field(
        default=None, description="partially pooled value: shrunk towards what the attributes say"
    )
    pooled_low: Number = None
    pooled_high: Number = None
    note: Note = None


class _Gap(_Interval):
    attributes: list[str]
    p: Number = Field(default=None, description="inversion of [low, high]")
    low_adjusted: Number = Field(
        default=None, description="95 % limits that hold for all gaps of the family together"
    )
    high_adjusted: Number = None
    p_adjusted: Number = Field(
        default=None, description="p that holds for all gaps of the family together"
    )
    p_permutation: Number = Field(
        default=None,
        description="studentised permutation of whole persons between a group and the rest, for "
        "the primary metrics (if none is named, mae, band accuracy or accuracy)",
    )
    effect_size: Number = Field(
        default=None,
        description="difference over the standard deviation of one face's error: of the signed "
        "error for metrics in years, sqrt(p (1 - p)) for proportions",
    )
    family: str
    margin: Number = None
    verdict: Verdict | None = None
    min_detectable: Number = Field(
        default=None,
        description="true gap, towards worse, that the adjusted test finds in 80 % of such "
        "samples: (critical value + 0.84) standard errors on the scale of the test, a little more "
        "as they are estimates; M (exp(that) - 1) for positive errors; for proportions with the "
        "pooled error under the hypothesis and the unpooled one under the gap",
    )
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
    a: None = None
    b: None = None
    null_expected: Number = Field(
        default=None, description="mean of the aggregate if the groups did not differ"
    )
    within: Number = Field(
        default=None, description="gei_between only: the index within the groups"
    )


class AdjustedGap(_Gap):
    """A gap after adjusting for what the groups are made of, or a part of it that this explains.

    kitagawa_mix + kitagawa_rate is the plain difference.
    """

    kind: Literal["standardised_difference", "adjusted_difference", "kitagawa_mix", "kitagawa_rate"]
    a: Group
    b: Group | None = None
    reference: Literal["pooled", "uniform", "user"] | None = Field(
        default=None,
        description="the mix that both groups are given: that of everyone, the same "
        "share for all strata, or the user's",
    )
    adjusts_for: list[str] = Field(default=[], description="what is held equal: age, class, ...")


Gap = Annotated[
    PairGap | RestGap | RangeGap | AggregateGap | AdjustedGap, Field(discriminator="kind")
]


class FairnessRow(Record):
    """One statistic of how the groups of an attribute combination differ, over all of them.

    Extremes over groups are biased away from parity: ``null_expected`` is the mean of the
    statistic over the same groups if they did not differ. ``group`` is set for statistics of one
    group. What a statistic is says ``spec.fairness``.
    """

    metric: str
    class_: str | None = Field(default=None, alias="class")
    attributes: list[str]
    group: Group | None = None
    value: Number
    low: Number = Field(default=None, description="95 % interval by person, where one is made")
    high: Number = None
    method: str | None = None
    null_expected: Number = None
    p: Number = Field(
        default=None, description="p of the hypothesis that nothing but chance is there, if tested"
    )
    n: Count = Field(description="faces of the groups that enter: known truth and processed")
    n_groups: int
    note: Note = None


class SliceRow(Record):
    """A slice of people found on one half of the persons and measured on the other half.

    ``value`` is the metric of the slice, ``gap`` the slice minus everyone else with its interval,
    all on the confirming half. ``found`` is the gap on the half that chose the slice: it flatters.
    """

    metric: str
    class_: str | None = Field(default=None, alias="class")
    group: Group
    value: Number
    gap: Number
    low: Number = None
    high: Number = None
    p: Number = None
    p_adjusted: Number = Field(default=None, description="Holm over the slices found")
    confirmed: bool | None = Field(
        default=None,
        description="whether p_adjusted is below 0.05 and the slice is worse on this half too",
    )
    found: Number = Field(description="the gap on the half that chose the slice")
    n: Count
    n_subjects: Count
    note: Note = None


class CurveRow(Record):
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
    n_subjects: int | None = Field(default=None, description="distinct persons among the n faces")
    note: Note = None


class Concern(Record):
    """Something a reader must know before trusting the numbers."""

    code: Code
    severity: Literal["info", "warning", "serious"]
    message: str
    where: str | None = None

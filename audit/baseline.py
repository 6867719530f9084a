"""Worse than before? The change of a finding since the same rule was applied to an older record.

Both sides are turned so that more is worse: the size of a gap (of a ratio: the larger over the
smaller), a value whose lower or higher side is better, the distance from 0. The change is new minus
old.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from audit.errors import InputError
from audit.findings import Change, Finding
from audit.result import AuditResult
from audit.rows import Better

Side = tuple[float, float | None, float | None]


def independent(new: Finding, old: Finding, better: Better) -> Change:
    """The change between two records as if of different faces.

    From each side's value x and 95 % interval [l, u]: x1 - x2, with the limits
    x1 - x2 - sqrt((x1 - l1)^2 + (u2 - x2)^2) and x1 - x2 + sqrt((u1 - x1)^2 + (x2 - l2)^2) (square
    and add: Zou and Donner, 2008, doi:10.1002/sim.3095). On the same faces errors go together, so
    the interval is wider than it need be: a growth may go unseen. That of a largest gap covers
    having picked it, on both sides, and is wider still.
    """
    one, two = side_of(new, better), side_of(old, better)
    failed = old.outcome == "failed"
    (x, low, high), (y, low_y, high_y) = one, two
    if low is None or high is None or low_y is None or high_y is None:
        return Change(value=x - y, how="independent", before=old.value, failed_before=failed)
    return Change(
        value=x - y,
        low=x - y - math.hypot(x - low, high_y - y),
        high=x - y + math.hypot(high - x, y - low_y),
        how="independent",
        before=old.value,
        failed_before=failed,
    )


def side_of(finding: Finding, better: Better) -> Side:
    """A finding's value and 95 % interval, turned so that more is worse.

    An interval that holds both signs of a gap has 0 (a ratio: 1) as its lower end.
    """
    assert finding.value is not None
    value, low, high = finding.value, finding.low, finding.high
    if finding.kind == "value" and better in {"lower", "none"}:
        return value, low, high
    if finding.kind == "value" and better == "higher":
        return -value, _negative(high), _negative(low)
    if finding.kind == "ratio":
        return _folded(value, low, high)
    size = abs(value)
    if low is None or high is None:
        return size, None, None
    return size, max(low, -high, 0.0), max(-low, high)


def _negative(x: float | None) -> float | None:
    return None if x is None else -x


def _folded(value: float, low: float | None, high: float | None) -> Side:
    if value <= 0:
        return math.inf, None, None
    size = max(value, 1 / value)
    if low is None or high is None or low <= 0:
        return size, None, None
    return size, max(low, 1 / high, 1.0), max(high, 1 / low)


def excused(finding: Finding, change: Change | None, worse_by: float) -> Finding:
    """What a failed finding becomes beside the baseline.

    It is excused, with a warning, only if the baseline fails the same rule in the same place and
    the change is not shown to be above ``worse_by`` (the lower limit of its 95 % interval is not).
    """
    if finding.outcome != "failed":
        return finding
    if change is None:
        return _because(finding, "the baseline has no such row")
    finding = finding.model_copy(update={"change": change})
    if not change.failed_before:
        return _because(finding, "the baseline passes this")
    if change.low is None:
        return _because(finding, "the change since the baseline has no interval")
    if change.low > worse_by:
        return _because(finding, "worse than the baseline")
    finding = finding.model_copy(update={"outcome": "warned"})
    return _because(finding, "fails as the baseline does, and is not shown to be worse")


def _because(finding: Finding, why: str) -> Finding:
    parts = [finding.reason, why]
    return finding.model_copy(update={"reason": "; ".join(part for part in parts if part)})


def check_baseline(new: AuditResult, old: AuditResult, metrics: Mapping[str, str]) -> None:
    """Refuse a baseline that answers another question.

    Raises
    ------
    InputError
        Another task, estimand, or definition of a metric that a rule judges (``metrics``: metric
        -> rule).
    """
    place = "--baseline"
    if new.task != old.task:
        raise InputError(f"{place}: its task is {old.task}, that of the record {new.task}")
    if new.spec.estimand != old.spec.estimand:
        raise InputError(
            f"{place}: its estimand is a random {old.spec.estimand}, that of the record a random "
            f"{new.spec.estimand}; audit both with the same --estimand"
        )
    for metric, rule in metrics.items():
        one, two = new.spec.metrics.get(metric), old.spec.metrics.get(metric)
        if one and two and (one.definition, one.unit) != (two.definition, two.unit):
            raise InputError(
                f"{place}: {metric} of rule {rule!r} is {two.definition!r} there and "
                f"{one.definition!r} here; audit the older predictions again"
            )

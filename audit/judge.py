"""One rule of a policy, applied to one row of a record."""

from __future__ import annotations

from collections.abc import Sequence

from audit.findings import Finding, Outcome
from audit.policy import ALL, Rule
from audit.result import AuditResult
from audit.rows import Gap, MetricRow, RangeGap
from audit.verdict import MIN_EFFECTIVE, NO_MARGIN, limit_verdict, verdict

GOOD = frozenset({"no material gap", "within the limit"})
BAD = frozenset({"gap", "beyond the limit"})
_ENDS = ("value", "low", "high", "low_90", "high_90")


def judged_metric(result: AuditResult, rule: Rule) -> str:
    """The metric that a rule judges: with failed faces as wrong where the record has that."""
    counted = rule.metric + ALL
    known = rule.failure == "not_passed" and counted in result.spec.metrics
    return counted if known else rule.metric


def floor_of(result: AuditResult, rule: Rule) -> int:
    """The fewest persons that can acquit."""
    return rule.min_persons or result.spec.min_n


def of_value(result: AuditResult, rule: Rule, index: int, row: MetricRow) -> Finding:
    """A rule on the metric itself, in one group."""
    assert rule.limit is not None
    floor = floor_of(result, rule)
    found = limit_verdict(row, rule.limit, result.spec.metrics[row.metric].better)
    reason = None
    small = (row.n_subjects or 0) < floor and found not in BAD
    if small:
        found = "inconclusive" if found in GOOD else found
        reason = f"{row.n_subjects} persons, below {floor}"
    elif found == "inconclusive" and row.m_eff is not None and row.m_eff < MIN_EFFECTIVE:
        reason = f"fewer than {MIN_EFFECTIVE} effective persons"
    return finding(
        result, rule, index, row.metric, list(row.group), class_=row.class_, a=row.group,
        verdict=found, interval="95 %" if found in BAD else "90 %" if found else None,
        outcome=outcome_of(rule, found, small=small), note=_note(row.note), reason=reason,
        **{name: getattr(row, name) for name in _ENDS},
    )  # fmt: skip


def of_gap(
    result: AuditResult, rule: Rule, index: int, gap: Gap, rows: Sequence[MetricRow]
) -> Finding:
    """A rule on a gap; ``rows`` are the metric in all groups that are compared."""
    assert rule.margin is not None
    own = [row for row in rows if row.class_ == gap.class_]
    left_out = isinstance(gap, RangeGap) and rule.small_groups == "skip"
    whole = left_out and _all_large_judged(result, rule, own)
    found = verdict(_without(gap, "below_min_n") if whole else gap, rule.margin)
    few = _too_few(gap, own, floor_of(result, rule)) if found != "gap" else None
    if few and left_out:
        few = f"left out: {few}"
    elif few and found == "no material gap":
        found = "inconclusive"
    skipped = bool(few) and not isinstance(gap, RangeGap)
    interval = "family-adjusted 95 %" if found in BAD else "90 %"
    return finding(
        result, rule, index, gap.metric, gap.attributes, class_=gap.class_,
        a=getattr(gap, "a", None), b=getattr(gap, "b", None),
        verdict=found, interval=interval if found else None,
        outcome=outcome_of(rule, found, small=skipped), reason=few,
        note=_note(gap.note, *(("below_min_n",) if few else ())),
        low_adjusted=gap.low_adjusted, high_adjusted=gap.high_adjusted,
        **{name: getattr(gap, name) for name in _ENDS},
    )  # fmt: skip


def _all_large_judged(result: AuditResult, rule: Rule, own: Sequence[MetricRow]) -> bool:
    """Whether the record left no group out of its largest gap but those that the rule leaves out.

    It leaves out groups below its own ``min_n``, which may be above ``min_persons``.
    """
    floor, least = floor_of(result, rule), result.spec.min_n
    return all(
        n < floor or (n >= least and row.value is not None)
        for row in own
        for n in (row.n_subjects or 0,)
    )


def _too_few(gap: Gap, own: Sequence[MetricRow], floor: int) -> str | None:
    """Which side of a gap, or which of the groups that it is the largest among, is too small."""
    if not isinstance(gap, RangeGap):
        least = min((n for n in (gap.n_subjects_a, gap.n_subjects_b) if n is not None), default=0)
        return f"{least} persons on a side, below {floor}" if least < floor else None
    small = sorted(
        (row.n_subjects or 0, " x ".join(map(str, row.group.values())))
        for row in own
        if (row.n_subjects or 0) < floor
    )
    if not small:
        return None
    shown = ", ".join(f"{label} ({n})" for n, label in small[:3])
    more = f" and {len(small) - 3} more" if len(small) > 3 else ""
    return f"{len(small)} of {len(own)} groups have under {floor} persons: {shown}{more}"


def outcome_of(rule: Rule, verdict: str | None, *, small: bool) -> Outcome:
    """What a verdict means under a rule; ``small``: too few persons to acquit the row."""
    if verdict in BAD:
        return "failed"
    if small and rule.small_groups == "skip":
        return "skipped"
    if verdict in GOOD:
        return "passed"
    outcomes: dict[str, Outcome] = {"fail": "failed", "warn": "warned", "pass": "passed"}
    return outcomes[rule.inconclusive]


def _note(note: str | None, *but: str) -> str | None:
    """A note less some of its codes; that no margin was stated is not true of a rule."""
    parts = note.split("; ") if note else []
    return "; ".join(part for part in parts if part.split(":")[0] not in {NO_MARGIN, *but}) or None


def _without(gap: Gap, code: str) -> Gap:
    """A row less one of its notes."""
    return gap.model_copy(update={"note": _note(gap.note, code)})


def finding(
    result: AuditResult, rule: Rule, index: int, metric: str, names: Sequence[str],
    **content: object,
) -> Finding:  # fmt: skip
    """A finding with what rule and record say of it."""
    return Finding.model_validate(
        {
            "rule": rule.title,
            "index": index,
            "metric": metric,
            "attributes": list(names),
            "kind": rule.kind,
            "bound": rule.limit if rule.kind == "value" else rule.margin,
            "unit": "" if rule.kind == "ratio" else result.spec.metrics[metric].unit,
            **content,
        }
    )

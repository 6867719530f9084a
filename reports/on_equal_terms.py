"""What stays of the largest gap of an attribute when its two groups are given equal terms."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import AdjustedGap, Gap, RangeGap
from reports.format import (
    amount,
    bracketed,
    capital,
    listed,
    note_codes,
    note_words,
    number,
    plain,
    without_margin,
)
from reports.language import say
from reports.lookup import better, unit
from reports.words import level_words


def adjusted(result: AuditResult, gap: RangeGap) -> AdjustedGap | None:
    """The row of the same two groups on equal terms: adjusted by regression, else standardised."""
    sides = (gap.a, gap.b)
    rows = [
        row
        for row in result.gaps
        if isinstance(row, AdjustedGap)
        and (row.metric, row.class_) == (gap.metric, gap.class_)
        and row.b is not None
        and (sides in ((row.a, row.b), (row.b, row.a)))
    ]
    wanted = (("adjusted_difference", None), ("standardised_difference", "pooled"))
    for kind in wanted:
        for row in rows:
            if (row.kind, row.reference) == kind and row.value is not None:
                return row
    return None


def oriented(result: AuditResult, row: AdjustedGap, gap: RangeGap) -> AdjustedGap:
    """The adjusted row as the worst less the best, in the direction in which more is worse."""
    higher = gap.kind == "worst_minus_best" and better(result, gap.metric) == "higher"
    if (row.a == gap.a) != higher:
        return row
    ends = {"value": row.value, "low": row.high, "high": row.low}
    turned = {name: None if end is None else -end for name, end in ends.items()}
    return row.model_copy(update=turned)


def stays(result: AuditResult, gap: RangeGap, row: AdjustedGap) -> str:
    """What is left on equal terms, by the verdict of the adjusted row."""
    terms = listed([plain(name) for name in row.adjusts_for]) or say("what groups are made of")
    done = (
        say("after adjusting for {terms}", terms=terms)
        if row.kind == "adjusted_difference"
        else say("at the same mix of {terms}", terms=terms)
    )
    start = capital(done)
    u = unit(result, row.metric)
    size = bracketed(amount(row.value, u), ends_words(result, row, u))
    same = (row.value or 0.0) > 0
    if row.verdict == "gap" and not same:
        return say("The gap is turned round {equal}: {size}.", equal=done, size=size)
    if row.verdict == "gap" and gap.verdict == "gap":
        return say("The gap stays {equal}: {size}.", equal=done, size=size)
    if row.verdict == "gap":
        return say("The gap is there {equal}: {size}.", equal=done, size=size)
    if row.verdict == "no material gap":
        return say("{equal} no material gap remains: {size}.", equal=start, size=size)
    if "below_min_n" in note_codes(row.note):
        why = note_words(without_margin(row.note))
        return say("{equal} it is {size}, not tested: {why}.", equal=start, size=size, why=why)
    if row.verdict == "inconclusive":
        return say("{equal} it is {size}: inconclusive.", equal=start, size=size)
    if row.low is None or row.high is None:
        return say("{equal} it is {size}.", equal=start, size=size)
    if row.low <= 0 <= row.high:
        return say("{equal} it is {size}: the interval includes 0.", equal=start, size=size)
    if same:
        return say("{equal} it is {size}: the interval still excludes 0.", equal=start, size=size)
    return say(
        "{equal} it is {size}: the interval excludes 0 on the other side.", equal=start, size=size
    )


def ends_words(result: AuditResult, gap: Gap, u: str) -> str:
    """``95 % interval 0.60 to 0.89``, or nothing."""
    if gap.low is None or gap.high is None:
        return ""
    return say(
        "{level} interval {low} to {high}",
        level=level_words(result), low=number(gap.low, u), high=number(gap.high, u),
    )  # fmt: skip

"""What stays of the largest gap of an attribute when its two groups are given equal terms."""

from __future__ import annotations

from audit.result import AuditResult
from audit.rows import AdjustedGap, Gap, RangeGap
from reports.format import listed, note_codes, note_words, number, plain, unit_word, without_margin
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
    terms = listed([plain(name) for name in row.adjusts_for]) or "what groups are made of"
    how = "after adjusting for" if row.kind == "adjusted_difference" else "at the same mix of"
    done = f"{how} {terms}"
    start = f"{done[:1].upper()}{done[1:]}"
    u = unit(result, row.metric)
    size = " ".join(filter(None, (number(row.value, u), unit_word(u)))) + ends_words(result, row, u)
    same = (row.value or 0.0) > 0
    if row.verdict == "gap" and not same:
        return f"The gap is turned round {done}: {size}."
    if row.verdict == "gap":
        stays = "stays" if gap.verdict == "gap" else "is there"
        return f"The gap {stays} {done}: {size}."
    if row.verdict == "no material gap":
        return f"{start} no material gap remains: {size}."
    if "below_min_n" in note_codes(row.note):
        return f"{start} it is {size}, not tested: {note_words(without_margin(row.note))}."
    if row.verdict == "inconclusive":
        return f"{start} it is {size}: inconclusive."
    if row.low is None or row.high is None:
        return f"{start} it is {size}."
    if row.low <= 0 <= row.high:
        return f"{start} it is {size}: the interval includes 0."
    side = "still excludes 0" if same else "excludes 0 on the other side"
    return f"{start} it is {size}: the interval {side}."


def ends_words(result: AuditResult, gap: Gap, u: str) -> str:
    """``(95 % interval 0.60 to 0.89)`` with a space before it, or nothing."""
    if gap.low is None or gap.high is None:
        return ""
    return f" ({level_words(result)} interval {number(gap.low, u)} to {number(gap.high, u)})"

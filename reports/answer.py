"""The answer on the first screen: sentences made from rows of the record.

A sentence says what its row says. Verdicts are read, never made: no margin and no limit is applied
here. "Stays after adjusting" is said only where a row of the adjusted difference has the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.result import AuditResult
from audit.rows import Gap, Group, RangeGap
from reports.format import (
    amount,
    bracketed,
    combination_label,
    group_label,
    listed,
    metric_title,
    number,
    plain,
    row_estimate,
    sentences,
)
from reports.language import english, say
from reports.lookup import better, defined_by_age, headline, metric_row, range_gap, unit
from reports.on_equal_terms import adjusted, ends_words, oriented, stays
from reports.words import gate_words, margin_words

MAX_LEADING = 2
"""So many gaps get a sentence of their own; the table beside them has all."""
_QUESTIONS = {
    "age": english("How well are ages estimated?"),
    "expression": english("How well are expressions recognised?"),
}
_WHATEVER = {
    "age": english("Are ages estimated equally well whatever the {names}?"),
    "expression": english("Are expressions recognised equally well whatever the {names}?"),
}


def question(result: AuditResult) -> str:
    """What the audit asks, in its own terms."""
    names = list(dict.fromkeys(name for group in result.spec.combinations for name in group))
    if not names:
        return say(_QUESTIONS[result.task])
    return say(_WHATEVER[result.task], names=listed([plain(name) for name in names]))


def answers(result: AuditResult) -> tuple[str, ...]:
    """The answer, the gravest finding first; never empty.

    Gaps and, without a margin, differences whose interval excludes 0 are told one by one; what is
    not settled is named; groups made of age and age gates have a sentence of their own.
    """
    metric = headline(result)
    if metric is None:
        return (say("No metric has a value in this record. The section “Not tested” says why."),)
    found = {tuple(names): range_gap(result, metric, names) for names in result.spec.combinations}
    rows = {k: gap for k, gap in found.items() if gap is not None and gap.value is not None}
    own = [gap for names, gap in rows.items() if not defined_by_age(result, names)]
    said = [*_leading(result, own), *_settled(result, own), *_open(result, own)]
    of_age = [gap for names, gap in rows.items() if defined_by_age(result, names)]
    said += [
        _of_age(result, gap) for gap in sorted(of_age, key=lambda gap: len(gap.attributes))[:1]
    ]
    if not rows:
        said.append(say("No difference between groups could be computed; the table says why."))
    elif all(gap.margin is None for gap in rows.values()):
        said.append(say("No margin was stated, so whether a difference matters is not judged."))
    return (*said, *_gates(result))


def _leading(result: AuditResult, gaps: Sequence[RangeGap]) -> list[str]:
    told = [gap for gap in gaps if _is_told(gap)]
    told.sort(key=lambda g: (g.verdict != "gap", len(g.attributes), -(g.value or 0.0)))
    said = [_gap(result, gap) for gap in told[:MAX_LEADING]]
    if rest := told[MAX_LEADING:]:
        said.append(say("There is also a difference {by}: the table has it.", by=_by(rest)))
    return said


def _is_told(gap: RangeGap) -> bool:
    return gap.verdict == "gap" or (gap.verdict is None and bool(gap.low and gap.low > 0))


def _settled(result: AuditResult, gaps: Sequence[RangeGap]) -> list[str]:
    rows = [gap for gap in gaps if gap.verdict == "no material gap"]
    if not rows:
        return []
    return [
        say(
            "No material gap {by}: the 90 % interval is inside the margin of {margin}.",
            by=_by(rows), margin=margin_words(rows[0], unit(result, rows[0].metric)),
        )
    ]  # fmt: skip


def _open(result: AuditResult, gaps: Sequence[RangeGap]) -> list[str]:
    rows = [gap for gap in gaps if not _is_told(gap) and gap.verdict != "no material gap"]
    if not rows:
        return []
    if any(row.verdict for row in rows):
        margin = margin_words(rows[0], unit(result, rows[0].metric))
        words = english("Inconclusive {by}: neither outside nor inside the margin of {margin}.")
        return [say(words, by=_by(rows), margin=margin)]
    return [say("Inconclusive {by}: a difference is neither shown nor ruled out.", by=_by(rows))]


def _gap(result: AuditResult, gap: RangeGap) -> str:
    """The largest gap of one combination, what its verdict is, and what stays on equal terms."""
    first = _finding(result, gap)
    row = adjusted(result, gap)
    return (
        first if row is None else sentences(first, stays(result, gap, oriented(result, row, gap)))
    )


def _amount(result: AuditResult, gap: RangeGap) -> str:
    """``By sex: ages of A are estimated 0.73 years worse than those of B (95 % ...)``."""
    u = unit(result, gap.metric)
    names, size = combination_label(gap.attributes), amount(gap.value, u)
    title, ends = metric_title(gap.metric), ends_words(result, gap, u)
    if gap.a is None or gap.b is None:
        words = english("By {names}: groups differ by {size} in {metric}")
        return bracketed(say(words, names=names, size=size, metric=title), ends)
    a, b = _quoted(gap.a), _quoted(gap.b)
    if gap.metric == "mae":
        words = english("By {names}: ages of {a} are estimated {size} worse than those of {b}")
        return bracketed(say(words, names=names, a=a, size=size, b=b), ends)
    lower = gap.kind == "worst_minus_best" and better(result, gap.metric) == "higher"
    words = (
        english("By {names}: {metric} is {size} lower for {a} than for {b}")
        if lower
        else english("By {names}: {metric} is {size} higher for {a} than for {b}")
    )
    return bracketed(say(words, names=names, metric=title, size=size, a=a, b=b), ends)


def _finding(result: AuditResult, gap: RangeGap) -> str:
    """The sentence of one gap, with its verdict."""
    if gap.verdict != "gap":
        return say("{finding}.", finding=_amount(result, gap))
    return say(
        "{finding}, a gap beyond the margin of {margin}.",
        finding=_amount(result, gap), margin=margin_words(gap, unit(result, gap.metric)),
    )  # fmt: skip


def _of_age(result: AuditResult, gap: RangeGap) -> str:
    found = (
        _finding(result, gap)
        if _is_told(gap)
        else say("{finding}, inconclusive.", finding=_amount(result, gap))
    )
    return sentences(found, say("Groups of age: partly regression to the mean."))


def _gates(result: AuditResult) -> list[str]:
    """What the first gate does, and its widest gap."""
    for gate in result.spec.gates[:1]:
        row = metric_row(result, "gate_fpr", {}, gate)
        if row is None or row.value is None:
            return []
        said = gate_words(gate, row_estimate(row, unit(result, "gate_fpr")))
        wide = [
            gap
            for gap in result.gaps
            if isinstance(gap, RangeGap)
            and (gap.metric, gap.class_) == ("gate_fpr", gate)
            and _is_told(gap)
            and not defined_by_age(result, gap.attributes)
        ]
        if not wide:
            return [say("{share}; no difference between groups is shown in it.", share=said)]
        gap = max(wide, key=lambda found: (found.verdict == "gap", found.value or 0.0))
        more = say(
            "{share}; by {names} {a} {size} more than {b}",
            share=said, names=combination_label(gap.attributes), size=number(gap.value),
            a=_quoted(gap.a or {}), b=_quoted(gap.b or {}),
        )  # fmt: skip
        return [say("{finding}.", finding=bracketed(more, ends_words(result, gap, "")))]
    return []


def _by(gaps: Sequence[Gap]) -> str:
    return say("by {names}", names=listed([combination_label(gap.attributes) for gap in gaps]))


def _quoted(group: Group) -> str:
    return f"“{group_label(group)}”"

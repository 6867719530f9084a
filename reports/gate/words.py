"""A finding of a gate in one line, always in English: it is for logs and tools, not for a page."""

from __future__ import annotations

from audit.findings import Finding, GateResult, Outcome
from reports.format import (
    EVERYONE,
    combination_label,
    estimate,
    group_label,
    metric_label,
    note_words,
    number,
    plain,
    plural,
    unit_word,
)

TAGS: dict[Outcome, str] = {"passed": "PASS", "failed": "FAIL", "warned": "WARN", "skipped": "SKIP"}
_KINDS = {"worst_minus_best": "largest gap", "ratio": "ratio"}


def subject(finding: Finding) -> str:
    """What a finding is about: ``mae by gender: largest gap, female against male``."""
    metric = metric_label(finding.metric, finding.class_)
    by = f" by {combination_label(finding.attributes)}" if finding.attributes else ""
    parts = [_KINDS.get(finding.kind), _sides(finding)]
    what = ", ".join(part for part in parts if part)
    return f"{metric}{by}: {what}" if what else metric + by


def _sides(finding: Finding) -> str | None:
    if finding.a is None:
        return None
    a = group_label(finding.a)
    if finding.b is not None:
        return f"{a} {'over' if finding.kind == 'ratio' else 'against'} {group_label(finding.b)}"
    return f"{a} against {EVERYONE} else" if finding.kind == "vs_rest" else a


def bound(finding: Finding) -> str:
    """The margin or the limit, in its unit."""
    name = "limit" if finding.kind == "value" else "margin"
    return f"{name} {measured(finding, finding.bound)}"


def measured(finding: Finding, value: float | None) -> str:
    """A number in the unit of the finding."""
    return " ".join(filter(None, (number(value, finding.unit), unit_word(finding.unit))))


def value(finding: Finding) -> str:
    """The value with the interval that gave the verdict."""
    text = estimate(finding.value, *finding.ends, finding.unit, unit_word(finding.unit))
    known = finding.interval is not None and finding.ends[0] is not None
    return f"{text} ({finding.interval})" if known else text


def because(finding: Finding) -> str:
    """The verdict, and what stands beside it."""
    reason = plain(finding.reason or "")
    told = (finding.verdict or "no verdict", reason, note_words(finding.note))
    return "; ".join(part for part in (*told, change_words(finding)) if part)


def change_words(finding: Finding) -> str:
    """How the finding changed since the baseline."""
    change = finding.change
    if change is None:
        return ""
    told = estimate(change.value, change.low, change.high, finding.unit)
    before = number(change.before, finding.unit)
    return f"before {before}; worse by {told} (95 %, {change.how})"


def line(finding: Finding) -> str:
    """One finding in one line, less its outcome; the rule is named unless that says no more."""
    told = [subject(finding)]
    if finding.value is not None:
        told.append(f"{value(finding)}, {bound(finding)}")
    told.append(because(finding))
    rule = plain(finding.rule)
    return ": ".join(told) + ("" if told[0].startswith(rule) else f" [{rule}]")


def conclusion(result: GateResult) -> str:
    """The outcome of the whole gate in one line."""
    counts = result.counts
    n = sum(counts.values())
    words: dict[Outcome, str] = {
        "failed": "failed",
        "warned": "warned",
        "skipped": "skipped",
    }
    parts = [f"{counts[name]} {word}" for name, word in words.items() if counts.get(name)]
    outcome = "passed" if result.passed else "failed"
    told = f": {', '.join(parts)}" if parts else ""
    return f"gate {outcome}: {plural(n, '{n} finding', '{n} findings')}{told}"

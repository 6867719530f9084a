"""What to know before trusting the outcome of a gate."""

from __future__ import annotations

from collections.abc import Set
from typing import Literal

from audit.comparison import SCOPE
from audit.declared import Declared
from audit.findings import How
from audit.judge import judged_metric
from audit.result import AuditResult


def declaration(result: AuditResult, declared: Declared) -> Literal["same", "another", "none"]:
    """Whether the audit was made under this policy, byte for byte; under another, or none."""
    known = result.spec.policy
    if known is None:
        return "none"
    return "same" if known.sha256 == declared.sha256 else "another"


def remarks(result: AuditResult, declared: Declared) -> list[str]:
    """Sentences on the declaration, failed faces and serious warnings."""
    said = {
        "same": (),
        "another": ("the audit was made under another policy than this one",),
        "none": ("the audit was made without a policy: this one may have been chosen afterwards",),
    }
    found = [*said[declaration(result, declared)], *_failures(result, declared)]
    found += [
        f"the record warns: {warning.message}"
        for warning in result.warnings
        if warning.severity == "serious"
    ]
    if result.run.simulated:
        found.append("the faces are simulated; nothing here describes real people")
    return found


def _failures(result: AuditResult, declared: Declared) -> list[str]:
    """Failed faces that no rule looks at: a model may fail on the faces that it finds hard."""
    everyone = [row for row in result.metrics if not row.group]
    failed = max((row.n_failed or 0 for row in everyone), default=0)
    rules = declared.policy.rules
    if not failed or any(rule.metric == "failure_rate" for rule in rules):
        return []
    names = dict.fromkeys(judged_metric(result, rule) for rule in rules)
    left_out = [name for name in names if result.spec.metrics[name].counts_failures is False]
    if not left_out:
        return []
    return [
        f"{failed} failed faces are not in {', '.join(left_out)}, and no rule is on failure_rate"
    ]


def of_baseline(new: AuditResult, old: AuditResult, hows: Set[How], why: str | None) -> list[str]:
    """Sentences on how changes were compared: ``why`` says why they could not be paired."""
    found = []
    if "paired" in hows:
        found.append(f"changes since the baseline are paired, on the same faces; {SCOPE}")
    if "independent" in hows:
        reason = why or "a ratio, or a gap that the comparison does not list"
        found.append(
            f"changes since the baseline are as if of other faces ({reason}): their intervals are "
            "wider than paired ones, so a growth may go unseen"
        )
    if new.run.data != old.run.data:
        found.append(f"the baseline is of {old.run.data or 'data without a name'}")
    return found

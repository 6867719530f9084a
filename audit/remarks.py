"""What to know before trusting the outcome of a gate."""

from __future__ import annotations

from typing import Literal

from audit.declared import Declared
from audit.judge import judged_metric
from audit.result import AuditResult


def declaration(result: AuditResult, declared: Declared) -> Literal["same", "another", "none"]:
    """Whether the audit was made under this policy, byte for byte; under another, or none."""
    known = result.spec.policy
    if known is None:
        return "none"
    return "same" if known.sha256 == declared.sha256 else "another"


def remarks(result: AuditResult, declared: Declared, old: AuditResult | None) -> list[str]:
    """Sentences on the declaration, failed faces, serious warnings and the baseline."""
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
    return found + (_of_baseline(result, old) if old is not None else [])


def _failures(result: AuditResult, declared: Declared) -> list[str]:
    """Failed faces that no rule looks at: a model may fail on the faces that it finds hard."""
    everyone = [row for row in result.metrics if not row.group]
    failed = max((row.n_failed for row in everyone), default=0)
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


def _of_baseline(result: AuditResult, old: AuditResult) -> list[str]:
    found = [
        "the baseline was compared as if of other faces: the intervals of the changes are wider "
        "than in a paired comparison, so a growth may go unseen"
    ]
    if result.run.data != old.run.data:
        found.append(f"the baseline is of {old.run.data or 'data without a name'}")
    return found

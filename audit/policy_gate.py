"""The gate: a record judged by a policy, alone or beside a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from audit.baseline import check_baseline, excused, independent
from audit.declared import Declared
from audit.errors import InputError
from audit.findings import Finding, GatePolicy, GateResult, Judged, Outcome
from audit.paired_baseline import Pairs, pairs_of
from audit.predictions import Predictions
from audit.remarks import declaration, of_baseline, remarks
from audit.result import AuditResult, FileHash
from audit.rules import findings_of


@dataclass(frozen=True, eq=False)
class Source:
    """A record, the file that it was read from, and the predictions that lie beside it."""

    result: AuditResult
    file: FileHash
    table: Predictions | None = None

    def named(self) -> Judged:
        """What a gate says of it."""
        return Judged(model=self.result.run.model, data=self.result.run.data, file=self.file)


def gate(source: Source, declared: Declared, baseline: Source | None = None) -> GateResult:
    """Judge a record by a policy; beside a baseline only what is worse than there fails.

    Changes are paired, on the same faces, where both records have their predictions.

    Raises
    ------
    InputError
        Names that a record does not have, or a baseline that answers another question.
    """
    result = source.result
    findings, told = findings_of(result, declared), remarks(result, declared)
    if baseline is not None:
        findings, more = beside(source, findings, declared, baseline)
        told += more
    outcomes = [finding.outcome for finding in findings]
    hows = {finding.change.how for finding in findings if finding.change}
    return GateResult(
        task=result.task,
        policy=GatePolicy(
            name=declared.policy.name,
            date=declared.policy.date,
            sha256=declared.sha256,
            declared=declaration(result, declared),
        ),
        record=source.named(),
        baseline=baseline.named() if baseline else None,
        compared=sorted(hows),
        passed="failed" not in outcomes,
        counts={outcome: outcomes.count(outcome) for outcome in get_args(Outcome)},
        findings=findings,
        remarks=told,
    )


def beside(
    new: Source, findings: Sequence[Finding], declared: Declared, old: Source
) -> tuple[list[Finding], list[str]]:
    """The findings beside those of a baseline, and what to know about the comparison."""
    check_baseline(new.result, old.result, {one.metric: one.rule for one in findings})
    try:
        before = {one.key: one for one in findings_of(old.result, declared)}
    except InputError as error:
        raise InputError(f"--baseline: {error}") from None
    matched = [(one, before.get(one.key)) for one in findings]
    failed = [one for one, match in matched if match is not None and one.outcome == "failed"]
    pairs, why = _pairs(new, old, failed) if failed else (None, None)
    found = []
    for one, match in matched:
        change, worse_by = None, declared.policy.rules[one.index].worse_by
        if match and one.outcome == "failed" and None not in (one.value, match.value):
            better = new.result.spec.metrics[one.metric].better
            change = pairs.change(one, match, better, worse_by) if pairs else None
            change = (
                change if change and change.low is not None else independent(one, match, better)
            )
        found.append(excused(one, change, worse_by))
    hows = {one.change.how for one in found if one.change}
    return found, of_baseline(new.result, old.result, hows, why)


def _pairs(new: Source, old: Source, findings: Sequence[Finding]) -> tuple[Pairs | None, str]:
    """The paired comparison, or why there is none."""
    if new.table is None or old.table is None:
        return None, "predictions.parquet does not lie beside both records"
    try:
        return pairs_of(new.result, old.result, (new.table, old.table), findings), ""
    except InputError as error:
        return None, str(error)

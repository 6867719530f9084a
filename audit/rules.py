"""The rules of a policy, applied to a record: verdicts from its rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.declared import Declared, Names, check_policy, classes_of
from audit.findings import Finding
from audit.judge import finding, floor_of, judged_metric, of_gap, of_value, outcome_of
from audit.policy import Rule
from audit.result import AuditResult
from audit.rows import Gap, MetricRow

KINDS = {
    "worst_minus_best": frozenset({"worst_minus_best", "max_minus_min"}),
    "difference": frozenset({"difference"}),
    "vs_rest": frozenset({"vs_rest"}),
    "ratio": frozenset({"ratio"}),
}


def findings_of(result: AuditResult, declared: Declared) -> list[Finding]:
    """Every rule applied to every row that it is about, in the order of the policy.

    A rule that finds no row, no row with a value, or leaves all of them out, fails: nothing was
    shown. A gap that is shown fails however few persons show it; an acquittal needs
    ``min_persons`` on every side.

    Raises
    ------
    InputError
        A metric, class or attribute that the record does not have.
    """
    check_policy(declared, _names(result))
    found: list[Finding] = []
    for index, rule in enumerate(declared.policy.rules):
        for names in rule.attribute or ((),):
            found += _of_combination(result, rule, index, names)
    return found


def _names(result: AuditResult) -> Names:
    return Names(
        metrics={name: spec.better for name, spec in result.spec.metrics.items()},
        classes=classes_of((row.metric, row.class_) for row in result.metrics),
        combinations=result.spec.combinations,
        without_interval=set(result.spec.fairness),
    )


def _of_combination(
    result: AuditResult, rule: Rule, index: int, names: Sequence[str]
) -> list[Finding]:
    metric = judged_metric(result, rule)
    rows = _values(result, rule, metric, names)
    if rule.kind == "value":
        found = [of_value(result, rule, index, row) for row in rows]
    else:
        gaps = list(_gaps(result, rule, metric, names))
        found = [of_gap(result, rule, index, gap, rows) for gap in gaps]
    if not any(one.value is not None and one.outcome != "skipped" for one in found):
        left_out = sum(one.outcome == "skipped" for one in found)
        why = (
            f"nothing was judged: {left_out} rows left out, {len(found) - left_out} without a value"
            if found
            else f"nothing was judged: the record has no such row for {metric}"
        )
        found.append(finding(result, rule, index, metric, names, outcome="failed", reason=why))
    if rule.kind not in {"value", "worst_minus_best"}:
        found += [_without_value(result, rule, index, row) for row in rows if row.value is None]
    if rule.kind in {"difference", "ratio"}:
        found += _unlisted(result, rule, index, found, rows)
    return found


def _without_value(result: AuditResult, rule: Rule, index: int, row: MetricRow) -> Finding:
    """A group that enters no gap, because the metric is undefined in it."""
    small = (row.n_subjects or 0) < floor_of(result, rule)
    return finding(
        result, rule, index, row.metric, list(row.group), class_=row.class_, a=row.group,
        verdict="inconclusive", outcome=outcome_of(rule, "inconclusive", small=small),
        note=row.note, reason="the group has no value, so it is in no gap",
    )  # fmt: skip


def _gaps(result: AuditResult, rule: Rule, metric: str, names: Sequence[str]) -> Iterator[Gap]:
    for gap in result.gaps:
        wanted = gap.metric == metric and rule.class_ in {None, gap.class_}
        if wanted and set(gap.attributes) == set(names) and gap.kind in KINDS[rule.kind]:
            yield gap


def _values(result: AuditResult, rule: Rule, metric: str, names: Sequence[str]) -> list[MetricRow]:
    """The metric in every group whose attributes are all known."""
    return [
        row
        for row in result.metrics
        if row.metric == metric
        and rule.class_ in {None, row.class_}
        and set(row.group) == set(names)
        and None not in row.group.values()
    ]


def _unlisted(
    result: AuditResult,
    rule: Rule,
    index: int,
    found: Sequence[Finding],
    rows: Sequence[MetricRow],
) -> list[Finding]:
    """Say where a record lists only its largest pairs: the others were not judged."""
    more = []
    for class_ in dict.fromkeys(one.class_ for one in found):
        n = sum(row.value is not None for row in rows if row.class_ == class_)
        here = [one for one in found if one.class_ == class_ and one.b is not None]
        pairs, listed = n * (n - 1) // 2, len(here)
        if listed < pairs:
            more.append(
                finding(
                    result, rule, index, found[0].metric, found[0].attributes, class_=class_,
                    verdict="inconclusive", outcome=outcome_of(rule, "inconclusive", small=False),
                    reason=f"the record lists {listed} of {pairs} pairs; kind worst_minus_best "
                    "bounds them all",
                )
            )  # fmt: skip
    return more

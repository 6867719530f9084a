"""The change of a finding since a baseline, on the same faces: from both tables of predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.compare import compare
from audit.comparison import GapChange, PairedRow
from audit.errors import InputError
from audit.findings import Change, Finding
from audit.predictions import Predictions
from audit.result import AuditResult
from audit.rows import Better, Group
from audit.run import audit

Limits = tuple[float, float]
_TOLERANCE = 1e-9
_SAME = "runs_agree"


@dataclass(frozen=True, eq=False)
class Pairs:
    """The comparison of two models, by what its rows are about."""

    values: Mapping[object, PairedRow]
    gaps: Mapping[object, GapChange]
    of_two: Mapping[object, GapChange]

    def change(
        self, finding: Finding, before: Finding, better: Better, worse_by: float
    ) -> Change | None:
        """The change of one finding, or ``None`` where the comparison has no row for it.

        A largest gap is followed in the groups that were worst and best in the baseline. Where
        others are now, and the largest gap has grown, so is the change between those, with the
        limits that hold for all pairs together, because it was picked; the worse of the two counts.
        """
        if finding.kind == "ratio" or finding.a is None:
            return None
        if finding.kind == "value":
            row = self.values.get(_key(finding, finding.a, None))
            return None if row is None else _of_value(row, before, better)
        if finding.kind != "worst_minus_best":
            gap = self.gaps.get(_key(finding, finding.a, finding.b))
            if gap is None and finding.kind == "vs_rest":  # of two groups the other is the rest
                gap = self.of_two.get(_family(finding))
            return None if gap is None else _of_gap(gap, before, picked=False)
        return self._of_largest(finding, before, worse_by)

    def _of_largest(self, finding: Finding, before: Finding, worse_by: float) -> Change | None:
        then = self.gaps.get(_key(finding, before.a, before.b))
        if then is None:
            return None
        found = [_of_gap(then, before, picked=False)]
        others = _pair(finding.a, finding.b) != _pair(before.a, before.b)
        grown = (finding.value or 0.0) - (before.value or 0.0) > worse_by
        if others and grown:
            now = self.gaps.get(_key(finding, finding.a, finding.b))
            if now is None:
                return None
            found.append(_of_gap(now, before, picked=True))
        if any(change.low is None for change in found):
            return None
        return max(found, key=lambda change: change.low or 0.0)


def pairs_of(
    new: AuditResult, old: AuditResult, tables: tuple[Predictions, Predictions],
    findings: Sequence[Finding],
) -> Pairs:  # fmt: skip
    """Compare the two tables (newer, older) as the newer record was audited.

    Raises
    ------
    InputError
        A table is not that of its record, or the tables are of different faces or labels.
    """
    by = list(dict.fromkeys(",".join(one.attributes) for one in findings if one.attributes))
    metrics = {one.metric for one in findings}
    for result, table, name in ((new, tables[0], "the record"), (old, tables[1], "the baseline")):
        check_table(result, table, by, metrics, name)
    spec = new.spec
    found = compare(
        {"baseline": tables[1], "new": tables[0]},
        by=by,
        n_boot=spec.n_boot,
        seed=new.run.seed,
        estimand=spec.estimand,
        min_n=spec.min_n,
        age_bands=spec.age_bands,
        adjust=spec.adjust or "max_t",
    )
    listed = [row for row in found.gaps if row.kind in {"difference", "vs_rest"}]
    largest = [row for row in found.gaps if row.kind not in {"difference", "vs_rest"}]
    alone = Counter(_family(row) for row in listed)
    return Pairs(
        values={(row.metric, row.class_, _pair(row.group, None)): row for row in found.paired},
        gaps={_key(row, row.a, row.b): row for row in (*largest, *listed)},
        of_two={_family(row): row for row in listed if alone[_family(row)] == 1},
    )


def check_table(
    result: AuditResult, table: Predictions, by: Sequence[str], metrics: set[str], name: str
) -> None:
    """Refuse a table that does not give the numbers of a record again.

    Raises
    ------
    InputError
        Some metric of some group differs, or is there only once.
    """
    spec = result.spec
    again = audit(
        table, by=by, n_boot=0, estimand=spec.estimand, min_n=spec.min_n,
        age_bands=spec.age_bands, gates=spec.gates,
    )  # fmt: skip
    groups: set[frozenset[str]] = {frozenset(one.split(",")) for one in by} | {frozenset()}
    found, known = (
        {
            (row.metric, row.class_, _pair(row.group, None)): (row.value, row.n)
            for row in rows
            if row.metric in metrics and frozenset(row.group) in groups
        }
        for rows in (again.metrics, result.metrics)
    )
    if found.keys() != known.keys() or not all(_same(found[key], known[key]) for key in known):
        raise InputError(f"the predictions beside {name} do not give its numbers")


def _same(one: tuple[float | None, int | None], two: tuple[float | None, int | None]) -> bool:
    if one[0] is None or two[0] is None or one[1] != two[1]:
        return one == two
    return math.isclose(one[0], two[0], rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _of_value(row: PairedRow, before: Finding, better: Better) -> Change:
    if better == "zero":
        return _change(row, before, _size(row, _limits(row), _sum(row)))
    limits = _limits(row)
    if row.value is None or limits is None:
        return _change(row, before, None)
    sign = -1.0 if better == "higher" else 1.0
    ends = sorted(sign * end for end in limits)
    return _change(row, before, (sign * row.value, ends[0], ends[1]))


def _of_gap(row: GapChange, before: Finding, *, picked: bool) -> Change:
    limits = _limits(row)
    if picked and limits is not None and row.value is not None and limits != (0.0, 0.0):
        low, high = row.low_adjusted, row.high_adjusted
        limits = None if low is None or high is None else (low, high)
    change = _change(row, before, _size(row, limits, _sum(row)))
    largest = before.kind == "worst_minus_best"
    return change.model_copy(update={"a": row.a, "b": row.b}) if largest else change


def _change(
    row: PairedRow | GapChange, before: Finding, found: tuple[float, float, float] | None
) -> Change:
    value, low, high = found if found is not None else (None, None, None)
    return Change(
        value=None if value is None else value + 0.0, low=low, high=high, how="paired",
        before=before.value,
        failed_before=before.outcome == "failed",
    )  # fmt: skip


def _limits(row: PairedRow | GapChange) -> Limits | None:
    """The 95 % limits of a change; where both runs say the same of every face, it is 0."""
    if row.low is not None and row.high is not None:
        return row.low, row.high
    return (0.0, 0.0) if _SAME in (row.note or "").split("; ") else None


def _sum(row: PairedRow | GapChange) -> Limits | None:
    if row.low_sum is not None and row.high_sum is not None:
        return row.low_sum, row.high_sum
    return None


def _size(
    row: PairedRow | GapChange, change: Limits | None, total: Limits | None
) -> tuple[float, float, float] | None:
    """By how much the second number is larger without its sign, with limits.

    With D = B - A and S = B + A: abs(B) - abs(A) = sign(D S) min(abs(D), abs(S)), which is monotone
    in each within a quadrant; its limits are those over the rectangle of both intervals.
    """
    if row.value is None or row.value_a is None or row.value_b is None or change is None:
        return None
    value = abs(row.value_b) - abs(row.value_a)
    if change == (0.0, 0.0):
        return value, 0.0, 0.0
    if total is None:
        return None
    corners = [math.copysign(min(abs(d), abs(s)), d * s) for d in change for s in total]
    if change[0] <= 0 <= change[1] or total[0] <= 0 <= total[1]:
        corners.append(0.0)
    return value, min(corners), max(corners)


def _pair(a: Group | None, b: Group | None) -> frozenset[object]:
    """Both sides, whichever comes first."""
    sides = [tuple(sorted(side.items(), key=str)) for side in (a, b) if side is not None]
    return frozenset(sides)


def _key(row: Finding | GapChange, a: Group | None, b: Group | None) -> object:
    return row.metric, row.class_, _pair(a, b)


def _family(row: Finding | GapChange) -> object:
    return row.metric, row.class_, frozenset(row.attributes)

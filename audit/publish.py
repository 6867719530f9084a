"""A record fit for publication: nothing in it rests on fewer than k persons.

Groups, and classes within groups, of fewer than k persons lose their numbers in every row, and so
do others from which they could be had by subtraction. What stays is bounded, not secret: that a
hidden group exists, and sums over the hidden ones of at least k persons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from audit.disclosure import Sum, hidden_cells
from audit.errors import InputError
from audit.margins import ALL, EVERY, Hidden, Items, Population, hidden_in, items_of, population_of
from audit.result import AuditResult
from audit.rows import (
    AggregateGap,
    Concern,
    CurveRow,
    FairnessRow,
    Gap,
    MetricRow,
    RangeGap,
    SliceRow,
)

SUPPRESSED = "suppressed"
_OF_CLASSES = frozenset(
    ("balanced_accuracy", "standardised_accuracy", "macro_f1", "cohen_kappa", "mcc")
)
"""Metrics of all classes from which, with the accuracy, one hidden class could be worked out."""
_BINNED = frozenset(("reliability", "age_over_reliability"))
"""Curves of everyone of which single points may go: their bins are no groups."""


def suppress(result: AuditResult, k: int) -> AuditResult:
    """Hide every number that rests on fewer than k persons, and what would give it away.

    Metric rows of a hidden group keep their place, with ``value`` and counts ``None`` and the note
    ``suppressed``; so do gaps, fairness statistics and slices that involve one. Pooled values go
    from all groups of a combination with a hidden one, of which they are made. Curves are left out
    where one of their points is hidden. ``spec`` records k and the number of hidden cells.

    Raises
    ------
    InputError
        k is below 2, or above that of a record that was suppressed before; or the record is of a
        data set, whose rows give small groups away in more ways than are known here.
    """
    if result.task == "data":
        raise InputError(
            "--publish-min: the record of a data set cannot be made fit for publication; audit it "
            "by coarser groups instead"
        )
    if k < 2:
        raise InputError(f"--publish-min {k}: must be at least 2 persons")
    before = result.spec.publish_min
    if before is not None:
        if k <= before:
            return result
        raise InputError(
            f"--publish-min {k}: the record was made for {before} already; start from the full one"
        )
    hidden = hidden_in(result, k)
    spec = result.spec.model_copy(
        update={
            "publish_min": k,
            "n_suppressed": len({(p if p[0] == "class" else EVERY, g) for p, g in hidden.cells}),
            "attributes": {
                name: spec.model_copy(update={"n_unknown": None})
                if any((name, None) in items for _, items in hidden.cells)
                else spec
                for name, spec in result.spec.attributes.items()
            },
        }
    )
    message = (
        f"for publication, numbers that rest on fewer than {k} persons are hidden, and others that "
        f"would give them away: {spec.n_suppressed} groups or classes within groups"
    )
    told = [Concern(code="suppressed_groups", severity="info", message=message)]
    return result.model_copy(
        update={
            "spec": spec,
            "metrics": [_metric(row, hidden) for row in result.metrics],
            "gaps": [_gap(row, hidden, result.spec.min_n) for row in result.gaps],
            "fairness": [_fairness(row, hidden) for row in result.fairness],
            "slices": [_slice(row, hidden, k, result.spec.min_n) for row in result.slices],
            "curves": _curves(result, hidden, k),
            "warnings": [*(_concern(row, hidden, k) for row in result.warnings), *told],
        }
    )


def _blank(row: Any, *more: str) -> Any:
    """A row without its numbers."""
    numbers = (
        "value", "low", "high", "low_90", "high_90", "low_adjusted", "high_adjusted", "method",
        "null_expected", "within", "debiased", "p", "p_adjusted", "p_permutation", "effect_size",
        "margin", "verdict", "min_detectable", "pooled", "pooled_low", "pooled_high", "m_eff",
        "gap", "found", "confirmed", "n", "n_subjects", "n_failed", "n_unlabelled", "n_a", "n_b",
        "n_subjects_a", "n_subjects_b",
    )  # fmt: skip
    fields = type(row).model_fields
    update = {name: None for name in (*numbers, *more) if name in fields}
    return row.model_copy(update={**update, "note": SUPPRESSED})


def _metric(row: MetricRow, hidden: Hidden) -> MetricRow:
    gone = hidden.has(population_of(row.metric, row.class_, hidden.classes), row.group)
    if row.metric.removesuffix(ALL) in _OF_CLASSES and hidden.any_class(row.group):
        gone = True
    blank: MetricRow = _blank(row) if gone else row
    if not gone and row.pooled is not None and hidden.within(list(row.group)):
        pooled = ("pooled", "pooled_low", "pooled_high")  # all groups made them
        return row.model_copy(update=dict.fromkeys(pooled))
    return blank


def _gap(row: Gap, hidden: Hidden, min_n: int) -> Gap:
    population = population_of(row.metric, row.class_, hidden.classes)
    concerned = [EVERY, population]
    if row.metric in _OF_CLASSES:
        concerned += [("class", name) for name in hidden.classes]
    gone = hidden.within(row.attributes, concerned)
    if not gone:
        return row
    sides = [items_of(side) for side in (row.a, row.b) if side is not None]
    involved = any(side in gone for side in sides)
    if row.b is None and row.a is not None:  # the rest: everyone whose attributes are known
        involved |= any(value is None for items in gone for _, value in items)
    if isinstance(row, RangeGap | AggregateGap):
        small = all(_persons(hidden, concerned, items) < min_n for items in gone)
        involved |= not small
    return (
        _blank(row, "a", "b")
        if involved and isinstance(row, RangeGap)
        else (_blank(row) if involved else row)
    )


def _persons(hidden: Hidden, populations: Sequence[Population], items: Items) -> int:
    return max((hidden.counts.get((p, items), 0) for p in populations), default=0)


def _fairness(row: FairnessRow, hidden: Hidden) -> FairnessRow:
    concerned = [EVERY, *(("class", name) for name in hidden.classes)]
    gone = hidden.within(row.attributes, concerned)
    return _blank(row) if gone else row


def _slice(row: SliceRow, hidden: Hidden, k: int, min_n: int) -> SliceRow:
    """Hidden inside a hidden group too, and where everyone else may be fewer than k."""
    items = set(items_of(row.group))
    inside = any(items.issuperset(found) for _, found in hidden.cells if found)
    few = min(row.n_subjects or 0, min_n) < k
    return _blank(row) if inside or few else row


def _curves(result: AuditResult, hidden: Hidden, k: int) -> list[CurveRow]:
    """Curves by group stay only where every point of every group of the combination may stay.

    Of everyone's, points of few persons go, with the next smallest so that two are missing or more.
    """
    by_person = result.spec.unit_of_resampling == "person"

    def persons(row: CurveRow) -> int:
        known = row.n if row.n_subjects is None and not by_person else row.n_subjects
        return known or 1  # a point that is drawn has someone

    families: dict[tuple[str, str | None, frozenset[str]], list[CurveRow]] = {}
    for row in result.curves:
        families.setdefault((row.name, row.class_, frozenset(row.group)), []).append(row)
    kept: set[int] = set()
    for (name, _, names), rows in families.items():
        gone = [items for _, items in hidden.cells
                if {n for n, _ in items} <= names | {"age"}]  # fmt: skip
        shown = [row for row in rows if row.n > 0]
        small = any(persons(row) < k for row in shown)
        if not names and name in _BINNED:
            shown = _visible(shown, persons, k)
        elif small or gone:
            continue
        kept |= {id(row) for row in shown}
    return [row for row in result.curves if id(row) in kept]


def _visible(
    rows: Sequence[CurveRow], persons: Callable[[CurveRow], int], k: int
) -> list[CurveRow]:
    counts: dict[int | str, int] = {i: persons(row) for i, row in enumerate(rows)}
    total: Sum[int | str] = Sum("all", tuple(range(len(rows))))
    gone = hidden_cells({**counts, "all": sum(counts.values())}, [total], k)
    return [row for i, row in enumerate(rows) if i not in gone]


def _concern(row: Concern, hidden: Hidden, k: int) -> Concern:
    """Warnings about a combination with a hidden group name groups and counts."""
    counted = row.where is not None and row.code != "gaps_truncated"
    if row.where is None or not counted or not hidden.within(row.where.split(",")):
        return row
    message = f"which groups and how many is hidden: some have fewer than {k} persons"
    return row.model_copy(update={"message": message})

"""Finding rows in an audit record. Nothing is computed here: what is not in the record is None."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from audit.result import AuditResult
from audit.rows import Gap, Group, MetricRow, RangeGap
from reports.order import in_order, is_sized

HEADLINES = {
    "age": ("mae", "within_band_accuracy", "band_distance"),
    "expression": ("accuracy", "balanced_accuracy"),
}
CHOSEN = {
    "age": (
        "mae", "bias", "rmse", "cs5", "within_band_accuracy", "band_distance", "failure_rate",
    ),
    "expression": (
        "accuracy", "balanced_accuracy", "macro_f1", "ece", "brier", "failure_rate",
    ),
}  # fmt: skip


def headline(result: AuditResult) -> str | None:
    """The metric that the page leads with: the first preferred one that has a value anywhere."""
    valued = {row.metric for row in result.metrics if row.value is not None and row.class_ is None}
    wanted = (*HEADLINES[result.task], *result.spec.metrics)
    return next((metric for metric in wanted if metric in valued), None)


def chosen_metrics(result: AuditResult) -> tuple[str, ...]:
    """The handful of metrics that a first table shows."""
    valued = {row.metric for row in result.metrics if row.value is not None and row.class_ is None}
    lead = headline(result)
    first = tuple(metric for metric in CHOSEN[result.task] if metric in valued)
    return first if lead is None or lead in first else (lead, *first)


def unit(result: AuditResult, metric: str) -> str:
    """The unit of a metric, empty where the record does not say."""
    spec = result.spec.metrics.get(metric)
    return spec.unit if spec else ""


def better(result: AuditResult, metric: str) -> str:
    """Which direction of a metric is better."""
    spec = result.spec.metrics.get(metric)
    return spec.better if spec else "none"


def metric_row(
    result: AuditResult, metric: str, group: Group, class_: str | None = None
) -> MetricRow | None:
    """The row of one metric in one group."""
    found = _by_name(_Same(result.metrics)).get((metric, class_), [])
    return next((row for row in found if row.group == group), None)


class _Same:
    """A list that is never changed, known by its identity, so that an index of it can be kept."""

    def __init__(self, rows: list[MetricRow]) -> None:
        self.rows = rows

    def __hash__(self) -> int:
        return id(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.rows is other.rows


@lru_cache(maxsize=1)
def _by_name(metrics: _Same) -> dict[tuple[str, str | None], list[MetricRow]]:
    found: dict[tuple[str, str | None], list[MetricRow]] = {}
    for row in metrics.rows:
        found.setdefault((row.metric, row.class_), []).append(row)
    return found


def rows_of(result: AuditResult, attributes: Sequence[str]) -> list[MetricRow]:
    """All metric rows of one combination of attributes."""
    wanted = set(attributes)
    return [row for row in result.metrics if set(row.group) == wanted]


def range_gap(result: AuditResult, metric: str, attributes: Sequence[str]) -> RangeGap | None:
    """The worst-minus-best row of a metric over one combination of attributes."""
    kinds = ("worst_minus_best", "max_minus_min")
    for gap in result.gaps:
        if (
            isinstance(gap, RangeGap)
            and gap.kind in kinds
            and (gap.metric, gap.class_) == (metric, None)
            and set(gap.attributes) == set(attributes)
        ):
            return gap
    return None


def gaps_of(
    result: AuditResult, metric: str, attributes: Sequence[str], kinds: Sequence[str]
) -> list[Gap]:
    """The gap rows of one metric over one combination, of the kinds asked for."""
    return [
        gap
        for gap in result.gaps
        if gap.metric == metric
        and gap.class_ is None
        and set(gap.attributes) == set(attributes)
        and gap.kind in kinds
    ]


def defined_by_age(result: AuditResult, attributes: Sequence[str]) -> bool:
    """Whether the groups are made of the true age, so that regression to the mean shapes them."""
    if result.task == "age" and "age" in attributes:
        return True
    return any("regression_to_mean" in (row.note or "") for row in rows_of(result, attributes))


def groups_in_order(
    result: AuditResult, attributes: Sequence[str], metric: str, class_: str | None = None
) -> list[Group]:
    """The groups of a combination, worst first, those too small to be tested and unknown ones last.

    Groups of one attribute whose values are ages, bands or numbers stay in their order.
    """
    by_group: dict[tuple[str | None, ...], MetricRow] = {}
    for row in rows_of(result, attributes):
        key = tuple(row.group[name] for name in attributes)
        wanted = (row.metric, row.class_) == (metric, class_)
        if wanted or (key not in by_group and row.class_ is None):
            by_group[key] = row
    keys = list(by_group)
    values = [key[0] for key in keys] if len(attributes) == 1 else []
    if is_sized(values):
        place = {value: i for i, value in enumerate(in_order(values))}
        keys.sort(key=lambda key: place[key[0]])
    else:
        keys.sort(key=lambda key: _badness(result, by_group[key], metric))
    return [dict(zip(attributes, key, strict=True)) for key in keys]


def is_small(result: AuditResult, row: MetricRow) -> bool:
    """Whether a group has fewer persons than the record tests, or hides how many."""
    return row.n_subjects is None or row.n_subjects < result.spec.min_n


def _badness(result: AuditResult, row: MetricRow, metric: str) -> tuple[bool, bool, bool, float]:
    """Sorts the worst first; unknown, untested and missing ones follow, whatever their value."""
    unknown, small = None in row.group.values(), is_small(result, row)
    if row.value is None or row.metric != metric:
        return (unknown, True, True, 0.0)
    worst_first = {"higher": row.value, "zero": -abs(row.value)}
    return (unknown, small, False, worst_first.get(better(result, metric), -row.value))

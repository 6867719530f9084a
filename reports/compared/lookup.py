"""Finding rows in the record of a comparison. Nothing is computed here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from audit.comparison import Comparison, GapChange, PairedRow
from audit.rows import Better, Group
from reports.format import plain

HEADLINES = {
    "age": ("mae", "within_band_accuracy", "within_band_accuracy_all", "band_distance"),
    "expression": ("accuracy", "accuracy_all"),
}
LARGEST = ("worst_minus_best", "max_minus_min")


def headline(result: Comparison) -> str | None:
    """The metric that the page leads with: that of the Pareto view, or the first with a value."""
    if result.pareto:
        return result.pareto[0].metric
    valued = {row.metric for row in result.paired if row.value is not None and row.class_ is None}
    return next((metric for metric in HEADLINES[result.task] if metric in valued), None)


_LONG = 18
_SEPARATORS = re.compile(r"[-_./ ]")


def short(result: Comparison, name: str) -> str:
    """A run's name without the beginning that all runs share, where names are long."""
    names = [run.name for run in result.runs]
    if max(map(len, names)) <= _LONG:
        return plain(name)
    n = next((i for i, letters in enumerate(zip(*names, strict=False)) if len({*letters}) > 1), 0)
    cut = max((found.end() for found in _SEPARATORS.finditer(names[0][:n])), default=0)
    return f"…{plain(name[cut:])}" if cut and min(map(len, names)) > cut else plain(name)


def unit(result: Comparison, metric: str) -> str:
    """The unit of a metric."""
    spec = result.spec.metrics.get(metric)
    return spec.unit if spec else ""


def better(result: Comparison, metric: str) -> Better:
    """Which direction of a metric is better."""
    spec = result.spec.metrics.get(metric)
    return spec.better if spec else "none"


def others(result: Comparison) -> list[str]:
    """The runs that are compared with the baseline."""
    return [run.name for run in result.runs if not run.baseline]


def overall(result: Comparison, metric: str, run: str) -> PairedRow | None:
    """How a run differs from the baseline over everyone."""
    rows = rows_of(result, metric, run, ())
    return rows[0] if rows else None


def rows_of(
    result: Comparison, metric: str, run: str, attributes: Sequence[str]
) -> list[PairedRow]:
    """The rows of one metric and run over one combination, without those of classes."""
    wanted = set(attributes)
    return [
        row
        for row in result.paired
        if row.metric == metric
        and row.class_ is None
        and row.run_b == run
        and set(row.group) == wanted
    ]


def gaps_of(
    result: Comparison, metric: str, run: str, attributes: Sequence[str], kinds: Sequence[str]
) -> list[GapChange]:
    """The changes of one metric's differences between groups, without those of classes."""
    return [
        row
        for row in result.gaps
        if row.metric == metric
        and row.class_ is None
        and row.run_b == run
        and row.attributes == list(attributes)
        and row.kind in kinds
    ]


def combinations(result: Comparison) -> list[list[str]]:
    """The attribute combinations."""
    return result.spec.combinations


def is_everyone(group: Group) -> bool:
    """Whether a row is of everyone."""
    return not group

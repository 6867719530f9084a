"""Finding rows in the record of a grid, and turning differences so that a gain is above 0."""

from __future__ import annotations

from collections.abc import Sequence

from audit.generality.record import GainRow, GapRow, Generality, SummaryRow
from reports.figures import Role
from reports.format import amount, beside, estimate, plain, unit_name
from reports.language import english, say

Ends = tuple[float | None, float | None]
Shown = tuple[float | None, float | None, float | None]
"""A value and its interval."""


def leading(result: Generality) -> str:
    """The metric that the page leads with."""
    return result.spec.analysed[0]


def unit(result: Generality, metric: str) -> str:
    """The unit of a metric."""
    return result.spec.metrics[metric].unit


def sign(result: Generality, metric: str) -> float:
    """What turns a difference into a gain."""
    return -1.0 if result.spec.metrics[metric].better == "lower" else 1.0


def turned(value: float | None, by: float) -> float | None:
    """A number, turned; ``None`` stays."""
    return None if value is None else value * by + 0.0


def ends(low: float | None, high: float | None, by: float) -> Ends:
    """An interval, turned."""
    found = turned(low, by), turned(high, by)
    return found if by > 0 else (found[1], found[0])


def gain(result: Generality, row: GainRow | SummaryRow) -> Shown:
    """The gain of a row with its interval: above 0 the aggregator is better."""
    by = sign(result, row.metric)
    return (turned(row.value, by), *ends(row.low, row.high, by))


def change(row: GapRow | SummaryRow) -> Shown:
    """The change of a gap with its interval: below 0 it is narrower."""
    return row.value, row.low, row.high


def words(result: Generality, metric: str, found: tuple[float | None, ...]) -> str:
    """``1.44 [1.10, 1.78]`` in the metric's unit."""
    value, low, high = found
    return estimate(value, low, high, unit(result, metric))


def in_unit(result: Generality, metric: str, value: float | None) -> str:
    """A number with its unit."""
    return amount(value, unit(result, metric))


def gain_axis(title: str, unit: str) -> str:
    """What an axis of gains is named: the metric's title and its unit."""
    return beside(say("gain in {metric}", metric=title), unit_name(unit))


def gain_scale(unit: str) -> str:
    """The same beside a colour bar."""
    return beside(say("gain"), unit_name(unit))


def some_marks(drawn: int, marks: int) -> str:
    """That a figure has not all marks."""
    return say("{n} of {all} marks are drawn; the table has all.", n=drawn, all=marks)


def contrasts(result: Generality) -> list[tuple[str, str]]:
    """(aggregator, against), those against the control first."""
    found = dict.fromkeys((row.aggregator, row.against) for row in result.gains)
    return sorted(found, key=lambda pair: pair[1] != result.spec.control)


def titled(result: Generality, aggregator: str, against: str) -> str:
    """``sae``, or ``ban − regions_mlp`` where it is not against the control."""
    if against == result.spec.control:
        return plain(aggregator)
    return f"{plain(aggregator)} − {plain(against)}"


def gains_of(
    result: Generality, metric: str, pair: tuple[str, str], attributes: Sequence[str] = ()
) -> list[GainRow]:
    """The rows of one contrast over one combination."""
    wanted = set(attributes)
    return [
        row
        for row in result.gains
        if row.metric == metric
        and (row.aggregator, row.against) == pair
        and set(row.group) == wanted
    ]


def summaries_of(
    result: Generality,
    metric: str,
    pair: tuple[str, str],
    attributes: Sequence[str] = (),
    kind: str = "value",
) -> list[SummaryRow]:
    """The summaries of one contrast: over a combination's groups, or of its gap."""
    wanted = list(attributes)
    return [
        row
        for row in result.summaries
        if row.metric == metric
        and (row.aggregator, row.against) == pair
        and row.kind == kind
        and (row.attributes == wanted if kind != "value" else set(row.group) == set(wanted))
    ]


def gaps_of(
    result: Generality, metric: str, pair: tuple[str, str], attributes: Sequence[str]
) -> list[GapRow]:
    """The changes of a gap with one contrast, a backbone each."""
    return [
        row
        for row in result.gaps
        if row.metric == metric
        and (row.aggregator, row.against) == pair
        and row.attributes == list(attributes)
    ]


def combinations(result: Generality) -> list[list[str]]:
    """The attribute combinations."""
    return result.spec.combinations


_WORDS = {
    "a better": english("worse"),
    "b better": english("better"),
    "better": english("better"),
    "worse": english("worse"),
    "equivalent": english("no difference that matters"),
    "inconclusive": english("not settled"),
    "narrower": english("narrower"),
    "wider": english("wider"),
    "unchanged": english("unchanged"),
}
_ROLES: dict[str | None, Role] = {
    "a better": "worse",
    "b better": "better",
    "equivalent": "equal",
    "unchanged": "equal",
    "narrower": "narrower",
    "wider": "wider",
}


def verdict_words(row: GainRow | GapRow | SummaryRow) -> str:
    """The verdict on the aggregator, or why there is none."""
    if row.value is None or (isinstance(row, SummaryRow) and row.verdict is None):
        return say("not tested")
    return say("no verdict") if row.verdict is None else say(_WORDS[row.verdict])


def role_of(row: GainRow | GapRow) -> Role:
    """The mark of a row of one backbone."""
    return _ROLES.get(row.verdict, "unsettled")

"""The verdict: the only place where a margin, or a limit, meets an interval.

``gap``: the family-adjusted 95 % interval lies wholly outside the margin. ``no material gap``: the
90 % interval lies inside it (two one-sided tests: Schuirmann, 1987, doi:10.1007/BF01068419), and
every side has enough persons. ``inconclusive``: everything else, a difference from 0 whose size is
not settled among it. Without a margin there is no verdict.

A limit on a value follows the same logic with the value's own intervals: ``beyond the limit``,
``within the limit``, ``inconclusive``.

So do two runs: one is better where the family-adjusted interval of their difference lies wholly
beyond 0, or beyond the margin where one is stated; they are equivalent where the 90 % interval lies
inside a margin. Of two signed numbers (biases, differences of groups) the larger is told by the
intervals of their difference and of their sum together: a difference of groups that has changed its
side may be as wide as before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from audit.comparison import GapChange, PairedRow, RunVerdict, WidthVerdict
from audit.rows import (
    AdjustedGap,
    AggregateGap,
    Better,
    Gap,
    MetricRow,
    PairGap,
    RestGap,
    Verdict,
)

LimitVerdict = Literal["beyond the limit", "within the limit", "inconclusive"]
NO_MARGIN = "no_margin"
MIN_EFFECTIVE = 20
"""Effective persons below which intervals are too narrow whatever the method: nothing is tested."""
TOO_SMALL = frozenset({"below_min_n", "low_m_eff", "few_per_class"})
"""Notes of rows with a side, or a group left out, that is too small to rule out a gap."""


def verdict(gap: Gap, margin: float) -> Verdict | None:
    """The verdict of one row under a margin, from the row alone.

    Parameters
    ----------
    gap : Gap
        A row of the record. Aggregates have no interval and so no verdict.
    margin : float
        In the unit of the metric, above 0; for a ratio the largest harmless one, above 1.

    Returns
    -------
    {"gap", "no material gap", "inconclusive"} or None
        ``None`` for aggregates, and where the gap itself is undefined.

    Examples
    --------
    >>> row = PairGap(metric="mae", attributes=["gender"], kind="difference", family="mae/gender",
    ...               a={"gender": "f"}, b={"gender": "m"}, value=1.0, low_90=0.8, high_90=1.2,
    ...               low_adjusted=0.7, high_adjusted=1.3)
    >>> verdict(row, 0.5), verdict(row, 0.75), verdict(row, 1.25)
    ('gap', 'inconclusive', 'no material gap')
    """
    if isinstance(gap, AggregateGap) or gap.value is None:
        return None
    lower, upper = (1 / margin, margin) if gap.kind == "ratio" else (-margin, margin)
    low, high = gap.low_adjusted, gap.high_adjusted
    if low is not None and high is not None and (low > upper or high < lower):
        return "gap"
    if gap.low_90 is None or gap.high_90 is None or codes(gap) & TOO_SMALL:
        return "inconclusive"
    return "no material gap" if lower < gap.low_90 and gap.high_90 < upper else "inconclusive"


def limit_verdict(row: MetricRow, limit: float, better: Better) -> LimitVerdict | None:
    """The verdict of one value under a limit, from the row alone.

    ``beyond the limit``: the 95 % interval lies wholly on the wrong side. ``within the limit``: the
    90 % interval (a one-sided test at 5 %) lies on the right side or reaches the limit, with at
    least 20 effective persons. Groups are judged one by one, without adjustment for their number.

    Parameters
    ----------
    row : MetricRow
        A row of the record.
    limit : float
        In the unit of the metric.
    better : {"lower", "higher", "zero"}
        The limit is the largest value that is allowed, the smallest, or the largest distance
        from 0.

    Returns
    -------
    {"beyond the limit", "within the limit", "inconclusive"} or None
        ``None`` where the value is undefined.

    Examples
    --------
    >>> row = MetricRow(metric="mae", group={}, value=5.0, low=4.5, high=5.5, low_90=4.6,
    ...                 high_90=5.4, n=90, n_subjects=90, n_failed=0, n_unlabelled=0)
    >>> [limit_verdict(row, limit, "lower") for limit in (4.0, 5.2, 5.4)]
    ['beyond the limit', 'inconclusive', 'within the limit']
    """
    if row.value is None:
        return None
    if row.low is None or row.high is None or row.low_90 is None or row.high_90 is None:
        return "inconclusive"
    lower = -limit if better == "zero" else limit if better == "higher" else None
    upper = None if better == "higher" else limit
    if (upper is not None and row.low > upper) or (lower is not None and row.high < lower):
        return "beyond the limit"
    if row.m_eff is not None and row.m_eff < MIN_EFFECTIVE:
        return "inconclusive"
    inside = (upper is None or row.high_90 <= upper) and (lower is None or lower <= row.low_90)
    return "within the limit" if inside else "inconclusive"


def judged(gaps: Sequence[Gap], margin_of: Callable[[Gap], float | None]) -> list[Gap]:
    """Every row with its margin, if one was stated for it, and the verdict."""
    return [_judged(gap, margin_of(gap)) for gap in gaps]


def _judged(gap: Gap, margin: float | None) -> Gap:
    if gap.value is None or isinstance(gap, AggregateGap):
        return gap
    if margin is None:
        note = "; ".join(part for part in (gap.note, NO_MARGIN) if part)
        return gap.model_copy(update={"note": note})
    return gap.model_copy(update={"margin": margin, "verdict": verdict(gap, margin)})


Change = PairedRow | GapChange
C = TypeVar("C", PairedRow, GapChange)


def which_is_better(row: PairedRow, better: Better, margin: float | None) -> RunVerdict | None:
    """Which run is better in one row, from the row alone.

    Parameters
    ----------
    row : PairedRow
        A row of a comparison.
    better : {"lower", "higher", "zero", "none"}
        Which direction of the metric is better.
    margin : float, optional
        Differences up to this, in the unit of the metric, do not matter.

    Returns
    -------
    {"a better", "b better", "equivalent", "inconclusive"} or None
        ``None`` where the row has no value or the metric no better direction.

    Examples
    --------
    >>> row = PairedRow(metric="mae", run_a="old", run_b="new", group={}, family="mae/everyone",
    ...                 value=-1.0, low_90=-1.2, high_90=-0.8, low_adjusted=-1.3,
    ...                 high_adjusted=-0.7, n=900, n_subjects=900)
    >>> [which_is_better(row, "lower", margin) for margin in (None, 0.5, 1.0, 1.5)]
    ['b better', 'b better', 'inconclusive', 'equivalent']
    """
    if row.value is None or better == "none":
        return None
    grown = _larger(row, margin) if better == "zero" else _moved(row, margin)
    if grown:
        return "b better" if (grown > 0) == (better == "higher") else "a better"
    return "equivalent" if _inside(row, margin) else "inconclusive"


def which_is_wider(row: GapChange, margin: float | None) -> WidthVerdict | None:
    """Whether a difference between groups is narrower or wider in the second run.

    Returns
    -------
    {"narrower", "wider", "unchanged", "inconclusive"} or None
        ``None`` where the row has no value.
    """
    if row.value is None:
        return None
    grown = _larger(row, margin)
    if grown:
        return "wider" if grown > 0 else "narrower"
    return "unchanged" if _inside(row, margin) else "inconclusive"


def settled(row: Change, margin: float | None = None) -> bool:
    """Whether the family-adjusted interval of the difference lies wholly beyond 0 or the margin."""
    return _moved(row, margin) != 0


def compared(
    rows: Sequence[C], directions: Mapping[str, Better], margins: Mapping[str, float]
) -> list[C]:
    """Every row of a comparison with the margin of its metric and the verdict."""
    return [_compared(row, directions, margins.get(row.metric)) for row in rows]


def _compared(row: C, directions: Mapping[str, Better], margin: float | None) -> C:
    if row.value is None:
        return row
    if isinstance(row, PairedRow):
        found: RunVerdict | WidthVerdict | None = which_is_better(
            row, directions[row.metric], margin
        )
    else:
        found = which_is_wider(row, margin)
    crossed = isinstance(row, GapChange) and _crossed(row)
    note = "; ".join(part for part in (row.note, "reversed" if crossed else None) if part) or None
    return row.model_copy(update={"margin": margin, "verdict": found, "note": note})


def _crossed(row: GapChange) -> bool:
    if row.value_a is None or row.value_b is None:
        return False
    return settled(row) and row.value_a * row.value_b < 0


def _beyond(low: float | None, high: float | None, margin: float) -> int:
    """1 above the margin, -1 below it, 0 where an interval reaches into it or does not exist."""
    if low is None or high is None:
        return 0
    return 1 if low > margin else -1 if high < -margin else 0


def _moved(row: Change, margin: float | None) -> int:
    return _beyond(row.low_adjusted, row.high_adjusted, margin or 0.0)


def _larger(row: Change, margin: float | None) -> int:
    """1 where the second run's number is the larger without its sign, -1 where the first's is.

    abs(B) - abs(A) > margin exactly where B - A and B + A both lie beyond it on one side.
    """
    return _moved(row, margin) * _beyond(row.low_sum, row.high_sum, margin or 0.0)


def _inside(row: Change, margin: float | None) -> bool:
    if margin is None or row.low_90 is None or row.high_90 is None or codes(row) & TOO_SMALL:
        return False
    return -margin < row.low_90 and row.high_90 < margin


def codes(gap: Gap | Change) -> set[str]:
    """The codes in the note of a row."""
    return {part.split(":")[0] for part in gap.note.split("; ")} if gap.note else set()


def untested(gaps: Sequence[Gap]) -> list[Gap]:
    """The differences that no test could judge; the note of each says why."""
    kinds = (PairGap, RestGap, AdjustedGap)
    return [gap for gap in gaps if isinstance(gap, kinds) and gap.p_adjusted is None]

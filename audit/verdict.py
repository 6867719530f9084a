"""The verdict of a gap: the only place where a margin meets an interval.

``gap``: the family-adjusted 95 % interval lies wholly outside the margin. ``no material gap``: the
90 % interval lies inside it (two one-sided tests: Schuirmann, 1987, doi:10.1007/BF01068419), and
every side has enough persons. ``inconclusive``: everything else, a difference from 0 whose size is
not settled among it. Without a margin there is no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.rows import AdjustedGap, AggregateGap, Gap, PairGap, RestGap, Verdict

NO_MARGIN = "no_margin"
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


def judged(gaps: Sequence[Gap], margins: Mapping[str, float]) -> list[Gap]:
    """Every row with the margin of its metric and the verdict; ratios have no margin in units."""
    return [_judged(gap, margins.get(gap.metric)) for gap in gaps]


def _judged(gap: Gap, margin: float | None) -> Gap:
    if gap.value is None or isinstance(gap, AggregateGap):
        return gap
    if margin is None or gap.kind == "ratio":
        note = "; ".join(part for part in (gap.note, NO_MARGIN) if part)
        return gap.model_copy(update={"note": note})
    return gap.model_copy(update={"margin": margin, "verdict": verdict(gap, margin)})


def codes(gap: Gap) -> set[str]:
    """The codes in the note of a row."""
    return {part.split(":")[0] for part in gap.note.split("; ")} if gap.note else set()


def untested(gaps: Sequence[Gap]) -> list[Gap]:
    """The differences that no test could judge; the note of each says why."""
    kinds = (PairGap, RestGap, AdjustedGap)
    return [gap for gap in gaps if isinstance(gap, kinds) and gap.p_adjusted is None]

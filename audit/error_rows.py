"""The distribution of the signed age error by group: shares of bins with intervals by person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from audit.collect import Collected
from audit.groups import MAX_DRAWN, Cell, grouping, in_order
from audit.intervals import limits
from audit.metrics.core import Layout
from audit.metrics.error_bins import ERROR_BIN, ERROR_BINS, LOWER
from audit.rates import RateSums, joined, rate_sums, rates
from audit.rows import CurveRow
from audit.units import group_sums

Combination = tuple[str, ...]
GroupRates = Mapping[Cell, RateSums]


def error_sums(
    part: Collected, layout: Layout | None, combinations: Sequence[Combination]
) -> dict[Combination, GroupRates]:
    """What the intervals of the shares need of every group, of the combinations that are drawn.

    Parts of a table that share no person add up, see :func:`added_errors`. Without exact errors
    there are none.
    """
    if layout is None or ERROR_BIN not in layout.shapes or part.curves is None:
        return {}
    every = np.ones(ERROR_BINS, dtype=np.int64)
    base, n = layout.columns("w")[0] * every, layout.columns("n")[0] * every
    found: dict[Combination, GroupRates] = {}
    for names in combinations:
        item = grouping(part.curves.cells, part.attributes, names, part.order)
        if len(item.groups) > MAX_DRAWN:
            found[names] = dict.fromkeys(item.groups, RateSums.empty(ERROR_BINS))
            continue
        grouped = group_sums(part.curves, item)
        found[names] = {
            group: rate_sums(grouped.of(g), layout.columns(ERROR_BIN), base, n)
            for g, group in enumerate(item.groups)
        }
    return found


def added_errors(known: GroupRates, more: GroupRates) -> GroupRates:
    """The sums of two parts that share no person; of too many groups to draw only their names."""
    if len(known) > MAX_DRAWN:
        return {**more, **known}
    both = {group: rates + more[group] for group, rates in known.items() if group in more}
    return {**known, **more, **both}


def error_curves(
    found: Mapping[Combination, GroupRates], order: Mapping[str, Mapping[str, int]]
) -> list[CurveRow]:
    """Share of the faces in every bin of the signed error, of groups few enough to draw."""
    rows: list[CurveRow] = []
    for names, by_group in found.items():
        if len(by_group) > MAX_DRAWN:
            continue
        groups = in_order(tuple(by_group), names, order)
        e, persons = rates(joined([by_group[group] for group in groups]))
        low, high = limits("wilson", e, 0.95)
        rows += [
            CurveRow(
                name="error_density",
                group=dict(zip(names, group, strict=True)),
                x=LOWER[b],
                y=float(e.value[g, b]),
                low=float(low[g, b]),
                high=float(high[g, b]),
                n=round(e.n[g, b]),
                n_subjects=round(persons[g, b]),
            )
            for g, group in enumerate(groups)
            if e.n[g, 0] > 0
            for b in range(ERROR_BINS)
        ]
    return rows

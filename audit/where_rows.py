"""Mean maps of the canonical face by group, and what is hidden of fewer than 20 people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audit.face_regions import SIDE
from audit.gaps import AnyGap
from audit.groups import MAX_DRAWN, Grouping
from audit.metrics.where import is_where, map_layout
from audit.rows import CurveRow, MetricRow
from audit.units import UnitSums, group_sums

FEWEST = 20
"""People; a mean over fewer tells of single ones."""
DIGITS = 3
"""Of a mean map: its rounding hides what a few more people would add to a mean of at least 20."""
FEW = "below_20_people"
CURVE = "where"
ALL_CELLS = "all"
"""Stands for every cell of a map that is not shown."""


def map_curves(sums: UnitSums, sources: Sequence[str], item: Grouping) -> list[CurveRow]:
    """A mean map for every source and group of one combination, unless there are too many.

    A group with fewer than 20 people of whom it is known gets one row that says so. Cells are
    rounded to 0.001, so that everyone less the groups that are shown does not give the others away.
    """
    if len(item.groups) > MAX_DRAWN:
        return []
    grouped, layout = group_sums(sums, item), map_layout(sources)
    rows: list[CurveRow] = []
    for source in sources:
        cells, w, n = (layout.columns(f"{source}{part}") for part in ("", " w", " n"))
        for g in range(len(item.groups)):
            of = grouped.of(g)
            faces = of[:, n[0]]
            people = int((faces > 0).sum())
            common: dict[str, Any] = {
                "name": CURVE,
                "class_": source,
                "group": item.label(g),
                "n": round(float(faces.sum())),
                "n_subjects": people,
            }
            if people < FEWEST:
                rows.append(CurveRow(x=ALL_CELLS, y=ALL_CELLS, note=FEW, **common))
                continue
            mean = of[:, cells].sum(axis=0) / of[:, w[0]].sum()
            rows += [
                CurveRow(
                    x=float(k % SIDE + 1),
                    y=float(k // SIDE + 1),
                    z=round(float(mean[k]), DIGITS),
                    **common,
                )
                for k in range(SIDE * SIDE)
            ]
    return rows


def shown_metrics(rows: Sequence[MetricRow]) -> list[MetricRow]:
    """The rows without the shares of regions of fewer than 20 people."""
    return [
        row.model_copy(update={**dict.fromkeys(_VALUES), "note": FEW})
        if is_where(row.metric) and row.value is not None and (row.n_subjects or 0) < FEWEST
        else row
        for row in rows
    ]


def shown_gaps(gaps: Sequence[AnyGap]) -> list[AnyGap]:
    """The rows without the differences of shares with fewer than 20 people on a side."""
    return [
        gap.model_copy(update={**{k: None for k in _GAP if hasattr(gap, k)}, "note": FEW})
        if is_where(gap.metric) and gap.value is not None and _few(gap)
        else gap
        for gap in gaps
    ]


_VALUES = (
    "value", "low", "high", "low_90", "high_90", "method", "pooled", "pooled_low", "pooled_high",
)  # fmt: skip
_GAP = (
    "value", "low", "high", "low_90", "high_90", "method", "p", "low_adjusted", "high_adjusted",
    "p_adjusted", "p_permutation", "effect_size", "min_detectable", "debiased",
)  # fmt: skip


def _few(gap: AnyGap) -> bool:
    sides = [n for n in (gap.n_subjects_a, gap.n_subjects_b) if n is not None]
    return bool(sides) and min(sides) < FEWEST

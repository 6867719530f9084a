"""Rows of a comparison that say how a metric differs between two runs, in every group."""

from __future__ import annotations

import numpy as np

from audit.comparison import PairedRow
from audit.metrics.core import Metric
from audit.paired import all_groups
from audit.paired_block import PairedBlock, enough, groups_of, too_few, with_classes
from audit.paired_content import contents, families, joined, names_of, notes_of
from audit.paired_family import together
from audit.paired_tests import AnySides, between_runs, of_sum


def paired_rows(block: PairedBlock) -> list[PairedRow]:
    """Every metric in every group of a combination: second run minus first."""
    rows: list[PairedRow] = []
    for _, metrics in families(block):
        if metrics[0].interval == "none":
            from_sums = [metric for metric in metrics if not metric.rowwise]
            rows += [row for metric in from_sums for row in _bare(block, metric)]
        else:
            rows += _family(block, metrics)
    return rows


def _family(block: PairedBlock, metrics: list[Metric]) -> list[PairedRow]:
    places = [with_classes(block, metric, all_groups(block.both)) for metric in metrics]
    sides = [groups_of(block, metric) for metric in metrics]
    found = [between_runs(m, side) for m, side in zip(metrics, sides, strict=True)]
    hidden = [too_few(block, m, place) for m, place in zip(metrics, places, strict=True)]
    tested = [
        block.grouping.known & enough(block, side) & ~bad
        for side, bad in zip(sides, hidden, strict=True)
    ]
    joint = together(block.setting.adjust, found, tested, block.weights)
    rows: list[PairedRow] = []
    for metric, side, statistic, bad, inside, all_of_them in zip(
        metrics, sides, found, hidden, tested, joint, strict=True
    ):
        total = of_sum(metric, side)(all_of_them.critical) if metric.better == "zero" else None
        content = contents(statistic, all_of_them, bad, total)
        for g, row in enumerate(content):
            family = all_of_them.note if inside[g] else None
            notes: list[str | None] = [None if block.grouping.known[g] else "unknown_group"]
            notes += notes_of(block, metric, [side], g, row, hidden=bool(bad[g]), family=family)
            rows.append(_row(block, metric, side, g, joined(notes), **row))
    return rows


def _bare(block: PairedBlock, metric: Metric) -> list[PairedRow]:
    """Rows of a metric that has no interval, with the reason."""
    side = groups_of(block, metric)
    return [
        _row(
            block,
            metric,
            side,
            g,
            "empty_group" if np.isnan(side.change[g]) else metric.bare,
            value=float(side.change[g]),
        )
        for g in range(len(block.grouping.groups))
    ]


def _row(
    block: PairedBlock,
    metric: Metric,
    side: AnySides,
    g: int,
    note: str | None,
    **content: float | str,
) -> PairedRow:
    return PairedRow.model_validate(
        {
            **names_of(block, metric),
            "group": block.grouping.label(g),
            "value_a": float(side.values[0, g]),
            "value_b": float(side.values[1, g]),
            "n": round(side.n[g]),
            "n_subjects": round(side.m[g]),
            "note": note,
            **content,
        }
    )

"""Whether an aggregator narrows or widens the gap between the worst and the best served group.

Both groups are chosen once, by the mean over the whole grid, in which every aggregator counts
alike. Groups that were extreme for the control alone would by chance be nearer for any other; for
these, where aggregators do not differ, none is expected to be the narrower one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from audit.block import RANGE_LIMITED
from audit.generality.blocks import Blocks
from audit.generality.differences import Part, content_of, jointly
from audit.generality.record import GapRow
from audit.generality.sides import SeedMean, seed_mean, trainings
from audit.metrics.core import Metric
from audit.paired import Places
from audit.paired_block import enough, too_few
from audit.paired_content import contents, joined, notes_of
from audit.paired_tests import between_gaps, of_sum
from audit.ranges import choose

FloatArray = npt.NDArray[np.float64]


def extremes(blocks: Blocks, metric: Metric, parts: Sequence[Part]) -> tuple[int, int] | None:
    """The worst and the best group of the mean over all aggregators and backbones."""
    if not parts or not metric.has_gaps:
        return None
    if metric.name in RANGE_LIMITED and "age" in blocks.grouping.names:
        return None
    control = blocks.sums.grid.control
    against = [part for part in parts if part.against == control]
    inside = np.logical_and.reduce([part.tested for part in against])
    chosen = np.flatnonzero(inside)
    if len(chosen) < 2:
        return None
    with_control = {part.backbone: part.mean.sides.values[0] for part in against}
    values = [*(part.mean.sides.values[1] for part in against), *with_control.values()]
    value = np.mean(values, axis=0)[chosen]
    people = against[0].mean.sides.m[chosen]
    names = [str(blocks.grouping.groups[g]) for g in chosen]
    top, bottom = (
        int(chosen[choose(value, people, names, largest=largest)]) for largest in (True, False)
    )
    if top == bottom:
        return None
    return (bottom, top) if metric.better == "higher" else (top, bottom)


def gap_parts(
    metric: Metric, pair: tuple[int, int], parts: Sequence[Part]
) -> tuple[list[Part], list[tuple[SeedMean, SeedMean]]]:
    """The change of the gap between a pair (worst, best) with every contrast; with both its sides.

    Values are those of the worst less the best where less is better, else of the best less the
    worst, so that a gap is above 0 and a change below 0 makes it narrower.
    """
    first, second = pair if metric.better == "lower" else pair[::-1]
    found, sides = [], []
    for part in parts:
        here, there, seen = _two(part, metric, first, second)
        more = trainings(here.changes - there.changes)
        change = between_gaps(metric, here.sides, there.sides, more)
        mean = SeedMean(here.sides, here.changes - there.changes)
        found.append(
            Part(part.backbone, part.aggregator, part.against, part.blocks, mean, change, seen)
        )
        sides.append((here, there))
    return found, sides


def _two(
    part: Part, metric: Metric, i: int, j: int
) -> tuple[SeedMean, SeedMean, npt.NDArray[np.bool_]]:
    """Both groups of a gap, on the classes that both show, and whether they are tested."""
    block = part.blocks[0]
    if not metric.masked:
        here, there = (part.mean.take(np.array([g])) for g in (i, j))
        return here, there, part.tested[[i]] & part.tested[[j]]
    both = (block.holders[0][[i]] > 0) & (block.holders[0][[j]] > 0)
    places = [Places(np.array([g]), classes=both) for g in (i, j)]
    here, there = (seed_mean(part.blocks, metric, place) for place in places)
    few = too_few(block, metric, places[0]) | too_few(block, metric, places[1])
    return here, there, enough(block, here.sides) & enough(block, there.sides) & ~few


def gap_rows(
    blocks: Blocks,
    metric: Metric,
    pair: tuple[int, int],
    parts: Sequence[Part],
    sides: Sequence[tuple[SeedMean, SeedMean]],
) -> list[GapRow]:
    """A row of every contrast."""
    rows = []
    for part, (here, there), joint in zip(parts, sides, jointly(blocks, parts), strict=True):
        both = [here.sides, there.sides]
        total = of_sum(metric, *both)(joint.critical)
        few = metric.masked and not part.tested[0]
        numbers = contents(part.found, joint, np.array([few]), total)[0]
        values = here.sides.values[:, 0] - there.sides.values[:, 0]
        family = joint.note if part.tested[0] else None
        notes = notes_of(part.blocks[0], metric, both, 0, numbers, hidden=few, family=family)
        rows.append(
            GapRow.model_validate(
                content_of(metric, part)
                | {
                    "attributes": list(blocks.grouping.names),
                    "kind": "worst_minus_best",
                    "a": blocks.grouping.label(pair[0]),
                    "b": blocks.grouping.label(pair[1]),
                    "value_a": float(values[0]),
                    "value_b": float(values[1]),
                    "n": round(here.sides.n[0] + there.sides.n[0]),
                    "n_subjects": round(here.sides.m[0] + there.sides.m[0]),
                    "sd_seeds": float(part.mean.sd[0]),
                    "note": joined(notes),
                }
                | numbers
            )
        )
    return rows

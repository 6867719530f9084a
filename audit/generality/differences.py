"""Rows of single backbones: every aggregator less its control, in every group, as one family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import Adjust
from audit.generality.blocks import Blocks
from audit.generality.record import GainRow
from audit.generality.sides import SeedMean, hidden, seed_mean, statistic, tested
from audit.metrics.core import Metric
from audit.paired_block import PairedBlock
from audit.paired_content import contents, family_name, joined, notes_of
from audit.paired_family import Together, together
from audit.paired_tests import Statistic, of_sum
from audit.seeds import LEAST

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Part:
    """An aggregator beside what it is compared with on one backbone, in R places."""

    backbone: str
    aggregator: str
    against: str
    blocks: Sequence[PairedBlock]
    mean: SeedMean
    found: Statistic
    tested: BoolArray


def contrasts(blocks: Blocks) -> Iterator[tuple[str, str, str]]:
    """(backbone, aggregator, against) of the whole table."""
    grid = blocks.sums.grid
    for aggregator, against in grid.contrasts():
        for backbone in grid.backbones:
            yield backbone, aggregator, against


def parts_of(blocks: Blocks, metric: Metric) -> list[Part]:
    """Every contrast that has a seed, in all groups."""
    found = []
    for names in contrasts(blocks):
        own = blocks.of(*names)
        if own:
            mean = seed_mean(own, metric)
            inside = tested(own, metric, mean)
            found.append(Part(*names, own, mean, statistic(metric, mean), inside))
    return found


def adjust_of(adjust: Adjust, parts: Sequence[Part]) -> Adjust:
    """Holm where seeds are a sample: persons that are drawn again say nothing of other seeds."""
    return "holm" if adjust == "max_t" and any(p.mean.k >= LEAST for p in parts) else adjust


def jointly(blocks: Blocks, parts: Sequence[Part]) -> list[Together]:
    """All parts as one family."""
    if not parts:
        return []
    tables = blocks.sums.tables
    adjust = adjust_of(tables.setting.adjust, parts)
    return together(
        adjust, [part.found for part in parts], [part.tested for part in parts], tables.weights
    )


def gain_rows(blocks: Blocks, metric: Metric, parts: Sequence[Part]) -> list[GainRow]:
    """A row of every group of every contrast; one of everyone where a contrast has no seed."""
    joint = dict(zip(map(id, parts), jointly(blocks, parts), strict=True))
    by_name = {(p.backbone, p.aggregator, p.against): p for p in parts}
    rows: list[GainRow] = []
    for names in contrasts(blocks):
        part = by_name.get(names)
        if part is not None:
            rows += _rows(metric, part, joint[id(part)])
        elif not blocks.grouping.names:
            rows.append(_lost(blocks, metric, names))
    return rows


def _rows(metric: Metric, part: Part, joint: Together) -> list[GainRow]:
    block, side = part.blocks[0], part.mean.sides
    bad = hidden(part.blocks, metric)
    total = of_sum(metric, side)(joint.critical) if metric.better == "zero" else None
    rows = []
    for g, numbers in enumerate(contents(part.found, joint, bad, total)):
        notes: list[str | None] = [None if block.grouping.known[g] else "unknown_group"]
        family = joint.note if part.tested[g] else None
        notes += notes_of(block, metric, [side], g, numbers, hidden=bool(bad[g]), family=family)
        rows.append(
            GainRow.model_validate(
                content_of(metric, part)
                | {
                    "group": block.grouping.label(g),
                    "value_a": float(side.values[0, g]),
                    "value_b": float(side.values[1, g]),
                    "n": round(side.n[g]),
                    "n_subjects": round(side.m[g]),
                    "sd_seeds": float(part.mean.sd[g]),
                    "note": joined(notes),
                }
                | numbers
            )
        )
    return rows


def content_of(metric: Metric, part: Part) -> dict[str, object]:
    """What a row is about."""
    block = part.blocks[0]
    return {
        "metric": metric.name,
        "run_a": block.names[0],
        "run_b": block.names[1],
        "backbone": part.backbone,
        "aggregator": part.aggregator,
        "against": part.against,
        "n_seeds": part.mean.k,
        "family": family_name(block, metric.name),
    }


def _lost(blocks: Blocks, metric: Metric, names: tuple[str, str, str]) -> GainRow:
    backbone, aggregator, against = names
    return GainRow(
        metric=metric.name,
        run_a=f"{backbone}/{against}",
        run_b=f"{backbone}/{aggregator}",
        backbone=backbone,
        aggregator=aggregator,
        against=against,
        n_seeds=0,
        group={},
        value=None,
        n=0,
        n_subjects=0,
        family=f"{metric.name}/everyone",
        note="no_common_seed",
    )

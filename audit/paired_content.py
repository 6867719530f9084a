"""What the rows of a comparison have in common: their numbers, and why a number is missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.block import possible
from audit.families import MIN_REPLICATES
from audit.intervals import Limits
from audit.metrics.core import Metric
from audit.paired import Places, totals_of
from audit.paired_block import PairedBlock
from audit.paired_family import Together
from audit.paired_tests import AnySides, QuantileSides, Statistic
from audit.verdict import MIN_EFFECTIVE

BoolArray = npt.NDArray[np.bool_]


def families(block: PairedBlock) -> list[tuple[str, list[Metric]]]:
    """The metrics of one name, its classes, are one family in this combination."""
    found = groupby(possible(block.setting), lambda metric: metric.name)
    return [(name, list(metrics)) for name, metrics in found]


def family_name(block: PairedBlock, metric: str) -> str:
    """``mae/gender``; the family of everyone is ``mae/everyone``."""
    return f"{metric}/{','.join(block.grouping.names) or 'everyone'}"


def names_of(block: PairedBlock, metric: Metric) -> dict[str, Any]:
    """What a row is about."""
    a, b = block.names
    family = family_name(block, metric.name)
    return {
        "metric": metric.name,
        "class": metric.class_,
        "run_a": a,
        "run_b": b,
        "family": family,
    }


def contents(
    found: Statistic, joint: Together, hidden: BoolArray, total: Limits | None
) -> list[dict[str, Any]]:
    """The numbers of each row; a hidden row keeps its value alone."""
    alone = found.contrast
    own = {
        "low": alone.low,
        "high": alone.high,
        "low_90": alone.low_90,
        "high_90": alone.high_90,
        "p": alone.p,
    }
    together = {"p_adjusted": joint.p, "low_adjusted": joint.low, "high_adjusted": joint.high}
    if total is not None:
        together |= {"low_sum": total[0], "high_sum": total[1]}
    rows = []
    for r in range(len(found.value)):
        row: dict[str, Any] = {"value": float(found.value[r])}
        if not (hidden[r] or np.isnan(alone.low[r]) or np.isnan(alone.high[r])):
            row |= {name: float(part[r]) for name, part in own.items()} | {"method": found.method}
            if not np.isnan(joint.p[r]):
                row |= {name: float(part[r]) for name, part in together.items()}
        rows.append(row)
    return rows


def notes_of(
    block: PairedBlock,
    metric: Metric,
    sides: Sequence[AnySides],
    r: int,
    content: dict[str, Any],
    *,
    hidden: bool,
    family: str | None,
) -> list[str]:
    """Why row r has no value, no interval, or no place in its family (then ``family`` says so)."""
    if np.isnan(content["value"]):
        return [_undefined(block, metric, sides, r)]
    found = [_size(block, sides, r)]
    if "low" not in content:
        found.append("few_of_class" if hidden else _no_interval(block, sides, r))
    elif family is not None:
        found.append(family)
    return [note for note in found if note]


def _undefined(block: PairedBlock, metric: Metric, sides: Sequence[AnySides], r: int) -> str:
    if metric.undefined_note is not None and len(sides) == 1:
        pair, group = block.pair_of(metric), Places(np.array([r]))
        for run in (0, 1):
            sums = block.setting.layout.unpack(totals_of(pair, run, group)[0])
            if np.isnan(sides[0].values[run, r]):
                return metric.undefined_note(sums)
    empty = metric.class_ is None and min(side.m[r] for side in sides) == 0
    return "empty_group" if empty else metric.undefined


def _size(block: PairedBlock, sides: Sequence[AnySides], r: int) -> str | None:
    if min(side.m[r] for side in sides) < block.setting.min_n:
        return "below_min_n"
    return "low_m_eff" if min(side.m_eff[r] for side in sides) < MIN_EFFECTIVE else None


def _no_interval(block: PairedBlock, sides: Sequence[AnySides], r: int) -> str:
    if min(side.m[r] for side in sides) <= 1:
        return "one_subject"
    if min(side.m_eff[r] for side in sides) < 2:
        return "few_effective"
    if isinstance(sides[0], QuantileSides) and block.setting.n_boot < MIN_REPLICATES:
        return "too_few_replicates"
    return "zero_variance" if any(side.change[r] != 0 for side in sides) else "runs_agree"


def joined(notes: Sequence[str | None]) -> str | None:
    """Notes as one text, each once."""
    return "; ".join(dict.fromkeys(note for note in notes if note)) or None

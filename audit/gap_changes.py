"""Rows of a comparison that say how the differences between groups change from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.block import RANGE_LIMITED
from audit.comparison import GapChange
from audit.metrics.core import Metric
from audit.paired import Places
from audit.paired_block import PairedBlock, at, enough, groups_of, too_few
from audit.paired_content import contents, families, joined, names_of, notes_of
from audit.paired_family import Together, together
from audit.paired_tests import AnySides, Statistic, between_gaps, of_sum
from audit.pairs import MAX_GROUPS_FOR_PAIRS
from audit.ranges import choose

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Gaps:
    """Some differences of one metric: groups ``i`` less groups ``j`` (-1: the rest), R of each."""

    kind: str
    metric: Metric
    i: IntArray
    j: IntArray
    here: AnySides
    there: AnySides
    found: Statistic
    hidden: BoolArray
    tested: BoolArray


def gap_changes(block: PairedBlock) -> list[GapChange]:
    """Every difference between groups of a combination: that of the second run minus the first's.

    All pairs for at most 12 groups; each group against the rest; and worst minus best of the first
    run. Above 12 groups the latter is tested as one of all pairs.
    """
    rows: list[GapChange] = []
    for name, metrics in families(block):
        if metrics[0].interval == "none" or not metrics[0].has_gaps:
            continue
        if name in RANGE_LIMITED and "age" in block.grouping.names:
            rows += [_nothing(block, metric, "range_restricted") for metric in metrics]
            continue
        rows += _family(block, metrics)
    return rows


def _family(block: PairedBlock, metrics: Sequence[Metric]) -> list[GapChange]:
    rows: list[GapChange] = []
    parts: list[_Gaps] = []
    extremes: dict[str, tuple[int, int] | None] = {}
    for metric in metrics:
        side = groups_of(block, metric)
        usable = np.flatnonzero(block.grouping.known & ~np.isnan(side.values).any(axis=0))
        if len(usable) < 2:
            rows.append(_nothing(block, metric, "single_group"))
            continue
        extremes[metric.key] = _extremes(block, metric, side, usable)
        parts += _parts(block, metric, side, usable, extremes[metric.key])
    if not parts:
        return rows
    joint = together(
        block.setting.adjust,
        [part.found for part in parts],
        [part.tested for part in parts],
        block.weights,
    )
    for part, all_of_them in zip(parts, joint, strict=True):
        rows += _rows(block, part, all_of_them, extremes[part.metric.key])
    lacking = [m for m in metrics if m.key in extremes and extremes[m.key] is None]
    return rows + [_nothing(block, metric, "below_min_n") for metric in lacking]


def _extremes(
    block: PairedBlock, metric: Metric, side: AnySides, usable: IntArray
) -> tuple[int, int] | None:
    """The groups (a, b) of the first run's largest difference, or of its largest and smallest.

    M(a) - M(b) is not negative, except where more is better: there a has the least.
    """
    chosen = usable[enough(block, side)[usable]]
    if len(chosen) < 2:
        return None
    value, people = side.values[0, chosen], side.m[chosen]
    names = [str(block.grouping.groups[g]) for g in chosen]
    top = int(chosen[choose(value, people, names, largest=True)])
    bottom = int(chosen[choose(value, people, names, largest=False)])
    if top == bottom:
        bottom = int(chosen[1] if chosen[0] == top else chosen[0])
    return (bottom, top) if metric.better == "higher" else (top, bottom)


def _parts(
    block: PairedBlock,
    metric: Metric,
    side: AnySides,
    usable: IntArray,
    extreme: tuple[int, int] | None,
) -> list[_Gaps]:
    text = np.array(sorted(usable, key=lambda g: tuple(map(str, block.grouping.groups[g]))))
    parts = []
    if len(usable) <= MAX_GROUPS_FOR_PAIRS:
        first, second = np.triu_indices(len(text), 1)
        parts.append(_between(block, metric, side, text[first], text[second], "difference"))
    elif extreme is not None:
        i, j = (np.array([g]) for g in extreme)
        parts.append(_between(block, metric, side, i, j, "extremes"))
    if len(usable) > 2:
        parts.append(_against_rest(block, metric, side, usable))
    return parts


def _between(
    block: PairedBlock, metric: Metric, side: AnySides, i: IntArray, j: IntArray, kind: str
) -> _Gaps:
    here, there = side.take(i), side.take(j)
    hidden = np.zeros(len(i), dtype=np.bool_)
    if metric.masked:
        # a mean over classes is compared on the classes that both groups show
        both = (block.holders[0][i] > 0) & (block.holders[0][j] > 0)
        places = Places(i, classes=both), Places(j, classes=both)
        here, there = (at(block, metric, place) for place in places)
        hidden = too_few(block, metric, places[0]) | too_few(block, metric, places[1])
    return _gaps(block, metric, kind, i, j, here, there, hidden)


def _against_rest(block: PairedBlock, metric: Metric, side: AnySides, usable: IntArray) -> _Gaps:
    here, rest = side.take(usable), Places(usable, rest=True)
    hidden = np.zeros(len(usable), dtype=np.bool_)
    if metric.masked:
        both = (block.holders[0][usable] > 0) & (block.holders[1][usable] > 0)
        places, rest = Places(usable, classes=both), Places(usable, rest=True, classes=both)
        here = at(block, metric, places)
        hidden = too_few(block, metric, places) | too_few(block, metric, rest)
    there = at(block, metric, rest)
    j = np.full(len(usable), -1)
    return _gaps(block, metric, "vs_rest", usable, j, here, there, hidden)


def _gaps(
    block: PairedBlock,
    metric: Metric,
    kind: str,
    i: IntArray,
    j: IntArray,
    here: AnySides,
    there: AnySides,
    hidden: BoolArray,
) -> _Gaps:
    tested = enough(block, here) & enough(block, there) & ~hidden
    found = between_gaps(metric, here, there)
    return _Gaps(kind, metric, i, j, here, there, found, hidden, tested)


def _rows(
    block: PairedBlock, part: _Gaps, joint: Together, extreme: tuple[int, int] | None
) -> list[GapChange]:
    if part.kind == "extremes":
        joint = _as_one_of_all(block, part, joint)
    total = of_sum(part.metric, part.here, part.there)(joint.critical)
    content = contents(part.found, joint, part.hidden, total)
    rows = []
    for r, numbers in enumerate(content):
        values = part.here.values[:, r] - part.there.values[:, r]
        numbers |= {"value_a": float(values[0]), "value_b": float(values[1])}
        family = joint.note if part.tested[r] else None
        notes = notes_of(
            block,
            part.metric,
            [part.here, part.there],
            r,
            numbers,
            hidden=bool(part.hidden[r]),
            family=family,
        )
        pair = int(part.i[r]), int(part.j[r])
        counts = {
            "n": round(part.here.n[r] + part.there.n[r]),
            "n_subjects": round(part.here.m[r] + part.there.m[r]),
        }
        if part.kind != "extremes":
            rows.append(_row(block, part.metric, part.kind, pair, notes, numbers | counts))
        if extreme is not None and part.kind != "vs_rest" and set(pair) == set(extreme):
            rows.append(_extreme_row(block, part.metric, pair, extreme, notes, numbers | counts))
    return rows


def _as_one_of_all(block: PairedBlock, part: _Gaps, joint: Together) -> Together:
    """Bonferroni over all pairs, of which the first run chose this one."""
    n = int(block.grouping.known.sum())
    pairs = n * (n - 1) // 2
    wanted = np.fmax(joint.critical, part.found.critical(1 - 0.05 / pairs))
    wanted = np.where(np.isnan(joint.critical), np.nan, wanted)
    low, high = part.found.limits(wanted)
    p = np.minimum(np.maximum(joint.p, part.found.contrast.p * pairs), 1.0)
    return Together(p, wanted, low, high, joint.note)


def _extreme_row(
    block: PairedBlock,
    metric: Metric,
    pair: tuple[int, int],
    extreme: tuple[int, int],
    notes: Sequence[str],
    numbers: dict[str, float],
) -> GapChange:
    """The row of the first run's worst and best, whose difference is counted as positive."""
    kind = "max_minus_min" if metric.better in {"zero", "none"} else "worst_minus_best"
    flip = (pair != extreme) != (metric.better == "higher")
    turned = _negated(numbers) if flip else numbers
    return _row(block, metric, kind, extreme, [*notes, "chosen_from_baseline"], turned)


def _negated(numbers: dict[str, float]) -> dict[str, float]:
    found = dict(numbers)
    for name in ("value", "value_a", "value_b"):
        found[name] = 0.0 - numbers[name]
    for end in ("", "_90", "_adjusted", "_sum"):
        low, high = f"low{end}", f"high{end}"
        if low in numbers:
            found[low], found[high] = 0.0 - numbers[high], 0.0 - numbers[low]
    return found


def _row(
    block: PairedBlock,
    metric: Metric,
    kind: str,
    pair: tuple[int, int],
    notes: Sequence[str | None],
    numbers: dict[str, float],
) -> GapChange:
    by_age = metric.name == "bias" and "age" in block.grouping.names
    side = {"a": block.grouping.label(pair[0])}
    if pair[1] >= 0:
        side["b"] = block.grouping.label(pair[1])
    return GapChange.model_validate(
        {
            **names_of(block, metric),
            "attributes": list(block.grouping.names),
            "kind": kind,
            **side,
            "note": joined([*notes, "regression_to_mean" if by_age else None]),
            **numbers,
        }
    )


def _nothing(block: PairedBlock, metric: Metric, note: str) -> GapChange:
    """The row of a metric whose groups cannot be compared."""
    kind = "max_minus_min" if metric.better in {"zero", "none"} else "worst_minus_best"
    return GapChange.model_validate(
        {
            **names_of(block, metric),
            "attributes": list(block.grouping.names),
            "kind": kind,
            "value": None,
            "n": 0,
            "n_subjects": 0,
            "note": note,
        }
    )

"""Warnings: what a reader must know before trusting the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from audit.block import Block, Setting
from audit.gaps import MAX_GROUPS_FOR_PAIRS, N_LARGEST, AnyGap
from audit.metrics.expression import n_floored
from audit.predictions import Predictions
from audit.rows import Code, Concern
from audit.verdict import MIN_EFFECTIVE

MIN_EFFECTIVE_SHARE = 0.25
FAILURE_GAP = 0.01
PERSON_ATTRIBUTES = frozenset({"gender", "sex", "race", "ethnicity", "skin_tone"})


def table_warnings(shards: Sequence[Predictions]) -> list[Concern]:
    """What the table itself says: ids, failures, missing truth."""
    found = [warning for shard in shards for warning in shard.warnings]
    n = sum(map(len, shards))
    failed = sum(int((shard.labelled & ~shard.processed).sum()) for shard in shards)
    unlabelled = sum(int((~shard.labelled).sum()) for shard in shards)
    floored = sum(n_floored(shard) for shard in shards)
    found += _no_ids(shards)
    if all(shard.subject_id is None for shard in shards):
        found.append(_no_subjects())
    else:
        single = sum(_without_subject(shard) for shard in shards)
        found += _when(
            single,
            "n_without_subject",
            "info",
            f"{single} of {n} faces name no person; each is its own unit",
        )
    found += _when(
        failed,
        "failures",
        "warning",
        f"{failed} of {n} faces were not processed; they are counted by group",
    )
    found += _when(unlabelled, "unlabelled", "info", f"{unlabelled} of {n} faces have no truth")
    found += _when(
        floored,
        "nll_floored",
        "warning",
        f"{floored} true classes have probability below 2^-52; raised to it in nll",
    )
    return found


def _no_subjects() -> Concern:
    message = (
        "no subject_id: every face counts as another person; if photos repeat people, "
        "intervals are too narrow"
    )
    return Concern(code="no_subjects", severity="warning", message=message)


def _no_ids(shards: Sequence[Predictions]) -> list[Concern]:
    bare = sum(_without_subject(shard) for shard in shards if shard.sample_id is None)
    return _when(
        bare,
        "no_ids",
        "warning",
        f"{bare} faces have neither sample_id nor subject_id: intervals depend on the order of "
        "the rows",
    )


def _without_subject(shard: Predictions) -> int:
    return len(shard) if shard.subject_id is None else int(shard.subject_id.isna().sum())


def _when(count: int, code: Code, severity: str, message: str) -> list[Concern]:
    if not count:
        return []
    return [Concern(code=code, severity=severity, message=message)]


def block_warnings(setting: Setting, block: Block) -> list[Concern]:
    """What one attribute combination says: few persons, unequal photos, failures, inconsistency."""
    names = ",".join(block.grouping.names)
    where = names or None
    persons = next(iter(block.who.values()))[0]
    present = block.grouping.known & (persons.m > 0)
    few = present & (
        (persons.effective < MIN_EFFECTIVE) | (persons.effective < MIN_EFFECTIVE_SHARE * persons.m)
    )
    found = []
    if few.any():
        shown = _shown(block, few, lambda g: f"m_eff {persons.effective[g]:.1f}")
        message = (
            f"intervals may be too narrow where photos are shared out unequally or persons are "
            f"few: {shown}"
        )
        found.append(
            Concern(code="few_effective_subjects", severity="serious", message=message, where=where)
        )
    small = present & (persons.m < setting.min_n)
    if small.any() and block.grouping.names:
        shown = _shown(block, small, lambda g: f"{persons.m[g]:.0f} persons")
        message = f"shown but not tested, below {setting.min_n} persons: {shown}"
        found.append(Concern(code="small_groups", severity="info", message=message, where=where))
    if present.sum() > MAX_GROUPS_FOR_PAIRS and not setting.all_pairs and block.grouping.names:
        message = (
            f"{present.sum()} groups: per metric the {N_LARGEST} largest pairwise differences are "
            "listed; --pairs all writes every one as CSV"
        )
        found.append(Concern(code="gaps_truncated", severity="info", message=message, where=where))
    if names in PERSON_ATTRIBUTES and _inconsistent(block):
        message = f"{_inconsistent(block)} persons have several values of {names}"
        found.append(
            Concern(code="subject_inconsistent", severity="warning", message=message, where=where)
        )
    return found


def failure_warnings(gaps: Sequence[AnyGap]) -> list[Concern]:
    """Failure rates that differ between groups by over 1 point, with an interval above 0."""
    found = []
    for gap in gaps:
        widest = gap.kind == "worst_minus_best" and len(gap.attributes) == 1
        if gap.metric != "failure_rate" or not widest or gap.value is None or not gap.low:
            continue
        if gap.value > FAILURE_GAP:
            message = (
                f"failure rates differ by {100 * gap.value:.1f} points "
                f"[{100 * gap.low:.1f}, {100 * (gap.high or 1):.1f}] between the groups: the faces "
                "that were processed may be the easy ones"
            )
            found.append(
                Concern(
                    code="failure_gap",
                    severity="serious",
                    message=message,
                    where=gap.attributes[0],
                )
            )
    return found


def _shown(block: Block, chosen: np.ndarray, text: object) -> str:
    at = np.flatnonzero(chosen)
    parts = [
        f"{' x '.join(str(v) for v in block.grouping.groups[g]) or 'everyone'} ({text(g)})"  # type: ignore[operator]
        for g in at[:5]
    ]
    return ", ".join(parts) + (f" and {len(at) - 5} more" if len(at) > 5 else "")


def _inconsistent(block: Block) -> int:
    used = block.grouping.known[block.grouped.group]
    _, count = np.unique(block.grouped.unit[used], return_counts=True)
    return int((count > 1).sum())


def source_warnings(
    sources: Mapping[str, str], unknown: Mapping[str, int], n: int
) -> list[Concern]:
    """Who assigned the labels, and how many faces have none."""
    found = []
    for name, source in sources.items():
        if source in {"perceived", "predicted"}:
            message = f"{name} is {source}, not self-reported: misassigned faces shrink gaps"
            found.append(
                Concern(code="perceived_attribute", severity="info", message=message, where=name)
            )
    for name, count in unknown.items():
        if count:
            message = f"{count} of {n} faces have no {name}; shown as unknown, in no gap"
            found.append(
                Concern(code="unknown_group", severity="info", message=message, where=name)
            )
    return found

"""Warnings: what a reader must know before trusting the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from audit.block import Block, Setting
from audit.facts import Facts
from audit.gaps import AnyGap
from audit.pairs import MAX_GROUPS_FOR_PAIRS, N_LARGEST
from audit.rows import Code, Concern
from audit.verdict import MIN_EFFECTIVE

MIN_EFFECTIVE_SHARE = 0.25
FAILURE_GAP = 0.01
NO_SUBJECTS = Concern(
    code="no_subjects",
    severity="warning",
    message="no subject_id: every face counts as another person; if photos repeat people, "
    "intervals are too narrow",
)
PERSON_ATTRIBUTES = frozenset({"gender", "sex", "race", "ethnicity", "skin_tone"})


def table_warnings(facts: Facts) -> list[Concern]:
    """What the table itself says: ids, failures, missing truth."""
    n, where = facts.n, facts.places[0] if len(facts.places) == 1 else None
    found = [*facts.warnings, *_reading(facts, where)]
    found += _when(
        facts.n_bare,
        "no_ids",
        "warning",
        f"{facts.n_bare} faces have neither sample_id nor subject_id: intervals depend on the "
        "order of the rows",
    )
    if facts.has_subjects:
        message = f"{facts.n_alone} of {n} faces name no person; each is its own unit"
        found += _when(facts.n_alone, "n_without_subject", "info", message)
    else:
        found.append(NO_SUBJECTS)
    found += _when(
        facts.n_failed,
        "failures",
        "warning",
        f"{facts.n_failed} of {n} faces were not processed; they are counted by group",
    )
    message = f"{facts.n_unlabelled} of {n} faces have no truth"
    found += _when(facts.n_unlabelled, "unlabelled", "info", message)
    found += _when(
        facts.n_floored,
        "nll_floored",
        "warning",
        f"{facts.n_floored} true classes have probability below 2^-52; raised to it in nll",
    )
    return found


def _reading(facts: Facts, where: str | None) -> list[Concern]:
    """What the readers of the columns counted."""
    negative = facts.counts.get("negative_age_pred", 0)
    odd = facts.counts.get("pred_not_argmax", 0)
    unseen = [name for name, count in zip(facts.classes, facts.seen, strict=True) if not count]
    told: tuple[tuple[int, Code, str, str], ...] = (
        (
            facts.counts.get("mixed_truth", 0),
            "mixed_truth",
            "info",
            "single years among bands are read as [n, n + 1)",
        ),
        (
            negative,
            "negative_age_pred",
            "info",
            f"{negative} predicted ages are negative; kept as they are",
        ),
        (
            odd,
            "pred_not_argmax",
            "warning",
            f"in {odd} rows the predicted class is not the most probable one",
        ),
        (len(unseen), "classes_unseen", "warning", f"no face is labelled {', '.join(unseen)}"),
    )
    return [
        concern.model_copy(update={"where": where})
        for count, code, severity, message in told
        for concern in _when(count, code, severity, message)
    ]


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
    if names in PERSON_ATTRIBUTES and block.moments.several:
        message = f"{block.moments.several} persons have several values of {names}"
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

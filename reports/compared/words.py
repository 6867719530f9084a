"""Sentences about two runs. Each says only what its row says; no threshold is applied here."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange, PairedRow
from reports.compared.lookup import better, unit
from reports.figures import Role
from reports.format import (
    estimate,
    group_label,
    metric_label,
    note_codes,
    number,
    unit_word,
)
from reports.words import Tone

ARROW = "→"
DIRECTIONS = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "nearest to 0 is best",
    "none": "no direction is better",
}


def level_words(result: Comparison) -> str:
    """The confidence level, as ``95 %``."""
    return f"{100 * result.spec.level:.4g} %"


def is_reversed(row: PairedRow | GapChange) -> bool:
    """Whether a difference of groups has changed its side."""
    return "reversed" in note_codes(row.note)


def verdict_words(row: PairedRow | GapChange) -> str:
    """The verdict on the second run, or why there is none."""
    if isinstance(row, GapChange):
        if is_reversed(row):
            return "reversed" if row.verdict == "inconclusive" else f"{row.verdict}, reversed"
        return row.verdict or "not tested"
    return {"a better": "worse", "b better": "better"}.get(
        row.verdict or "", row.verdict or ("not tested" if row.value is None else "no direction")
    )


def badge(row: PairedRow | GapChange) -> tuple[str, Tone]:
    """The verdict as a short label."""
    if isinstance(row, GapChange):
        if is_reversed(row):
            return verdict_words(row), "gap"
        tones: dict[str | None, Tone] = {"wider": "gap", "narrower": "none", "unchanged": "none"}
    else:
        tones = {"a better": "gap", "b better": "none", "equivalent": "none"}
    return verdict_words(row), tones.get(row.verdict, "open")


def role_of(row: PairedRow | GapChange) -> Role:
    """The mark of a row in a figure."""
    if row.value is None or "below_min_n" in note_codes(row.note):
        return "small"
    if isinstance(row, GapChange) and is_reversed(row):
        return "reversed"
    roles: dict[str | None, Role] = {
        "a better": "first_better",
        "b better": "second_better",
        "equivalent": "equal",
        "unchanged": "equal",
        "narrower": "narrower",
        "wider": "wider",
        "inconclusive": "unsettled",
    }
    return roles.get(row.verdict, "plain")


def change_words(result: Comparison, row: PairedRow | GapChange, *, word: bool = True) -> str:
    """``−0.02 years [−0.04, 0.00]``."""
    u = unit(result, row.metric)
    return estimate(row.value, row.low, row.high, u, unit_word(u) if word else "")


def from_to(result: Comparison, row: PairedRow | GapChange) -> str:
    """``0.50 → 0.52``."""
    u = unit(result, row.metric)
    return f"{number(row.value_a, u)} {ARROW} {number(row.value_b, u)}"


def where(row: PairedRow | GapChange) -> str:
    """The group of a row, or the groups of a difference."""
    if isinstance(row, PairedRow):
        return group_label(row.group)
    a = "" if row.a is None else group_label(row.a)
    if row.kind == "vs_rest":
        return f"{a} − the rest"
    if row.b is None:
        return "no difference"
    # the worst has the least where more is better: then the best less the worst is positive
    return f"{a} − {group_label(row.b)}"


def gap_sides(result: Comparison, row: GapChange) -> str:
    """The groups in the order in which they are subtracted."""
    turned = row.kind == "worst_minus_best" and better(result, row.metric) == "higher"
    if turned and row.a is not None and row.b is not None:
        return f"{group_label(row.b)} − {group_label(row.a)}"
    return where(row)


def what(row: PairedRow | GapChange) -> str:
    """The metric of a row with its class."""
    return metric_label(row.metric, row.class_)


def sure_words(result: Comparison, row: PairedRow | GapChange) -> str:
    """How sure a change is, from its row alone."""
    level = level_words(result)
    if row.value is None:
        return "Not compared."
    if row.low is None or row.high is None:
        return "No interval exists for this change."
    if row.low_adjusted is None or row.high_adjusted is None:
        return "Not tested."
    if row.low_adjusted > 0 or row.high_adjusted < 0:
        size = _size_words(result, row)
        return f"The {level} interval that holds for the family excludes 0.{size}"
    if row.low > 0 or row.high < 0:
        return f"Its own {level} interval excludes 0, the family's does not: not settled."
    same = {"equivalent", "unchanged"}
    if row.verdict in same:
        return f"The 90 % interval is inside the margin of ±{_margin(result, row)}."
    return f"The {level} interval includes 0: no difference is shown, and none is ruled out."


def _size_words(result: Comparison, row: PairedRow | GapChange) -> str:
    if row.verdict != "inconclusive":
        return ""
    if isinstance(row, GapChange):
        if is_reversed(row):
            return " The group that was ahead is now behind; which gap is wider is not settled."
        return " Whether the gap is wider or narrower is not settled."
    if row.margin is not None:
        return f" Whether it is beyond the margin of ±{_margin(result, row)} is not settled."
    return " Which of the two is nearer to 0 is not settled."


def _margin(result: Comparison, row: PairedRow | GapChange) -> str:
    u = unit(result, row.metric)
    return " ".join(filter(None, (number(row.margin, u), unit_word(u))))

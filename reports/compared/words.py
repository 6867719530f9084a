"""Sentences about two runs. Each says only what its row says; no threshold is applied here."""

from __future__ import annotations

from audit.comparison import Comparison, GapChange, PairedRow
from reports.compared.lookup import better, unit
from reports.figures import Role
from reports.format import (
    amount,
    beside,
    estimate,
    group_label,
    metric_label,
    note_codes,
    number,
    sentences,
    unit_word,
)
from reports.language import english, say
from reports.words import Tone

ARROW = "→"
DIRECTIONS = {
    "lower": english("lower is better"),
    "higher": english("higher is better"),
    "zero": english("nearest to 0 is best"),
    "none": english("no direction is better"),
}
_VERDICTS = {
    "a better": english("worse"),
    "b better": english("better"),
    "equivalent": english("equivalent"),
    "inconclusive": english("inconclusive"),
    "narrower": english("narrower"),
    "wider": english("wider"),
    "unchanged": english("unchanged"),
}
"""Verdicts as words on the second run; said where they are shown."""


def level_words(result: Comparison) -> str:
    """The confidence level, as ``95 %``."""
    return f"{100 * result.spec.level:.4g} %"


def is_reversed(row: PairedRow | GapChange) -> bool:
    """Whether a difference of groups has changed its side."""
    return "reversed" in note_codes(row.note)


def verdict_words(row: PairedRow | GapChange) -> str:
    """The verdict on the second run, or why there is none."""
    if row.verdict is None:
        untested = row.value is None or isinstance(row, GapChange)
        return say("not tested") if untested else say("no direction")
    word = say(_VERDICTS[row.verdict])
    if isinstance(row, GapChange) and is_reversed(row):
        turned = say("reversed")
        return turned if row.verdict == "inconclusive" else beside(word, turned)
    return word


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
        return say("{group} − the rest", group=a)
    if row.b is None:
        return say("no difference")
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
        return say("Not compared.")
    if row.low is None or row.high is None:
        return say("No interval exists for this change.")
    if row.low_adjusted is None or row.high_adjusted is None:
        return say("Not tested.")
    if row.low_adjusted > 0 or row.high_adjusted < 0:
        held = say("The {level} interval that holds for the family excludes 0.", level=level)
        return sentences(held, _size_words(result, row))
    if row.low > 0 or row.high < 0:
        return say(
            "Its own {level} interval excludes 0, the family's does not: not settled.", level=level
        )
    same = {"equivalent", "unchanged"}
    if row.verdict in same:
        margin = amount(row.margin, unit(result, row.metric))
        return say("The 90 % interval is inside the margin of ±{margin}.", margin=margin)
    return say(
        "The {level} interval includes 0: no difference is shown, and none is ruled out.",
        level=level,
    )


def _size_words(result: Comparison, row: PairedRow | GapChange) -> str:
    if row.verdict != "inconclusive":
        return ""
    if isinstance(row, GapChange):
        if is_reversed(row):
            return say("The group that was ahead is now behind; which gap is wider is not settled.")
        return say("Whether the gap is wider or narrower is not settled.")
    if row.margin is not None:
        margin = amount(row.margin, unit(result, row.metric))
        return say("Whether it is beyond the margin of ±{margin} is not settled.", margin=margin)
    return say("Which of the two is nearer to 0 is not settled.")

"""Sentences about rows. Each says only what its row says; no threshold is applied here."""

from __future__ import annotations

import string
from typing import Literal

from audit.result import AuditResult
from audit.rows import Gap
from reports.format import (
    EM_DASH,
    combination_label,
    note_words,
    number,
    plain,
    unit_word,
    without_margin,
)

Tone = Literal["gap", "none", "open"]

SOURCES = {
    "self_reported": "as the people themselves reported it",
    "perceived": "as perceived by somebody else",
    "predicted": "as predicted by a model",
    "drawn": "as the faces were drawn",
    "unknown": "not stated",
}

REGRESSION = (
    "These groups are made of the true age. Differences between them are partly regression to the "
    "mean: any imperfect estimate is pulled towards the middle of the ages it was trained on."
)

BADGES: dict[str, tuple[str, Tone]] = {
    "gap": ("gap", "gap"),
    "no material gap": ("no material gap", "none"),
    "inconclusive": ("inconclusive", "open"),
}


def level_words(result: AuditResult) -> str:
    """The confidence level, as ``95 %``."""
    return f"{100 * result.spec.level:.4g} %"


def badge(gap: Gap) -> tuple[str, Tone]:
    """The verdict of a row as a short label; a row without a verdict says why it has none."""
    if gap.verdict is not None:
        return BADGES[gap.verdict]
    return ("not tested" if gap.value is None else "no verdict", "open")


def interval_words(gap: Gap, level: str) -> str:
    """What the printed interval says about no difference, read off the row."""
    null, name = (1.0, "a ratio of 1") if gap.kind == "ratio" else (0.0, "0")
    if gap.low is None or gap.high is None:
        return "No interval exists for this difference."
    if gap.low > null or gap.high < null:
        return f"The {level} interval excludes {name}."
    return f"Inconclusive: the {level} interval includes {name}; a difference is not shown."


def verdict_words(gap: Gap, unit: str) -> str:
    """What the verdict of the row means, or why there is none."""
    margin = margin_words(gap, unit)
    if gap.verdict == "gap":
        return f"The family-adjusted interval is wholly outside the stated margin of {margin}."
    if gap.verdict == "no material gap":
        return f"The 90 % interval is inside the stated margin of {margin}."
    if gap.verdict == "inconclusive":
        return f"Inconclusive: neither outside nor inside the stated margin of {margin}."
    if gap.margin is None:
        return "No margin was stated, so there is no verdict."
    return "No verdict."


def gate_words(gate: str) -> str:
    """What passing an age gate is, before its rate."""
    legal, challenge = gate.split(":")
    where = "" if legal == challenge else f" from an estimate of {challenge} on"
    return f"Gate {gate}: of the people under {legal}, the share that passes{where} is"


def margin_words(gap: Gap, unit: str) -> str:
    """A margin on both sides: of 0, or of a ratio of 1."""
    if gap.kind == "ratio" and gap.margin is not None:
        return f"{number(1 / gap.margin)} to {number(gap.margin)}"
    return " ".join(filter(None, (f"±{number(gap.margin, unit)}", unit_word(unit))))


def source_words(result: AuditResult, attributes: list[str]) -> str:
    """Who assigned the labels of some attributes."""
    parts = []
    for name in attributes:
        spec = result.spec.attributes.get(name)
        parts.append(f"{plain(name)}: {SOURCES[spec.source if spec else 'unknown']}")
    return "; ".join(parts)


def by(attributes: list[str]) -> str:
    """``by gender × race``."""
    return f"by {combination_label(attributes)}"


def mark_of(note: str | None, marks: dict[str, str]) -> str:
    """The footnote letter of a note; ``marks`` collects words -> letter in order of appearance."""
    words = note_words(without_margin(note))
    if not words:
        return ""
    letters = string.ascii_lowercase
    n = len(marks)
    new = letters[n] if n < len(letters) else letters[n // 26 - 1] + letters[n % 26]
    return marks.setdefault(words, new)


def missing(note: str | None) -> str:
    """An em dash with the reason, for places that have room for words."""
    words = note_words(note)
    return f"{EM_DASH} {words}" if words else EM_DASH

"""Sentences about rows. Each says only what its row says; no threshold is applied here."""

from __future__ import annotations

import string
from typing import Literal

from audit.result import AuditResult
from audit.rows import Gap
from reports.format import (
    EM_DASH,
    amount,
    combination_label,
    note_words,
    number,
    plain,
    semicolons,
    without_margin,
)
from reports.language import english, say

Tone = Literal["gap", "none", "open"]

SOURCES = {
    "self_reported": english("as the people themselves reported it"),
    "perceived": english("as perceived by somebody else"),
    "predicted": english("as predicted by a model"),
    "drawn": english("as the faces were drawn"),
    "unknown": english("not stated"),
}

REGRESSION = english(
    "These groups are made of the true age. Differences between them are partly regression to the "
    "mean: any imperfect estimate is pulled towards the middle of the ages it was trained on."
)

BADGES: dict[str, tuple[str, Tone]] = {
    "gap": (english("gap"), "gap"),
    "no material gap": (english("no material gap"), "none"),
    "inconclusive": (english("inconclusive"), "open"),
}
"""The verdicts in words; said where they are shown."""


def level_words(result: AuditResult) -> str:
    """The confidence level, as ``95 %``."""
    return f"{100 * result.spec.level:.4g} %"


def badge(gap: Gap) -> tuple[str, Tone]:
    """The verdict of a row as a short label; a row without a verdict says why it has none."""
    if gap.verdict is None:
        return (say("not tested") if gap.value is None else say("no verdict"), "open")
    return (verdict_label(gap.verdict), BADGES[gap.verdict][1])


def verdict_label(verdict: str | None) -> str:
    """A verdict in the language of the page, or nothing."""
    return say(BADGES[verdict][0]) if verdict else ""


def interval_words(gap: Gap, level: str) -> str:
    """What the printed interval says about no difference, read off the row."""
    null, name = (1.0, say("a ratio of 1")) if gap.kind == "ratio" else (0.0, "0")
    if gap.low is None or gap.high is None:
        return say("No interval exists for this difference.")
    if gap.low > null or gap.high < null:
        return say("The {level} interval excludes {name}.", level=level, name=name)
    return say(
        "Inconclusive: the {level} interval includes {name}; a difference is not shown.",
        level=level, name=name,
    )  # fmt: skip


def verdict_words(gap: Gap, unit: str) -> str:
    """What the verdict of the row means, or why there is none."""
    margin = margin_words(gap, unit)
    if gap.verdict == "gap":
        return say(
            "The family-adjusted interval is wholly outside the stated margin of {margin}.",
            margin=margin,
        )
    if gap.verdict == "no material gap":
        return say("The 90 % interval is inside the stated margin of {margin}.", margin=margin)
    if gap.verdict == "inconclusive":
        return say(
            "Inconclusive: neither outside nor inside the stated margin of {margin}.",
            margin=margin,
        )
    if gap.margin is None:
        return say("No margin was stated, so there is no verdict.")
    return say("No verdict.")


def gate_words(gate: str, share: str) -> str:
    """What passing an age gate is, and its rate."""
    legal, challenge = gate.split(":")
    if legal == challenge:
        return say(
            "Gate {gate}: of the people under {legal}, the share that passes is {share}",
            gate=gate, legal=legal, share=share,
        )  # fmt: skip
    return say(
        "Gate {gate}: of the people under {legal}, the share that passes from an estimate of "
        "{challenge} on is {share}",
        gate=gate, legal=legal, challenge=challenge, share=share,
    )  # fmt: skip


def margin_words(gap: Gap, unit: str) -> str:
    """A margin on both sides: of 0, or of a ratio of 1."""
    if gap.kind == "ratio" and gap.margin is not None:
        return say("{low} to {high}", low=number(1 / gap.margin), high=number(gap.margin))
    return f"±{amount(gap.margin, unit)}"


def source_words(result: AuditResult, attributes: list[str]) -> str:
    """Who assigned the labels of some attributes."""
    parts = []
    for name in attributes:
        spec = result.spec.attributes.get(name)
        words = say(SOURCES[spec.source if spec else "unknown"])
        parts.append(say("{name}: {text}", name=plain(name), text=words))
    return semicolons(parts)


def by(attributes: list[str]) -> str:
    """``by gender × race``."""
    return say("by {names}", names=combination_label(attributes))


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

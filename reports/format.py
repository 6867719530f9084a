"""Numbers and names as a reader sees them; the only place that rounds.

Years have two decimals; rates and everything else have three and stay between 0 and 1. A number
that does not exist is an em dash, and its note is given in words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from audit.notes import NOTES
from audit.rows import Group, MetricRow
from reports.language import english, say

EM_DASH = "—"
UNKNOWN = english("unknown")
EVERYONE = english("everyone")

METRIC_TITLES = {
    "mae": english("mean absolute error"),
    "bias": english("mean signed error"),
    "rmse": english("root mean squared error"),
    "median_ae": english("median absolute error"),
    "p90_ae": english("90th percentile of the absolute error"),
    "cs5": english("share with an error of at most 5 years"),
    "within_band_accuracy": english("share within the known age band"),
    "band_distance": english("distance to the known age band"),
    "accuracy": english("accuracy"),
    "balanced_accuracy": english("balanced accuracy"),
    "macro_f1": english("macro F1"),
    "share": english("share"),
    "representation_ratio": english("share over that in the reference"),
}

_BIDI_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


def number(value: float | None, unit: str = "") -> str:
    """A number in its unit: ``6.41`` years, ``0.731`` for a rate, an em dash for ``None``."""
    if value is None:
        return EM_DASH
    digits = 2 if unit == "years" else 3
    tiny = value != 0 and abs(value) < 0.5 * 10**-digits
    text = f"{value:.0e}" if tiny else f"{value + 0.0:,.{digits}f}"
    return text.replace("-", "−")


def count(n: int | float | None) -> str:
    """A count of faces or persons; weighted and effective counts keep one decimal."""
    if n is None:
        return EM_DASH
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.1f}"


def plural(n: int | None, one: str, many: str) -> str:
    """``plural(2, english("{n} slice"), english("{n} slices"))`` is ``2 slices``."""
    return say(one if n == 1 else many, n=count(n))


def faces(n: int | None) -> str:
    """``1 face``, ``2 faces``."""
    return plural(n, english("{n} face"), english("{n} faces"))


def people(n: int | None) -> str:
    """``1 person``, ``2 people``."""
    return plural(n, english("{n} person"), english("{n} people"))


def persons(n: int | None) -> str:
    """``1 person``, ``2 persons``: of a rule, where ``people`` are those who are there."""
    return plural(n, english("{n} person"), english("{n} persons"))


def listed(names: Sequence[str]) -> str:
    """``age, gender and race``."""
    if len(names) < 2:
        return "".join(names)
    return say("{some} and {last}", some=commas(names[:-1]), last=names[-1])


def commas(names: Iterable[str]) -> str:
    """``age, gender, race``."""
    return say(", ").join(names)


def semicolons(parts: Iterable[str]) -> str:
    """Clauses side by side: ``female 5.1; male 4.9``."""
    return say("; ").join(parts)


def beside(*clauses: str) -> str:
    """The clauses that are not empty, with commas: ``highest, 5.1 [4.9, 5.3], 300 people``."""
    shown = [clause for clause in clauses if clause]
    text = shown[0] if shown else ""
    for clause in shown[1:]:
        text = say("{first}, {then}", first=text, then=clause)
    return text


def sentences(*parts: str) -> str:
    """Whole sentences one after the other; empty ones are left out."""
    shown = [part for part in parts if part]
    text = shown[0] if shown else ""
    for part in shown[1:]:
        text = say("{first} {then}", first=text, then=part)
    return text


def bracketed(text: str, detail: str) -> str:
    """``text (detail)``, or the text alone."""
    return say("{text} ({detail})", text=text, detail=detail) if detail else text


def capital(text: str) -> str:
    """The text as the start of a line."""
    return text[:1].upper() + text[1:]


def interval(low: float | None, high: float | None, unit: str = "") -> str:
    """``[0.60, 0.89]``, or nothing when an end is missing."""
    if low is None and high is None:
        return ""
    return f"[{number(low, unit)}, {number(high, unit)}]"


def estimate(
    value: float | None, low: float | None, high: float | None, unit: str = "", word: str = ""
) -> str:
    """``0.73 [0.60, 0.89]``; ``word`` names the unit between value and interval."""
    parts = (number(value, unit), word, interval(low, high, unit))
    return " ".join(part for part in parts if part)


def p_value(p: float | None) -> str:
    """``0.031``, ``< 0.001`` or an em dash."""
    if p is None:
        return EM_DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def note_words(note: str | None) -> str:
    """The note of a row in words; a row may carry several, joined by ``"; "``."""
    parts = []
    for part in note.split("; ") if note else ():
        code, _, detail = part.partition(":")
        parts.append(bracketed(say(NOTES[code]), plain(detail.strip())))
    return semicolons(parts)


def without_margin(note: str | None) -> str | None:
    """A note less ``no_margin``, which the sentence on the verdict says already."""
    kept = [part for part in note.split("; ") if part != "no_margin"] if note else []
    return "; ".join(kept) or None


def note_codes(note: str | None) -> tuple[str, ...]:
    """The codes of a note, without their details."""
    return tuple(part.partition(":")[0] for part in note.split("; ")) if note else ()


@lru_cache(maxsize=2**14)
def plain(text: str) -> str:
    """A text of foreign origin as one harmless line.

    Control characters and characters that reverse the reading direction of their surroundings
    become a visible replacement; right-to-left text is isolated from what stands around it.
    """
    text = _BIDI_CONTROLS.sub("\ufffd", " ".join(text.split()))
    text = "".join("\ufffd" if unicodedata.category(c) == "Cc" else c for c in text)
    turns = any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text)
    return f"\u2068{text}\u2069" if turns else text


def group_value(value: str | None) -> str:
    """The value of one attribute; an empty cell of the table is unknown."""
    if value is None:
        return say(UNKNOWN)
    return plain(value) or say("(blank)")


def group_label(group: Group) -> str:
    """``female · Black``; the group of no attribute is everyone."""
    return " · ".join(group_value(value) for value in group.values()) or say(EVERYONE)


def combination_label(attributes: list[str] | tuple[str, ...]) -> str:
    """``gender × race``."""
    return " × ".join(plain(name) or say("(no name)") for name in attributes)


def metric_label(metric: str, class_: str | None = None) -> str:
    """The metric's name as written in the record, with its class where it has one."""
    if class_ is None:
        return plain(metric)
    return say("{text} ({detail})", text=plain(metric), detail=plain(class_))


def metric_title(metric: str) -> str:
    """The metric's name in words, where it has one."""
    title = METRIC_TITLES.get(metric)
    return plain(metric) if title is None else say(title)


def unit_word(unit: str) -> str:
    """The unit to print after a value: years are named, rates speak for themselves."""
    return say("years") if unit == "years" else ""


def unit_name(unit: str) -> str:
    """The unit in words, for axes and tables: ``years``, ``share``."""
    return plain(say(unit))


def amount(value: float | None, unit: str) -> str:
    """A number with its unit: ``0.73 years``, ``0.731``."""
    return " ".join(filter(None, (number(value, unit), unit_word(unit))))


def row_estimate(row: MetricRow, unit: str) -> str:
    """The value of a metric row with its interval."""
    return estimate(row.value, row.low, row.high, unit)


def shorten(text: str, limit: int) -> str:
    """The text cut to ``limit`` characters, the cut marked."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def plot_text(text: str, limit: int = 26) -> str:
    """A text for a plotly label: short, and with plotly's own pseudo-HTML disarmed.

    Plotly reads ``<b>``, ``<br>``, ``<a href>`` and entities inside every label, and ``%{...}``
    only inside templates, which the figures here do not use.
    """
    short = shorten(text, limit)
    if "\u2068" in short and "\u2069" not in short:
        short += "\u2069"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

"""Numbers and names as a reader sees them; the only place that rounds.

Years have two decimals; rates and everything else have three and stay between 0 and 1. A number
that does not exist is an em dash, and its note is given in words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from audit.notes import NOTES
from audit.rows import Group, MetricRow

EM_DASH = "—"
UNKNOWN = "unknown"
EVERYONE = "everyone"

METRIC_TITLES = {
    "mae": "mean absolute error",
    "bias": "mean signed error",
    "rmse": "root mean squared error",
    "median_ae": "median absolute error",
    "p90_ae": "90th percentile of the absolute error",
    "cs5": "share with an error of at most 5 years",
    "within_band_accuracy": "share within the known age band",
    "band_distance": "distance to the known age band",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "representation_ratio": "share over that in the reference",
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


def plural(n: int | None, one: str, many: str | None = None) -> str:
    """``1 face``, ``2 faces``, ``2 people``."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """``age, gender and race``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


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
        parts.append(NOTES[code] + (f" ({plain(detail.strip())})" if detail.strip() else ""))
    return "; ".join(parts)


def without_margin(note: str | None) -> str | None:
    """A note less ``no_margin``, which the sentence on the verdict says already."""
    kept = [part for part in note.split("; ") if part != "no_margin"] if note else []
    return "; ".join(kept) or None


def note_codes(note: str | None) -> tuple[str, ...]:
    """The codes of a note, without their details."""
    return tuple(part.partition(":")[0] for part in note.split("; ")) if note else ()


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
        return UNKNOWN
    return plain(value) or "(blank)"


def group_label(group: Group) -> str:
    """``female · Black``; the group of no attribute is everyone."""
    return " · ".join(group_value(value) for value in group.values()) or EVERYONE


def combination_label(attributes: list[str] | tuple[str, ...]) -> str:
    """``gender × race``."""
    return " × ".join(plain(name) or "(no name)" for name in attributes)


def metric_label(metric: str, class_: str | None = None) -> str:
    """The metric's name as written in the record, with its class where it has one."""
    return plain(metric) if class_ is None else f"{plain(metric)} ({plain(class_)})"


def metric_title(metric: str) -> str:
    """The metric's name in words, where it has one."""
    return METRIC_TITLES.get(metric, plain(metric))


def unit_word(unit: str) -> str:
    """The unit to print after a value: years are named, rates speak for themselves."""
    return "years" if unit == "years" else ""


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

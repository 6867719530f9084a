"""The order of group names: numbers and bands by their size, other names as the record has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BAND = re.compile(
    r"(?P<word>under|below|less than|up to|over|above|more than|[<>≤≥])?\s*[\[(]?\s*"
    r"(?P<low>[-−]?\d+(?:\.\d+)?).*",
    re.IGNORECASE,
)
_BELOW = {"under": -1, "below": -1, "less than": -1, "<": -1, "up to": -1, "≤": -1}
_ABOVE = {"over": 1, "above": 1, "more than": 1, ">": 1}


def size(name: str) -> tuple[float, int] | None:
    """The number that a name begins with, or None where it begins with none.

    Examples
    --------
    >>> sorted(["10-19", "70+", "under 3", "3-9"], key=size)
    ['under 3', '3-9', '10-19', '70+']
    >>> size("Black") is None
    True
    """
    found = _BAND.fullmatch(name.strip())
    if found is None:
        return None
    word = (found["word"] or "").lower()
    return float(found["low"].replace("−", "-")), _BELOW.get(word, 0) + _ABOVE.get(word, 0)


def is_sized(names: Iterable[str | None]) -> bool:
    """Whether all known names are numbers or bands."""
    known = [name for name in names if name is not None]
    return len(known) > 1 and all(size(name) is not None for name in known)


def in_order(names: Sequence[str | None]) -> list[str | None]:
    """Names by their numbers where all have one, else as given; unknown ones last."""
    if is_sized(names):
        return sorted(names, key=lambda name: (name is None, size(name or "") or (0.0, 0)))
    return sorted(names, key=lambda name: name is None)

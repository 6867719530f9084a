"""Names that a user wrote, checked against those that exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from audit.errors import InputError


def check_name(name: str, known: Iterable[str], place: str, what: str) -> None:
    """Refuse a name that does not exist, with the nearest ones.

    Raises
    ------
    InputError
        With the place, the name and the nearest names, or all of them.

    Examples
    --------
    >>> check_name("ma", ["mae", "bias"], "--margin", "metric")
    Traceback (most recent call last):
    audit.errors.InputError: --margin ma: no such metric; did you mean mae?
    """
    names = sorted(known)
    if name in names:
        return
    near = get_close_matches(name, names)
    guess = f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(names)}"
    raise InputError(f"{place} {name}: no such {what}; {guess}")

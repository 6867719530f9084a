"""Definitions of metrics and of curves, as a record states them, in the language of the page."""

from __future__ import annotations

import re

from reports.format import plain
from reports.language import say

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def defined(text: str) -> str:
    """A definition in the language of the page; one that no catalogue knows stays as it is.

    Definitions differ by numbers, the level of an interval or the number of classes, so a catalogue
    has them with places for numbers: :func:`pattern`.
    """
    if "{" in text or "}" in text:
        return plain(text)
    numbers = {f"n{i}": number for i, number in enumerate(_NUMBER.findall(text))}
    return plain(say(pattern(text), **numbers))


def pattern(text: str) -> str:
    """The text with a place for every number, in order.

    Examples
    --------
    >>> pattern("share with an error of at most 5 years, 2.5 at least")
    'share with an error of at most {n0} years, {n1} at least'
    """
    places = iter(range(len(text)))
    return _NUMBER.sub(lambda _: f"{{n{next(places)}}}", text)

"""The names of facial expressions: each data set numbers its own, so they are mapped by name."""

from __future__ import annotations

from collections.abc import Iterable

EXPRESSIONS = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
    "contempt",
)
_OTHER_NAMES = {
    "angry": "anger",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
}


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names of classes, each once: the known ones in their order, then the others by text.

    Examples
    --------
    >>> class_order(["neutral", "pain", "anger", "awe", "anger"])
    ('anger', 'neutral', 'awe', 'pain')
    """
    found = set(names)
    return (
        *(name for name in EXPRESSIONS if name in found),
        *sorted(found.difference(EXPRESSIONS)),
    )


def canonical(text: str) -> str:
    """The expression that a text names; "" where it names none.

    Examples
    --------
    >>> canonical("Happy"), canonical("fear"), canonical("7")
    ('happiness', 'fear', '')
    """
    name = text.strip().lower()
    return _OTHER_NAMES.get(name, name if name in EXPRESSIONS else "")


def numbered(text: str, names: tuple[str, ...], first: int) -> tuple[str, str]:
    """The expression of a data set's own number and "", or "" and why there is none.

    Parameters
    ----------
    text : str
        The number as written.
    names : names of expressions
        In the data set's order.
    first : int
        The number of the first of them.

    Examples
    --------
    >>> numbered("2", ("neutral", "anger"), 1), numbered("2", ("neutral", "anger"), 0)
    (('anger', ''), ('', "its expression is '2', must be 0 to 1"))
    """
    number = int(text) - first if text.isdecimal() else -1
    if 0 <= number < len(names):
        return names[number], ""
    return "", f"its expression is {text!r}, must be {first} to {first + len(names) - 1}"

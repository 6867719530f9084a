"""Texts from the command line as values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import get_args

from audit.errors import InputError
from audit.result import AttributeSpec


def pairs_of(texts: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """Read ``A=B`` texts.

    Examples
    --------
    >>> pairs_of(["age=age_labels"], "--map", "OURS=THEIRS")
    {'age': 'age_labels'}
    """
    found: dict[str, str] = {}
    for text in texts or ():
        left, equals, right = text.partition("=")
        if not (left and equals and right):
            raise InputError(f"{option} {text!r}: must be {form}")
        if left in found:
            raise InputError(f"{option} {text!r}: {left!r} is given twice; give it once")
        found[left] = right
    return found


def sources_of(texts: Sequence[str] | None) -> dict[str, str]:
    """Read ``NAME=SOURCE`` texts of ``--label-source``."""
    found = pairs_of(texts, "--label-source", "NAME=SOURCE")
    known = get_args(AttributeSpec.model_fields["source"].annotation)
    for name, source in found.items():
        if source not in known:
            raise InputError(
                f"--label-source {name}={source}: the source must be one of {', '.join(known)}"
            )
    return found


def margins_of(texts: Sequence[str] | None) -> dict[str, float]:
    """Read ``METRIC=VALUE`` texts of ``--margin``."""
    found = pairs_of(texts, "--margin", "METRIC=VALUE, such as mae=0.5")
    values = {name: numbers(text, f"--margin {name}=") or () for name, text in found.items()}
    for name, value in values.items():
        if len(value) != 1:
            raise InputError(f"--margin {name}={found[name]}: must be one number, such as 0.5")
    return {name: value[0] for name, value in values.items()}


def names(text: str | None) -> tuple[str, ...] | None:
    """Read ``a,b,c``."""
    return tuple(part.strip() for part in text.split(",")) if text is not None else None


def numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Read ``0,13,18``."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"{option} {text!r}: must be numbers with commas between, such as 0,13,18"
        ) from None


def date_of(text: str | None) -> str:
    """A date as ``YYYY-MM-DD``; by default today's, in UTC.

    Raises
    ------
    InputError
        It is no date.
    """
    if text is None:
        return datetime.now(UTC).date().isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"--date {text}: is no date; write it as 2026-01-31") from None

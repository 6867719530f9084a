"""Configs with ``--set`` laid over them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from audit.errors import InputError


def with_settings(content: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Lay ``key=value`` texts over a config's content; keys are dotted, values are TOML or text.

    Examples
    --------
    >>> with_settings({"model": {"size": 64}}, ["model.views.k=4", "optimizer.name=adamw"])
    {'model': {'size': 64, 'views': {'k': 4}}, 'optimizer': {'name': 'adamw'}}

    Raises
    ------
    InputError
        A text without ``=``, or a key that leads through a value.
    """
    result = {**content}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise InputError(f"--set {text!r}: must be KEY=VALUE, such as model.views.k=4")
        place = result
        *path, last = key.split(".")
        for part in path:
            place[part] = {**place.get(part, {})} if _is_table(place, part) else None
            if place[part] is None:
                raise InputError(f"--set {text!r}: {part!r} is a value and has no keys in it")
            place = place[part]
        place[last] = _value(value)
    return result


def _is_table(place: Mapping[str, Any], part: str) -> bool:
    return isinstance(place.get(part, {}), Mapping)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text

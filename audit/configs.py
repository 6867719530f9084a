"""TOML files and other contents as checked values, with errors that name the key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from audit.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    InputError
        It is missing or no TOML.
    """
    return toml_and_text(path, what)[0]


def toml_and_text(path: Path, what: str) -> tuple[dict[str, Any], str]:
    """Read a TOML file: its keys, and the text that they come from, byte for byte."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give {what} in TOML") from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: is no TOML: {error}") from None


def checked(model: type[Model], content: Mapping[str, Any], place: str) -> Model:
    """Make a config of its content; an error says which key breaks which rule.

    Raises
    ------
    InputError
        An unknown key (the nearest known one is named), a missing one, or a value that breaks its
        rule.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{place}: {first_error(model, error.errors()[0])}") from None


def first_error(model: type[BaseModel], error: ErrorDetails) -> str:
    """Say in words what pydantic found."""
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = _keys(model, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"unknown key {where!r}; {guess}"
    if error["type"] == "missing":
        return f"the key {where!r} is missing"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        choices = re.findall("'([^']*)'", error["ctx"]["expected"])
        message = f"Input should be {_either(nearest(error['input'], choices))}"
    shown = error["input"] if isinstance(error["input"], str | int | float) else None
    place = f"{where}: " if where else ""
    return place + message + (f", got {shown!r}" if shown is not None else "")


def nearest(name: str, choices: Iterable[str]) -> list[str]:
    """The choices, those that look like a name first; the others keep their order.

    Examples
    --------
    >>> nearest("mcann", ["sae", "tnet", "mcan"])
    ['mcan', 'sae', 'tnet']
    """
    known = list(choices)
    near = difflib.get_close_matches(name, known, n=len(known), cutoff=0.5)
    return [*near, *(x for x in known if x not in near)]


def _either(choices: Sequence[str]) -> str:
    shown = [repr(choice) for choice in choices]
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def _keys(model: Any, location: Sequence[int | str]) -> list[str]:
    for part in (part for part in location if isinstance(part, str)):  # not places in lists
        kinds = [model.model_fields[part].annotation]
        kinds += getattr(kinds[0], "__args__", ())
        model = next(kind for kind in kinds if hasattr(kind, "model_fields"))
    return [field.alias or name for name, field in model.model_fields.items()]

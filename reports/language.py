"""The language of a page: every sentence is written in English where it is used, and looked up.

``say("{n} faces of {name}", n=3, name="x")`` is that sentence in the language of the block of
:func:`speaking` around it. A sentence that stands at module level is marked by :func:`english` and
said where it is used. The catalogue of a language, ``languages/zh.json``, has English sentences as
keys; a test finds every sentence in the source and fails where a catalogue lacks one. What comes
from a record, names of groups and models, is never looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
TAGS: dict[Language, str] = {"en": "en", "zh": "zh-Hans"}
"""As the page states its language, BCP 47."""

_spoken: ContextVar[tuple[Language, Mapping[str, str]]] = ContextVar("_spoken", default=("en", {}))


@contextmanager
def speaking(language: Language, catalogue: Mapping[str, str] | None = None) -> Iterator[None]:
    """All that is said in the block is said in this language.

    ``catalogue`` replaces that of the language.
    """
    token = _spoken.set((language, catalogue_of(language) if catalogue is None else catalogue))
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> Language:
    """The language of the block around."""
    return _spoken.get()[0]


def say(sentence: str, /, **values: object) -> str:
    """The sentence in the language spoken, its ``{names}`` filled in.

    A sentence that the catalogue lacks stays English.
    """
    found = _spoken.get()[1].get(sentence, sentence)
    return found.format(**values) if values else found


def english(sentence: str, /) -> str:
    """Mark a sentence for the catalogues; it is given to :func:`say` where it is used."""
    return sentence


@lru_cache
def catalogue_of(language: Language) -> Mapping[str, str]:
    """English sentences and what they are in a language; English needs none."""
    if language == "en":
        return {}
    source = files("reports").joinpath(f"languages/{language}.json")
    found: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
    return found

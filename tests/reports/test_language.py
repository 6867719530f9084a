"""Every sentence of a page is in the catalogue of every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import reports
from audit import comparison
from audit.data_set import run
from audit.generality import record
from audit.notes import NOTES, WARNING_CODES
from reports.definitions import pattern
from reports.language import LANGUAGES, catalogue_of, say, speaking, spoken
from tests.reports.definitions import definitions, sources, units

SOURCE = Path(reports.__file__).parent
OTHERS = [language for language in LANGUAGES if language != "en"]


def _called(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("say", "english")


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence given to ``say`` or ``english``, those of closed lists, and their places."""
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name == "language.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) and node.args:
                for part in ast.walk(node.args[0]):
                    assert not isinstance(part, ast.JoinedStr), f"{path}:{node.lineno}: an f-string"
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value, f"{path.relative_to(SOURCE)}:{node.lineno}"
    for path in sorted((SOURCE / "templates").iterdir()):
        for found in re.finditer(r'say\("([^"]+)"', path.read_text(encoding="utf-8")):
            yield found[1], path.name

    for words in (*NOTES.values(), *WARNING_CODES.values()):
        yield words, "audit/notes.py"
    for words in map(pattern, definitions()):
        yield words, "a definition in audit/"
    for words in (*sources(), *units()):
        yield words, "a unit, scale or source in audit/"
    for words in (comparison.SCOPE, record.SCOPE, run.FAMILIES, run.UNITS):
        yield words, "what a record holds for"


def places(sentence: str) -> set[str | None]:
    """The names that a sentence has room for."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_every_sentence_and_no_other(language: str) -> None:
    found = dict(sentences())
    catalogue = catalogue_of(language)
    assert {key: place for key, place in found.items() if key not in catalogue} == {}
    assert sorted(set(catalogue) - set(found)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_keeps_its_places_in_every_language(language: str) -> None:
    for english, other in catalogue_of(language).items():
        assert places(other) == places(english), english
        assert other.strip(), english


def test_what_is_said_follows_the_block_and_ends_with_it() -> None:
    assert say("{n} faces", n=3) == "3 faces"
    with speaking("zh", {"{n} faces": "{n} 张人脸"}):
        assert (spoken(), say("{n} faces", n=3)) == ("zh", "3 张人脸")
        with speaking("en"):
            assert say("{n} faces", n=3) == "3 faces"
        assert say("no such sentence") == "no such sentence"
    assert (spoken(), say("{n} faces", n=3)) == ("en", "3 faces")


def test_braces_of_data_are_no_places() -> None:
    assert say("{n} faces of {name}", n=1, name="{x} {{y}}") == "1 faces of {x} {{y}}"

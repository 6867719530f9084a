"""No English is left on a page of another language, but names of data and a few terms.

Pages are made with a catalogue that has every sentence and writes ``ж`` for its letters. A Latin
word that is left was never given to ``say``, or is of the record.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from audit.compare import compare
from audit.record import record_text
from reports.blocks import Figure, Prose, Section
from reports.card import model_card
from reports.comparison import comparison_page
from reports.format import EVERYONE
from reports.generality import generality_page
from reports.grid.claims import CLAIMS
from reports.html import Page, html_of
from reports.language import speaking
from reports.page import page_of, render
from reports.site.build import publish
from reports.site.index import index_page, trend_page, trends
from reports.site.record import Site
from tests.audit.frames import cured_table, distribution_table
from tests.reports.comparisons import tables
from tests.reports.records import age_record, expression_record
from tests.reports.sections_of import audited
from tests.reports.test_comparison_page import record as compared
from tests.reports.test_data_set import everything
from tests.reports.test_generality_page import record as gridded
from tests.reports.test_site import run

TERMS = frozenset(
    {
        "audit",
        "CRPS",
        "csv",
        "ENCE",
        "FDR",
        "GARBE",
        "hae",
        "json",
        "JSON",
        "NPMI",
        "RPS",
        "SHA",
        "svg",
    }
)
"""Names of files, hashes and statistics are alike in every language."""
NAMING = frozenset({
    "a", "aggregator", "analysed", "attributes", "b", "backbone", "class", "classes",
    "combinations", "control", "group", "metric", "metrics", "name", "release", "run_a", "run_b",
    "values", "x", "y",
})  # fmt: skip
"""Under these keys of a record stand names: of groups, classes, metrics, models."""
TEXTS = frozenset({
    "adjust", "command", "data", "error", "interval", "message", "method", "model", "reason",
    "sha256", "slices", "terms", "where",
})  # fmt: skip
"""Under these keys stand texts that a page repeats as they are."""
KEYED = frozenset({
    "a", "aggregates", "attributes", "b", "curves", "fairness", "group", "metrics", "versions",
})  # fmt: skip
"""What is under these keys has names as keys of its own."""
PAGES: dict[str, Callable[[], Page]] = {
    "age": lambda: page_of(age_record(simulated=True)),
    "expression": lambda: page_of(expression_record()),
    "gates": lambda: page_of(
        audited(
            distribution_table(3, 100), task="age", by=["gender", "race"], gates=["18:21"],
            gate_target=0.6, margins={"mae": 0.5},
        )
    ),
    "cure": lambda: page_of(audited(cured_table(0, 60), task="expression", by=["gender"])),
    "data": lambda: page_of(everything()),
    "comparison": lambda: comparison_page(compared()),
    "worst": lambda: comparison_page(compare(tables(), by=[], n_boot=0, missing="worst")),
    "grid": lambda: generality_page(gridded()),
    "site": lambda: index_page(published()),
    "trend": lambda: trend_page(next(iter(trends(published()).values()))),
}  # fmt: skip


@lru_cache(maxsize=1)
def published() -> Site:
    """A site of two releases and of a record that is broken, in its language."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "cut").mkdir()
        (place / "cut" / "audit.json").write_text("{", encoding="utf-8")
        runs = [run(place, "v1", 1), run(place, "v2", 2), place / "cut"]
        return publish(runs, place / "out", date="2026-01-02", language="zh").site


class Pseudo(dict[str, str]):
    """A catalogue that has every sentence, its places left as they are."""

    def get(self, key: str, default: Any = None) -> Any:
        parts = re.split(r"(\{[^}]*\})", key)
        return "".join(p if p.startswith("{") else re.sub("[A-Za-z]", "ж", p) for p in parts)


def strings(value: object) -> Iterator[str]:
    """Every text in a value of JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def of_data(record: object) -> tuple[set[str], set[str]]:
    """The names in a record, word by word, and the texts of it that a page repeats."""
    names: set[str] = set()
    texts: set[str] = set()
    todo = [record]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            for key, inner in one.items():
                if key in NAMING and not (key in KEYED and isinstance(inner, dict)):
                    names.update(strings(inner))
                if key in KEYED and isinstance(inner, dict):
                    names.update((*inner, *(x for x in inner.values() if isinstance(x, str))))
                if key == "what" and inner != EVERYONE:  # of a number on a site
                    names.update(strings(inner))
                if key in TEXTS and isinstance(inner, str):
                    texts.add(inner)
                if key == "note" and inner:
                    parts = [part.partition(":") for part in inner.split("; ")]
                    names.update(code for code, _, _ in parts)
                    texts.update(detail.strip() for _, _, detail in parts)
            todo += one.values()
        elif isinstance(one, list):
            todo += one
    words = {word for name in names for word in re.findall(r"\w+", name)}
    return words, {text for text in texts if re.search("[A-Za-z]{3}", text)}


def shown(page: Page) -> Iterator[str]:
    """Every text that a reader may see or hear: of the page, and of figures that a script draws."""
    body = html_of(page, "none").split("<body>")[1]
    body = re.sub(r"<(script|style).*?</\1>", "", body, flags=re.DOTALL)
    yield from re.split(r"<[^>]+>", body)
    yield from re.findall(r'(?:aria-label|data-shown|data-fold|data-label|title)="([^"]*)"', body)
    figures = [b for section in page.sections for b in section.blocks if isinstance(b, Figure)]
    for panel in (panel for figure in figures for panel in figure.panels):
        yield from drawn(panel.spec)


def drawn(spec: object) -> Iterator[str]:
    """The texts in a figure of plotly."""
    if isinstance(spec, dict):
        for key, inner in spec.items():
            if key in ("text", "hovertext", "ticktext") or (key == "name" and "type" in spec):
                yield from (inner,) if isinstance(inner, str) else strings(inner)
            else:
                yield from drawn(inner)
    elif isinstance(spec, list):
        for inner in spec:
            yield from drawn(inner)


def unsaid(page: Page) -> dict[str, str]:
    """Latin words that are neither of the record nor terms, each with a text that has it."""
    names, texts = of_data(json.loads(record_text(page.record)))
    names |= set(re.findall(r"\w+", f"{page.heading} {page.data}")) | TERMS
    texts |= {text[:16] for text in texts if re.fullmatch("[0-9a-f]{64}", text)}  # names of files
    texts |= {page.file, page.schema, *(claim.paper for claim in CLAIMS.values())}
    long = sorted(texts, key=len, reverse=True)
    known = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, long))})(?!\w)")
    found: dict[str, str] = {}
    for raw in dict.fromkeys(shown(page)):
        text = known.sub("", re.sub(r"\w*…|\{\w+\}", "", html.unescape(raw)))
        for word in re.findall(r"\w+", text):
            if re.search("[A-Za-z]{3}", word) and word not in names:
                found.setdefault(word, text.strip()[:200])
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_all_that_it_shows(name: str) -> None:
    with speaking("zh", Pseudo()):
        page = PAGES[name]()
        assert unsaid(page) == {}


def test_what_is_not_said_is_found() -> None:
    with speaking("zh", Pseudo()):
        page = PAGES["expression"]()
        said = Prose(("female: This was forgotten, as perceived by annotators",))
        page = replace(page, sections=(Section("x", "жж", (said,)),))
        assert list(unsaid(page)) == ["This", "was", "forgotten", "perceived", "annotators"]


def test_a_page_speaks_chinese() -> None:
    with speaking("zh"):
        page = render(age_record())
    assert '<html lang="zh-Hans"' in page
    assert "无论 gender、race 和 age 如何，年龄的估计是否同样准确？" in page
    assert "不再有实质差距" not in page  # nothing is adjusted in this record
    assert "female" in page
    assert "Skip to the report" not in page


def test_a_model_card_speaks_chinese_below_its_head() -> None:
    with speaking("zh"):
        _, head, text = model_card(age_record()).split("---\n", 2)
    assert '"name": "mean absolute error"' in head
    assert "## 局限" in text
    assert "## Limits" not in text

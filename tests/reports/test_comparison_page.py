"""The page of a comparison: what it says, what it escapes, what it lacks."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import plotly.graph_objects as go
import pytest

from audit.compare import compare
from audit.comparison import Comparison
from reports.compared.lookup import short
from reports.comparison import render_comparison, write_comparison
from tests.reports.comparisons import tables
from tests.reports.records import NASTY
from tests.reports.test_page import Reader


def reader_of(result: Comparison) -> Reader:
    found = Reader()
    found.feed(render_comparison(result))
    return found


@lru_cache(maxsize=1)
def record() -> Comparison:
    return compare(tables(), by=["group"], n_boot=60, margins={"mae": 0.5})


def test_it_says_what_it_holds_for_and_who_gains() -> None:
    text = render_comparison(record())
    assert "for these checkpoints; training randomness is not included" in text
    for words in ("new against old", "narrower", "better", "Who gains, who loses"):
        assert words in text, words
    assert "the stated margin of ±0.50" in text


def test_the_embedded_record_is_the_record(tmp_path: Path) -> None:
    embedded = reader_of(record()).scripts["audit-json"]
    assert Comparison.model_validate_json(embedded) == record()
    write_comparison(record(), tmp_path / "c.html")
    assert (tmp_path / "c.html").read_text(encoding="utf-8") == render_comparison(record())
    assert 'data-file="comparison.json"' in render_comparison(record())


def test_figures_are_valid_and_have_a_place() -> None:
    reader = reader_of(record())
    specs = json.loads(reader.scripts["figure-specs"])
    assert len(specs) >= 3
    for spec in specs.values():
        go.Figure(spec)
    assert set(specs) <= {attributes.get("id") for _, attributes in reader.tags}


@pytest.mark.parametrize("text", NASTY)
def test_names_are_escaped(text: str) -> None:
    result = compare(
        tables((text, "y"), (f"{text} 1", f"{text} 2")), by=["group"], n_boot=0, min_n=5
    )
    page = render_comparison(result)
    for raw in ("<script>alert", "<b>bold", '<a href="java', "\u202e"):
        body = page.split('<script type="application/json" id="figure-specs">')[0]
        assert raw not in body, raw


def test_no_comparison_of_gaps_without_attributes_and_nothing_undefined() -> None:
    result = compare(tables(), by=[], n_boot=0, missing="worst")
    page = render_comparison(result)
    assert "A failure counts as wrong, on all labelled faces." in page
    assert "Gaps between groups" not in page


def test_long_names_lose_what_they_share() -> None:
    names = ("resnet50-imagenet-seed-1", "resnet50-imagenet-seed-2")
    result = compare(tables(names=names), by=[], n_boot=0)
    assert [short(result, name) for name in names] == ["…1", "…2"]
    assert short(record(), "old") == "old"


def test_runs_that_agree_are_drawn_without_alarm() -> None:
    same = tables()["old"]
    result = compare({"a": same, "b": same}, by=["group"], n_boot=60)
    page = render_comparison(result)
    assert "No difference holds" in page
    assert "No gap between groups has surely changed" in page


def test_the_gap_of_either_run_is_drawn_beside_its_change() -> None:
    specs = json.loads(reader_of(record()).scripts["figure-specs"])
    spec = specs["gaps-0-0-both"]
    before, after = spec["data"][:2]
    rows = [g for g in record().gaps if (g.metric, g.kind) == ("mae", "difference")]
    rows.sort(key=lambda row: -abs(row.value or 0.0))
    assert before["x"] == [row.value_a for row in rows]
    assert after["x"] == [row.value_b for row in rows]
    assert before["y"] == after["y"] == list(range(len(rows)))[::-1]
    assert (before["name"], after["name"]) == ("old", "new")
    assert before["marker"]["symbol"] != after["marker"]["symbol"]
    joins = [shape for shape in spec["layout"]["shapes"] if shape["yref"] == "y"]
    assert [(s["x0"], s["x1"]) for s in joins] == list(zip(before["x"], after["x"], strict=True))

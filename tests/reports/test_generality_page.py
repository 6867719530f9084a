"""The page of a grid: what it says, what it draws, what it escapes, what it does without."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from audit.generality.cells import Cell
from audit.generality.record import Generality
from audit.generality.run import generality
from reports.generality import render_generality, write_generality
from reports.grid.claims import CLAIMS
from tests.audit.generality.grids import faces, grid
from tests.reports.records import NASTY
from tests.reports.test_page import Reader


def better(backbone: str, aggregator: str, group: np.ndarray) -> float:
    return 0.7 if aggregator == "sae" else 1.0


def analysed(
    names: tuple[str, ...] = ("mean", "sae", "max"), groups: tuple[str, ...] = ("x", "y", "z"),
    **options: Any,
) -> Generality:  # fmt: skip
    cells = grid(faces(240, groups), better, aggregators=names, **options)
    return generality(cells, names[0], by=["group"], n_boot=60, metrics=["mae", "cs5"])


@lru_cache(maxsize=1)
def record() -> Generality:
    return analysed(failed={Cell("b1", "max", s): "diverged at step 40" for s in (0, 1)})


def read(result: Generality) -> Reader:
    found = Reader()
    found.feed(render_generality(result))
    return found


def test_it_answers_and_says_what_for() -> None:
    text = render_generality(record())
    assert "better than mean beyond chance: sae" in text
    assert "3 aggregators on 3 backbones" in text
    for words in ("Gain on every backbone", "Gain of every group", "Gaps before and after",
                  "Who is served worst", "Cost and gain", "Claims", "Cells"):  # fmt: skip
        assert words in text, words


def test_a_gain_is_above_zero_where_errors_fall() -> None:
    specs = json.loads(read(record()).scripts["figure-specs"])
    drawn = specs["gains-mae-plot"]["data"][0]
    names = specs["gains-mae-plot"]["layout"]["yaxis"]["ticktext"]
    rows = dict(zip(names, drawn["z"], strict=True))
    assert all(value > 0.5 for value in rows["sae"])
    assert rows["max"][0] is None  # its cells failed
    own = [r for r in record().gains if (r.aggregator, r.backbone) == ("sae", "b1")]
    row = next(r for r in own if r.metric == "mae" and not r.group)
    assert row.value is not None
    assert rows["sae"][0] == pytest.approx(-row.value)
    text = drawn["text"][drawn["z"].index(rows["sae"])][0]
    assert text.endswith("]*")
    # the interval turns with its value: low first
    low, high = text[text.index("[") + 1 : -2].split(", ")
    assert float(low) < rows["sae"][0] < float(high)


def test_failed_cells_stand_with_their_reasons() -> None:
    text = render_generality(record())
    assert text.count("diverged at step 40") >= 2
    assert "no seed at which both it and what it is compared with came out" in text


def test_claims_are_marked_and_those_without_a_checked_one_left_out() -> None:
    text = render_generality(record())
    assert "claimed: MAE 2.53 years for the whole model" in text
    assert "max" not in CLAIMS
    assert not {"san", "dvan", "sat_soft", "sat_hard", "han"} & set(CLAIMS)
    bare = render_generality(analysed(("mean", "max")))
    assert "their claim" not in bare


def test_the_embedded_record_is_the_record(tmp_path: Path) -> None:
    assert Generality.model_validate_json(read(record()).scripts["audit-json"]) == record()
    path = tmp_path / "generality.html"
    write_generality(record(), path)
    assert path.read_text(encoding="utf-8") == render_generality(record())
    write_generality(record(), tmp_path / "generality-age.html")
    assert 'data-file="generality-age.json"' in (tmp_path / "generality-age.html").read_text()
    assert 'data-file="generality.json"' in render_generality(record())


def test_figures_are_valid_have_a_place_and_ids_are_unique() -> None:
    reader = read(record())
    specs = json.loads(reader.scripts["figure-specs"])
    assert len(specs) >= 6
    for spec in specs.values():
        go.Figure(spec)
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert set(specs) <= set(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("text", NASTY)
def test_names_are_escaped(text: str) -> None:
    cell = {Cell(f"{text} 1", f"{text} b", 0): f"{text} failed"}
    result = analysed(
        (f"{text} a", f"{text} b"), (f"{text} x", "y"), backbones=(f"{text} 1", f"{text} 2"),
        failed=cell,
    )  # fmt: skip
    body = render_generality(result).split('<script type="application/json" id="figure-specs">')[0]
    for raw in ("<script>alert", "<b>bold", '<a href="java', "\u202e"):
        assert raw not in body, raw


def test_one_backbone_and_no_attributes() -> None:
    cells = grid(faces(120), better, backbones=("b1",), seeds=(0,))
    result = generality(cells, "mean", by=[], n_boot=0, metrics=["mae"])
    text = render_generality(result)
    assert "No aggregator could be tested over backbones" in text
    assert "Gain of every group" not in text
    assert "fewer than 3 backbones" in text

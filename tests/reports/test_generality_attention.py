"""Maps of attention on a grid's page: over a drawn face, and never over another."""

from __future__ import annotations

import json

import numpy as np
import pytest

from audit.generality.record import AttentionRow, Generality
from reports.generality import render_generality
from tests.reports.records import NASTY
from tests.reports.test_generality_page import analysed, read

FACE = [[100] * 8 for _ in range(8)]


def row(
    aggregator: str, over: str, *weights: float, backbone: str = "b1", placed: str = "face"
) -> AttentionRow:
    return AttentionRow.model_validate(
        {
            "backbone": backbone, "aggregator": aggregator, "over": over, "weights": weights,
            "n": 30, "n_subjects": 20, "n_seeds": 2,
            "placed": placed,
        }
    )  # fmt: skip


def looking(face: list[list[int]], *rows: AttentionRow) -> Generality:
    more = {"attention": list(rows), "drawn_face": face}
    return analysed(("mean", "sae")).model_copy(update=more)


ROWS = (
    row("sae", "views", 0.1, 0.2, 0.7),
    row("san", "regions", 0.1, 0.2, 0.3, 0.4),
    row("san", "regions", 0.25, 0.25, 0.25, 0.25, backbone="b2"),
)


def test_a_map_lies_on_the_drawn_face() -> None:
    page = read(looking(FACE, *ROWS))
    specs = json.loads(page.scripts["figure-specs"])
    picture, drawn = specs["attention-regions-plot-0"]["data"]
    assert picture["z"] == FACE
    # both span the same square: from -0.5 to 1.5 for two regions by side
    assert picture["x"][0] == -0.5 + 0.125
    assert picture["x"][-1] == 1.5 - 0.125
    # colours are of how many times an even share it is
    np.testing.assert_allclose(drawn["z"], [[0.4, 0.8], [1.2, 1.6]])
    assert (drawn["zmin"], drawn["zmax"]) == (0, 2)
    assert drawn["text"] == [["10.0 %", "20.0 %"], ["30.0 %", "40.0 %"]]
    assert drawn["colorscale"][0][1].endswith(", 0)")  # where little is, the face is seen
    views = specs["attention-views-plot"]["data"][0]
    np.testing.assert_allclose(views["z"], [[0.3, 0.6, 2.1]])
    assert views["zmax"] == pytest.approx(2.1)
    # the first backbone is drawn, the table has all
    assert "attention-regions-plot-1" not in specs


def test_it_is_told_in_words_and_in_a_table() -> None:
    text = render_generality(looking(FACE, *ROWS))
    assert "san on b1: most to row 2, column 2, 40.0 %, even shares are 25.0 %." in text
    assert "sae 10.0 %, 20.0 %, 70.0 %" in text
    assert "10.0 20.0 30.0 40.0" in text
    assert "25.0 25.0 25.0 25.0" in text


def test_without_a_drawn_face_there_is_none() -> None:
    found = looking([], *ROWS)
    specs = json.loads(read(found).scripts["figure-specs"])
    (drawn,) = specs["attention-regions-plot-0"]["data"]
    assert "var(--heat-0)" in str(drawn["colorscale"])
    assert "drawn faces" not in render_generality(found).split("attention-regions-figure")[1][:2000]
    assert "What they attend to" not in render_generality(looking(FACE))


def test_regions_that_form_no_square_stand_in_a_row() -> None:
    specs = json.loads(
        read(looking(FACE, row("san", "regions", 0.5, 0.3, 0.2))).scripts["figure-specs"]
    )
    (drawn,) = specs["attention-regions-plot-0"]["data"]
    np.testing.assert_allclose(drawn["z"], [[1.5, 0.9, 0.6]])


def test_parts_are_no_map_and_crops_no_face() -> None:
    """Four parts of an hourglass are no 2 x 2 places; those of flipped views are, of no face."""
    shares = (0.1, 0.2, 0.3, 0.4)
    parts = looking(FACE, row("san", "regions", *shares, placed="nowhere"))
    (drawn,) = json.loads(read(parts).scripts["figure-specs"])["attention-regions-plot-0"]["data"]
    np.testing.assert_allclose(drawn["z"], [[0.4, 0.8, 1.2, 1.6]])
    text = render_generality(parts)
    assert "san on b1: most to region 4, 40.0 %" in text
    crops = looking(FACE, row("han", "regions", *shares, placed="crop"))
    (drawn,) = json.loads(read(crops).scripts["figure-specs"])["attention-regions-plot-0"]["data"]
    np.testing.assert_allclose(drawn["z"], [[0.4, 0.8], [1.2, 1.6]])
    for page in (text, render_generality(crops)):
        assert "Under it lies the mean of the drawn faces" not in page
    assert "Under it lies the mean of the drawn faces" in render_generality(looking(FACE, *ROWS))


def test_names_are_escaped() -> None:
    rows = [row(name, "regions", 0.4, 0.3, 0.2, 0.1) for name in NASTY[:3]]
    text = render_generality(looking(FACE, *rows))
    assert NASTY[0] not in text.split("audit-json")[0]
    assert "&lt;script&gt;alert" in text

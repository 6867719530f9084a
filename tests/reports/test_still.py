"""Figures as SVG: every mark is where its number says."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import pytest

from reports.figures import Grid, Line, Mark, Point, Spot, bars, forest, heat, lines, picture, spots
from reports.html import html_of
from reports.page import page_of
from reports.still import still
from reports.still.axes import axis_of
from reports.still.marks import colour_of
from tests.reports.records import NASTY, age_record


def _shapes(spec: dict[str, Any], tag: str, part: str = "") -> list[dict[str, str]]:
    found = still(spec, 720, 300).shapes
    return [s.attributes for s in found if s.tag == tag and part in s.attributes.get("style", "")]


def _texts(spec: dict[str, Any]) -> list[str]:
    return [shape.text for shape in still(spec, 720, 300).shapes if shape.tag == "text"]


def test_marks_of_a_forest_lie_on_one_line_at_even_distances() -> None:
    marks = [Mark(f"g{i}", float(i), i - 1.0, i + 1.0, "9", "") for i in range(4)]
    spec, _ = forest(marks, axis="years", right="faces", reference=1.5, reference_label="all")
    at = [(float(c["cx"]), float(c["cy"])) for c in _shapes(spec, "circle")]
    assert len(at) == 4
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(at)]
    assert steps == [pytest.approx(steps[0], abs=0.2)] * 3
    assert steps[0][0] > 0, "the first has the least value"
    assert steps[0][1] > 0, "and is on top"
    # The reference is halfway between the second and the third.
    dashed = _shapes(spec, "path", "stroke-dasharray")[0]["d"]
    x = float(re.findall(r"[\d.]+", dashed)[0])
    assert x == pytest.approx((at[1][0] + at[2][0]) / 2, abs=0.2)
    # An interval of +-1 reaches the neighbours' places.
    whiskers = [p["d"] for p in _shapes(spec, "path", "stroke-width:1.6")]
    assert any(f"L{at[1][0]:.1f}".removesuffix(".0") in path for path in whiskers)
    assert {"g0", "g3", "all", "faces", "years", "9"} <= set(_texts(spec))


def test_a_mark_without_a_value_leaves_its_row_empty() -> None:
    marks = [Mark("a", 1.0, None, None, "3", ""), Mark("b", None, None, None, "1", "")]
    spec, _ = forest(marks, axis="", right="faces")
    assert len(_shapes(spec, "circle")) == 1
    assert "b" in _texts(spec)


def test_bars_stand_on_zero_and_are_as_high_as_their_shares() -> None:
    points = [Point(i / 4, y, None, None, "") for i, y in enumerate((0.1, 0.2, 0.4, 0.3))]
    spec = bars(points, 0.25, x_axis="", y_axis="share", top=0.5, level=0.25)
    found = _shapes(spec, "rect", "--heat-4")
    heights = [float(r["height"]) for r in found]
    assert [h / heights[0] for h in heights] == pytest.approx([1, 2, 4, 3], abs=0.02)
    assert len({round(float(r["y"]) + float(r["height"]), 0) for r in found}) == 1


def test_cells_take_the_colours_of_their_scale() -> None:
    grid = Grid(["r"], ["a", "b", "c", "d"], [[0.0, 0.125, 1.0, None]], [["0", "x", "1", ""]],
                [[""] * 4])  # fmt: skip
    spec = heat(grid, bar="share", ends=(0, 1))
    cells = [r["style"] for r in _shapes(spec, "rect")][:3]
    assert cells == [
        "fill:color-mix(in srgb,var(--heat-1) 0%,var(--heat-0))",
        "fill:color-mix(in srgb,var(--heat-1) 50%,var(--heat-0))",
        "fill:color-mix(in srgb,var(--heat-4) 100%,var(--heat-3))",
    ]
    trace = spec["data"][0]
    assert colour_of(trace | {"reversescale": True}, (0, 1), 0.0) == cells[2].removeprefix("fill:")
    assert colour_of(trace, (2, 2), 2.0) == "color-mix(in srgb,var(--heat-2) 100%,var(--heat-1))"


def test_a_square_picture_stays_square() -> None:
    grid = Grid(["1", "2"], ["1", "2"], [[0.0, 1.0], [1.0, 0.0]], [[""] * 2] * 2, [[""] * 2] * 2)
    spec = heat(grid, bar="")
    cells = _shapes(spec, "rect")
    assert float(cells[0]["width"]) > 2 * float(cells[0]["height"])
    spec["layout"]["yaxis"] |= {"scaleanchor": "x", "scaleratio": 1}
    cells = _shapes(spec, "rect")
    assert [float(c["width"]) for c in cells] == pytest.approx(
        [float(cells[0]["height"])] * 4, abs=0.2
    )


def test_an_area_goes_out_above_and_back_below() -> None:
    points = [Point(0, None, 0, 1, ""), Point(1, None, 1, 3, "")]
    spec = lines([Line("band", points, shade=True)], x_axis="", y_axis="")
    (area,) = _shapes(spec, "path", "fill:var(--band)")
    places = [tuple(map(float, p.split())) for p in area["d"].strip("MZ").split("L")]
    assert len(places) == 4
    assert places[0][0] == places[3][0] < places[1][0] == places[2][0]
    assert places[0][1] < places[3][1], "the upper edge is higher up"


@pytest.mark.parametrize("low", [-7.3, 0.0, 1e-4, 123456.0])
@pytest.mark.parametrize("span", [1e-3, 0.7, 3.0, 1e6])
def test_ticks_are_round_inside_and_not_too_many(low: float, span: float) -> None:
    spec = {"data": [], "layout": {"xaxis": {"range": [low, low + span]}}}
    axis = axis_of(spec, "x", 6)
    values = [value for value, _ in axis.ticks]
    assert 2 <= len(values) <= 7
    assert all(low - 1e-9 * span <= v <= low + span * (1 + 1e-9) for v in values)
    step = values[1] - values[0]
    lead = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(lead == pytest.approx(round_) for round_ in (1, 2, 2.5, 5, 10))


@pytest.mark.parametrize("ends", [(11.7, 18.9), (-0.16, 0.15), (0.58, 0.93), (0.4, 0.4001)])
def test_a_narrow_axis_has_two_ticks_to_tell_its_scale(ends: tuple[float, float]) -> None:
    spec = {"data": [], "layout": {"xaxis": {"range": list(ends)}}}
    assert 2 <= len(axis_of(spec, "x", 2).ticks) <= 4


def test_the_title_of_colours_is_whole_beside_two_rows() -> None:
    title = "years, higher is worse"
    grid = Grid(["a", "b"], ["c"], [[1.0], [2.0]], [["1"], ["2"]], [[""], [""]])
    assert title in [s.text for s in still(heat(grid, bar=title), 720, 174).shapes]


def test_an_axis_can_run_from_the_largest_to_the_least() -> None:
    found = [Spot(str(x), x, (None, None), 0.0, (None, None), "") for x in (1.0, 3.0)]
    places = {}
    for turned in (False, True):
        spec = spots(found, x_axis="", y_axis="", x_turned=turned)
        shapes = still(spec, 720, 300).shapes
        places[turned] = [float(s.attributes["x"]) for s in shapes if s.text in ("1.0", "3.0")
                          and s.attributes["text-anchor"] == "start"]  # fmt: skip
    assert places[False][0] < places[False][1]
    assert places[True][0] > places[True][1]


def test_a_page_without_scripts_draws_every_figure_and_escapes_every_name() -> None:
    record = age_record(groups={"name <b>x</b>": [*NASTY, "x" * 300]})
    drawn, text = html_of(page_of(record)), html_of(page_of(record), "none")
    assert text.count("<svg ") == drawn.count('class="plot"') > 0
    assert 'class="plot"' not in text
    assert "<b>bold" not in text
    assert "&lt;script&gt;alert" in text
    assert text == html_of(page_of(record), "none")


def test_a_box_without_a_filling_is_an_outline() -> None:
    """Half of a 2 x 2 map, from the left: half of its width, dotted, and no colour inside."""
    names, values = ["1", "2"], [[0.0, 1.0], [1.0, 0.0]]
    spec = picture(Grid(names, names, values, [["", ""]] * 2, [["", ""]] * 2), ends=(0, 1))
    line = {"color": "var(--ink)", "width": 1, "dash": "dot"}
    spec["layout"]["shapes"] = [
        {"type": "rect", "x0": -0.5, "x1": 0.5, "y0": -0.5, "y1": 1.5, "line": line}
    ]
    (box,) = _shapes(spec, "rect", "stroke-dasharray")
    assert "fill:none" in box["style"]
    cells = [cell for cell in _shapes(spec, "rect", "fill:") if cell is not box]
    width = max(float(r["x"]) + float(r["width"]) for r in cells) - min(
        float(r["x"]) for r in cells
    )
    assert float(box["width"]) == pytest.approx(width / 2, abs=4)

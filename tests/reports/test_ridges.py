"""How errors spread: the numbers of the figure and of its table are those of the record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.result import AuditResult
from audit.run import audit
from reports.blocks import Figure
from reports.language import speaking
from reports.sections.errors import MAX_RIDGES, ridge_blocks
from reports.still import still
from tests.reports.records import NASTY


@pytest.fixture(scope="module")
def result() -> AuditResult:
    """Group b is estimated 8 years too old, c has three people."""
    rng, n = np.random.default_rng(3), 600
    group = np.where(np.arange(n) % 2 == 0, "a", "b").astype(object)
    group[:3] = "c"
    age = rng.integers(20, 70, n).astype(float)
    error = np.round(rng.normal(0, 5, n)) + 8.0 * (group == "b")
    frame = pd.DataFrame({"age": age, "age_pred": age + error, "group": group})
    frame["many"] = [f"{NASTY[0]} {i % 15}" for i in range(n)]
    return audit(frame, task="age", by=["group", "many"], n_boot=0, slices=False)


def _figures(result: AuditResult) -> list[Figure]:
    return [block for block in ridge_blocks(result) if isinstance(block, Figure)]


def test_outlines_are_the_shares_worst_on_top_and_small_ones_dotted(result: AuditResult) -> None:
    figure = _figures(result)[0]
    spec = figure.panels[0].spec
    assert spec["layout"]["yaxis"]["ticktext"] == ["b", "a", "c"]
    assert spec["layout"]["yaxis"]["tickvals"] == [2, 1, 0]
    named = {trace.get("name"): trace for trace in spec["data"] if trace.get("name") in set("abc")}
    assert [named[name]["line"]["dash"] for name in "abc"] == ["solid", "solid", "dot"]
    assert "error_y" not in named["c"]
    curves = {
        name: [r for r in result.curves if r.name == "error_density" and r.group == {"group": name}]
        for name in "abc"
    }
    scale = {
        (y - base) / float(row.y or 0)
        for name, base in (("b", 2), ("a", 1), ("c", 0))
        for y, row in zip(named[name]["y"], curves[name], strict=True)
        if row.y
    }
    assert max(scale) == pytest.approx(min(scale)), "one scale in all rows"
    assert named["b"]["x"] == [float(row.x) + 2.5 for row in curves["b"]]
    b = curves["b"][6]
    bars = named["b"]["error_y"]
    assert bars["array"][6] / bars["arrayminus"][6] == pytest.approx(
        (b.high - b.y) / (b.y - b.low)  # type: ignore[operator]
    )
    assert "Dotted" in figure.caption
    assert f"b {curves['b'][7].y:.3f}; a {curves['a'][7].y:.3f}" in figure.panels[0].alt


def test_the_table_has_every_bin_of_every_group_and_of_everyone(result: AuditResult) -> None:
    rows = _figures(result)[0].table.rows
    assert len(rows) == 15 * 4
    assert [row[1].text for row in rows[:15:7]] == [
        "below −32.5 years", "−2.5 to below 2.5 years", "32.5 years and above",
    ]  # fmt: skip
    for i in range(4):
        assert sum(row[2].sort or 0 for row in rows[15 * i : 15 * i + 15]) == pytest.approx(1.0)


def test_twelve_groups_are_drawn_and_the_table_has_all(result: AuditResult) -> None:
    figure = _figures(result)[1]
    ticks = figure.panels[0].spec["layout"]["yaxis"]["ticktext"]
    assert len(ticks) == MAX_RIDGES
    assert not any("<script" in tick for tick in ticks)
    assert "12 of 15" in figure.caption
    assert len(figure.table.rows) == 15 * 16


def test_ridges_stand_without_scripts_and_in_chinese(result: AuditResult) -> None:
    panel = _figures(result)[0].panels[0]
    drawing = still(panel.spec, 720, panel.height)
    filled = [s for s in drawing.shapes if s.attributes.get("style") == "fill:var(--heat-2)"]
    assert len(filled) == 2
    lines = [s.attributes["style"] for s in drawing.shapes if s.tag == "path"]
    assert sum("var(--quiet)" in style and "2 4" in style for style in lines) == 1
    assert sum("stroke:var(--ink)" in style and "7 5" in style for style in lines) >= 3
    with speaking("zh"):
        assert _figures(result)[0].title == "有符号误差的分布：按 group"


def test_without_the_curve_there_is_nothing(result: AuditResult) -> None:
    bare = [row for row in result.curves if row.name != "error_density"]
    assert ridge_blocks(result.model_copy(update={"curves": bare})) == []
    only = [row for row in result.curves if row.name == "error_density" and not row.group]
    (figure,) = _figures(result.model_copy(update={"curves": only}))
    assert figure.panels[0].spec["layout"]["showlegend"] is False

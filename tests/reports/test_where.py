"""The section on where the model looks: maps, shares, differences, and what is not drawn."""

from __future__ import annotations

import numpy as np
import pytest

from audit import AuditResult
from audit.face_regions import BOXES
from audit.where import cell_columns, region_columns
from reports.blocks import Prose
from reports.language import speaking
from reports.sections import where
from reports.still import still
from tests.audit.test_where import table
from tests.reports.records import NASTY, age_record
from tests.reports.sections_of import audited, figures_of, section, tables_of, text_of


@pytest.fixture(scope="module")
def looked() -> AuditResult:
    """Groups a and b of 40 and 35 people, c of 9; b looks at its first cell and its forehead."""
    frame = table({"a": 40, "b": 35, NASTY[0]: 9}, photos=1)
    b = frame["group"] == "b"
    cells, shares = list(cell_columns("gradcam")), list(region_columns("gradcam"))
    frame.loc[b, cells] = np.eye(49)[0]
    frame.loc[b, shares] = 0.2 * frame.loc[b, shares] + 0.8 * np.eye(9)[0]
    return audited(frame, task="age", by=["group"], margins={"where_gradcam": 0.05})


def test_a_record_without_a_look_has_no_such_section() -> None:
    assert where.build(age_record()) is None


def test_maps_shares_and_the_difference(looked: AuditResult) -> None:
    """By hand: cells of 1/49, rounded to 0.020, are 0.98 times an even share; one of 1 is 49."""
    found = where.build(looked)
    everyone, groups = figures_of(found)
    assert [panel.title for panel in everyone.panels] == ["everyone"]
    assert [panel.title for panel in groups.panels] == ["a", "b", "a − b"]
    a, b, both = (panel.spec["data"][0] for panel in groups.panels)
    assert np.array(a["z"]) == pytest.approx(np.full((7, 7), 0.98))
    assert np.array(b["z"]) == pytest.approx(49 * np.eye(49)[0].reshape(7, 7))
    assert np.array(both["z"]) == pytest.approx(np.array(a["z"]) - np.array(b["z"]))
    assert (a["zmin"], a["zmax"]) == (b["zmin"], b["zmax"]) == (0, pytest.approx(49))
    assert both["zmin"] == -both["zmax"] == pytest.approx(0.98 - 49)
    assert len(groups.panels[0].spec["layout"]["shapes"]) == len(BOXES)
    assert "largest tested difference: forehead −0.7" in groups.caption
    assert groups.panels[1].alt.startswith("b: most on forehead 0.8")
    shares, gaps = tables_of(found)[1:]
    assert [c.name for c in shares.columns][1:3] == ["forehead", "left eye"]
    (line,) = [row for row in shares.rows if row[0].text == "b"]
    assert line[1].text.startswith("0.8")
    verdicts = {tuple(cell.text for cell in r[:4]): r[7].text for r in gaps.rows}
    assert verdicts["where_gradcam (forehead)", "difference", "a", "b"] == "gap"
    assert "where_gradcam (forehead)" in {row[0].text for row in gaps.rows[:9]}  # by adjusted p


def test_few_people_are_named_and_not_drawn(looked: AuditResult) -> None:
    html = section(looked, "where")
    assert "Not drawn, fewer than 20 people: &lt;script&gt;" in html
    assert "<script>alert" not in html
    assert "would tell of single faces" in html
    assert ">None<" not in html


def test_shares_stand_in_their_own_section(looked: AuditResult) -> None:
    assert "where_gradcam" not in section(looked, "gaps")
    assert "where_gradcam of each class" not in section(looked, "groups")


def test_a_table_without_maps_has_shares_alone() -> None:
    frame = table({"a": 30, "b": 30}, photos=1).drop(columns=list(cell_columns("gradcam")))
    frame.columns = frame.columns.str.replace("gradcam", "theirs")
    found = where.build(audited(frame, task="age", by=["group"]))
    assert figures_of(found) == []
    assert "Everyone: share" in text_of(found)
    assert "theirs" in text_of(found)


def test_it_speaks_another_language(looked: AuditResult) -> None:
    with speaking("zh"):
        found = where.build(looked)
    assert found is not None
    assert found.title == "它看哪里"
    assert isinstance(found.blocks[0], Prose)
    assert "额头" in text_of(found)


def test_it_is_drawn_without_a_script(looked: AuditResult) -> None:
    """The outlines are eight boxes in every map."""
    _, groups = figures_of(where.build(looked))
    shapes = still(groups.panels[0].spec, 300, 260).shapes
    boxes = [s for s in shapes if s.tag == "rect" and "fill:none" in s.attributes["style"]]
    assert len(boxes) == len(BOXES)

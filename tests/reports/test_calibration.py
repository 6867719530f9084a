"""The section on calibration: what stands beside what, and what is left out."""

from __future__ import annotations

import pytest

from audit import AuditResult, audit
from reports.blocks import Figure, Table
from reports.sections import calibration
from tests.audit.frames import expression_table, metric


@pytest.fixture(scope="module")
def result() -> AuditResult:
    return audit(expression_table(5), task="expression", by=["gender", "race"], n_boot=0)


def test_everyone_is_a_table_with_definitions(result: AuditResult) -> None:
    section = calibration.build(result)
    whole = section.blocks[1]
    assert isinstance(whole, Table)
    first, second, ece = whole.rows[:3]
    assert (first[0].text, second[0].text) == ("confidence bias", "squared error, noise removed")
    assert first[1].sort == metric(result, "confidence_bias").value
    assert "[" in first[1].text
    assert first[2].text == ""
    assert ece[2].sort == metric(result, "ece").null_expected


def test_every_panel_has_bins_a_curve_and_the_band_of_a_calibrated_model(
    result: AuditResult,
) -> None:
    figures = [b for b in calibration.build(result).blocks if isinstance(b, Figure)]
    titles = ["Reliability: everyone"]
    for by in ("gender", "race"):
        titles += [f"Confidence bias by {by}", f"Reliability by {by}"]
    assert [figure.title for figure in figures] == titles
    panels = [panel for figure in figures if "Reliab" in figure.title for panel in figure.panels]
    assert len(panels) == 1 + 2 + 5  # four races and the unknown one
    for i, panel in enumerate(panels):
        names = [trace.get("name") for trace in panel.spec["data"]]
        everyone = ["everyone"] if i else []
        assert names == [None, "if calibrated", *everyone, "isotonic curve", "bins"]
        low, high = panel.spec["data"][:2]
        assert high["fill"] == "tonexty"
        assert all(a <= b for a, b in zip(low["y"], high["y"], strict=True))
        curve = next(t for t in panel.spec["data"] if t.get("name") == "isotonic curve")
        assert curve["y"] == sorted(curve["y"])
        assert "error_y" not in curve


def test_forest_of_confidence_bias_has_every_group(result: AuditResult) -> None:
    blocks = calibration.build(result).blocks
    figure = next(b for b in blocks if isinstance(b, Figure) and b.title.endswith("bias by race"))
    assert len(figure.table.rows) == 5
    values = [x for trace in figure.panels[0].spec["data"] for x in trace["x"] if x is not None]
    expected = {metric(result, "confidence_bias", {"race": r}).value for r in ("Black", "White")}
    assert expected <= set(values)


def test_no_probabilities_no_section() -> None:
    table = expression_table(5, probabilities=False)
    assert calibration.build(audit(table, task="expression", by=["gender"], n_boot=0)) is None

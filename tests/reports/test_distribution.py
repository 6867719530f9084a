"""The section on predicted distributions and stated intervals."""

from __future__ import annotations

import pytest

from audit import AuditResult
from reports.blocks import Figure
from reports.format import number, p_value
from reports.page import render
from reports.sections import distribution
from tests.audit.frames import age_table, interval_table, metric
from tests.reports.records import age_record
from tests.reports.sections_of import audited, figures_of, shown_text, tables_of, text_of


@pytest.fixture(scope="module")
def banded() -> AuditResult:
    """True ages known as bands, predicted distributions."""
    table = interval_table(3).assign(age_std=6.0)
    table.loc[table["age_pred"].isna(), "age_std"] = None
    return audited(table, task="age", by=["gender"])


@pytest.fixture(scope="module")
def stated() -> AuditResult:
    """Intervals that the table states, at 80 and 95 %."""
    table = age_table(3, 200, weights=False)
    for level, width in ((80, 6.0), (95, 11.0)):
        table[f"interval_{level}_low"] = table["age_pred"] - width
        table[f"interval_{level}_high"] = table["age_pred"] + width
    return audited(table, task="age", by=["gender", "gender,race"])


def figure(result: AuditResult, title: str) -> Figure:
    return next(f for f in figures_of(distribution.build(result)) if f.title == title)


def test_no_distribution_no_section(points: AuditResult) -> None:
    assert distribution.build(points) is None
    assert distribution.build(age_record()) is None
    assert 'id="distributions"' not in render(points)


def test_everyone_is_a_metric_a_row_with_its_definition(gated: AuditResult) -> None:
    table = tables_of(distribution.build(gated))[0]
    named = {row[0].text: row for row in table.rows}
    assert named["CRPS, years"][1].sort == metric(gated, "crps").value
    assert named["width at 90 %, years"][1].sort == metric(gated, "width_90").value
    ence, pit = metric(gated, "ence"), metric(gated, "pit_distance")
    assert named["ENCE"][2].sort == ence.null_expected
    flat = named["distance of the histogram from flat"]
    assert (flat[2].sort, flat[3].text) == (pit.null_expected, p_value(pit.p))
    assert flat[4].text == gated.spec.metrics["pit_distance"].definition
    assert "band coverage at 90 %" not in named


def test_every_level_has_coverage_width_and_score(gated: AuditResult) -> None:
    table = next(t for t in tables_of(distribution.build(gated)) if t.id == "distribution-levels")
    assert [row[0].text for row in table.rows] == ["50 %", "80 %", "90 %", "95 %"]
    for row in table.rows:
        level = row[0].text.split()[0]
        names = (f"coverage_{level}", f"width_{level}", f"interval_score_{level}")
        assert [cell.sort for cell in row[1:4]] == [metric(gated, n).value for n in names]


def test_groups_are_drawn_with_the_level_that_is_claimed(gated: AuditResult) -> None:
    found = figure(gated, "Intervals at 90 % by gender")
    assert [panel.title for panel in found.panels] == ["CRPS", "Coverage at 90 %", "Width at 90 %"]
    names = ("crps", "coverage_90", "width_90")
    references = (metric(gated, "crps").value, 0.9, metric(gated, "width_90").value)
    for panel, name, reference in zip(found.panels, names, references, strict=True):
        drawn = [x for trace in panel.spec["data"] for x in trace["x"] if x is not None]
        assert sorted(drawn) == sorted(metric(gated, name, {"gender": g}).value for g in "fm")
        assert panel.spec["layout"]["shapes"][0]["x0"] == reference
    assert "years" in found.panels[0].spec["layout"]["xaxis"]["title"]["text"]
    text = shown_text(found.table)
    pit = metric(gated, "pit_distance", {"gender": "f"})
    assert f"(if calibrated {number(pit.null_expected)}), p {p_value(pit.p)}" in text


def test_histograms_are_those_of_the_record(gated: AuditResult) -> None:
    found = figure(gated, "Histogram of true ages in their distributions: by gender")
    for panel, name in zip(found.panels, "fm", strict=True):
        rows = [r for r in gated.curves if r.name == "pit" and r.group == {"gender": name}]
        (trace,) = panel.spec["data"]
        assert trace["type"] == "bar"
        assert trace["x"] == [row.x for row in rows]
        assert trace["y"] == [row.y for row in rows]
        assert trace["width"] == rows[0].z == pytest.approx(0.1)
        assert panel.title == f"{name}, {rows[0].n:,} faces"
        assert panel.spec["layout"]["shapes"][0]["y0"] == rows[0].z
        assert panel.spec["layout"]["yaxis"]["range"][1] > max(trace["y"])


def test_many_groups_are_folded(gated: AuditResult) -> None:
    by_age = figure(gated, "Histogram of true ages in their distributions: by age")
    assert by_age.fold == (len(by_age.panels) > 8)
    assert by_age.fold
    assert '<details class="fold">' in render(gated)


def test_legal_ages_have_a_panel_each_and_one_table(gated: AuditResult) -> None:
    found = figure(gated, "Is at least so old: everyone")
    ages = dict.fromkeys(r.class_ for r in gated.curves if r.name == "age_over_reliability")
    assert [panel.title for panel in found.panels] == [f"At least {a} years" for a in ages]
    rows = [r for r in gated.curves if r.name == "age_over_reliability" and not r.group]
    assert [row[0].sort for row in found.table.rows] == [float(r.class_ or 0) for r in rows]
    assert [row[2].sort for row in found.table.rows] == [r.y for r in rows]


def test_bands_have_what_bands_settle(banded: AuditResult) -> None:
    text = text_of(distribution.build(banded))
    assert "True ages are known as bands." in text
    found = figure(banded, "Intervals at 90 % by gender")
    assert [panel.title for panel in found.panels] == ["Coverage at 90 %", "Width at 90 %"]
    drawn = found.panels[0].spec["data"][0]["x"]
    expected = {metric(banded, "band_coverage_90", {"gender": g}).value for g in "fm"}
    assert set(drawn) == expected
    assert "CRPS, years" not in [
        row[0].text for row in tables_of(distribution.build(banded))[0].rows
    ]


def test_stated_intervals_are_held_to_what_they_claim(stated: AuditResult) -> None:
    section = distribution.build(stated)
    levels = tables_of(section)[0]
    assert [row[0].text for row in levels.rows] == ["80 %", "95 %"]
    for row, level in zip(levels.rows, ("80", "95"), strict=True):
        names = (f"stated_coverage_{level}", f"stated_width_{level}", f"stated_score_{level}")
        assert [cell.sort for cell in row[1:4]] == [metric(stated, n).value for n in names]
    found = figure(stated, "Intervals at 95 % by gender")  # nearest to 90 %
    assert found.panels[0].spec["layout"]["shapes"][0]["x0"] == 0.95
    assert "Predicted distributions" not in text_of(section)
    assert any(t.summary and "gender × race" in t.summary for t in tables_of(section))

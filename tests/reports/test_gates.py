"""The section on age gates: when it is there, whose numbers it shows, what it folds away."""

from __future__ import annotations

import pytest

from audit import AuditResult
from reports.blocks import Figure, Heading, Table
from reports.format import number
from reports.page import render
from reports.sections import gates
from tests.audit.frames import metric
from tests.reports.records import NASTY, age_record
from tests.reports.sections_of import figures_of, section, tables_of, text_of
from tests.reports.test_page import read


def figure(result: AuditResult, title: str) -> Figure:
    return next(f for f in figures_of(gates.build(result)) if f.title == title)


def test_no_gates_no_section(points: AuditResult) -> None:
    assert gates.build(points) is None
    assert gates.build(age_record()) is None
    assert 'id="gates"' not in render(points)


def test_gates_without_a_value_have_their_reason_and_nothing_else(gated: AuditResult) -> None:
    rows = [
        row.model_copy(update={"value": None, "low": None, "high": None, "note": "no_minors"})
        if row.metric in {"gate_fpr", "gate_fnr"}
        else row
        for row in gated.metrics
    ]
    found = gates.build(gated.model_copy(update={"metrics": rows}))
    assert len(found.blocks) == 2
    (table,) = tables_of(found)
    assert [row[1].text for row in table.rows] == ["—", "—"]
    assert "nobody of the group is known to be under the legal age" in text_of(found)


def test_everyone_is_a_row_for_each_gate(gated: AuditResult) -> None:
    table = tables_of(gates.build(gated))[0]
    assert [row[0].text for row in table.rows] == ["18:18", "21:25"]
    for row in table.rows:
        gate = row[0].text
        fpr, fnr = (metric(gated, name, {}, gate) for name in ("gate_fpr", "gate_fnr"))
        assert [cell.sort for cell in row[1:5]] == [fpr.value, fpr.n, fnr.value, fnr.n]
        assert f"[{number(fpr.low)}, {number(fpr.high)}]" in row[1].text
        severity = metric(gated, "gate_severity", {}, gate).value
        assert row[5].sort == severity
    heads = [column.name for column in table.columns]
    assert "too young and passed, processed faces" in heads  # some faces failed


def test_both_rates_of_every_group_are_drawn_side_by_side(gated: AuditResult) -> None:
    found = figure(gated, "Gate 18:18 by race")
    assert [panel.title for panel in found.panels] == ["Too young and passed", "Of age and stopped"]
    for panel, name in zip(found.panels, ("gate_fpr", "gate_fnr"), strict=True):
        drawn = [x for trace in panel.spec["data"] for x in trace["x"] if x is not None]
        rows = [
            row.value
            for row in gated.metrics
            if row.metric == name and row.class_ == "18:18" and list(row.group) == ["race"]
        ]
        assert sorted(drawn) == sorted(value for value in rows if value is not None)
        assert panel.spec["layout"]["xaxis"]["title"]["text"].startswith("share ")
        assert panel.spec["layout"]["shapes"][0]["x0"] == metric(gated, name, {}, "18:18").value
    minors = [row[1].sort for row in found.table.rows if row[0].text != "unknown"]
    tested = [
        row[1].sort
        for row in found.table.rows
        if row[0].text != "unknown" and (row[3].sort or 0) >= gated.spec.min_n
    ]
    assert tested == sorted(tested, reverse=True)  # the worst served on top
    assert len(minors) == 4
    small = any((row[3].sort or 0) < gated.spec.min_n for row in found.table.rows)
    assert ("Hollow" in found.caption) == small


def test_intersections_and_groups_of_age_are_folded_tables(gated: AuditResult) -> None:
    blocks = gates.build(gated).blocks
    folded = [b.caption for b in blocks if isinstance(b, Table) and b.summary]
    for gate in gated.spec.gates:
        assert f"Gate {gate} by gender × race" in folded
        assert f"Gate {gate} by age" in folded


def test_errors_by_single_year_are_near_the_legal_age_and_whole_in_the_table(
    gated: AuditResult,
) -> None:
    found = figure(gated, "Errors of gate 18:18 by true age")
    rows = [
        row
        for row in gated.curves
        if row.name in {"gate_fpr_by_year", "gate_fnr_by_year"}
        and row.class_ == "18:18"
        and not row.group
    ]
    assert len(found.table.rows) == len(rows)
    lines = [t for t in found.panels[0].spec["data"] if t.get("name") and t["line"]["width"]]
    assert [line["name"] for line in lines] == ["of age and stopped", "too young and passed"]
    drawn = {x: y for line in lines for x, y in zip(line["x"], line["y"], strict=True)}
    assert drawn == {float(r.x): r.y for r in rows if abs(float(r.x) - 18) <= gates.NEAR}


def test_operating_curves_have_bands_and_the_target(gated: AuditResult) -> None:
    found = figure(gated, "Operating curves for 18: everyone")
    for panel, name in zip(found.panels, ("gate_fpr", "gate_fnr"), strict=True):
        rows = [r for r in gated.curves if (r.name, r.class_, r.group) == (name, "18", {})]
        low, high, line = panel.spec["data"]
        assert line["x"] == [row.x for row in rows]
        assert line["y"] == [row.y for row in rows]
        assert low["y"] == [row.low for row in rows]
        assert high["y"] == [row.high for row in rows]
        targets = [shape["y0"] for shape in panel.spec["layout"].get("shapes", [])]
        assert targets == ([0.6] if name == "gate_fpr" else [])
        assert panel.spec["layout"]["yaxis"]["range"][1] >= max(line["y"])
    assert len(found.table.rows) == 2 * len(rows)


def test_operating_curves_of_groups_stand_beside_everyone(gated: AuditResult) -> None:
    fpr = figure(gated, "Too young and passed by challenge age for 18, by race")
    fnr = figure(gated, "Of age and stopped by challenge age for 18, by race")
    assert (fpr.fold, fnr.fold) == (False, True)
    assert len(fpr.panels) == 5  # four races and the unknown one
    for panel in fpr.panels:
        assert "everyone" in [trace.get("name") for trace in panel.spec["data"]]
    tops = {panel.spec["layout"]["yaxis"]["range"][1] for panel in fpr.panels}
    assert len(tops) == 1  # the panels can be compared


def test_the_least_challenge_age_is_that_of_the_record(gated: AuditResult) -> None:
    found = gates.build(gated)
    for legal in ("18", "21"):
        table = next(t for t in tables_of(found) if t.id == f"least-{legal}")
        rows = [r for r in gated.metrics if r.metric == "challenge_age" and r.class_ == legal]
        assert [row[2].sort for row in table.rows] == [row.value for row in rows]
        every = metric(gated, "challenge_age_every_group", {}, legal)
        if every.value is not None:
            assert f"From a challenge age of {every.value:g} years on, at most 0.600" in text_of(
                found
            )
        else:
            assert "No challenge age is shown to keep every group" in text_of(found)
    assert any(r.value is not None for r in gated.metrics if r.metric == "challenge_age")


def test_a_target_that_no_group_meets_is_said_with_its_reason(gated: AuditResult) -> None:
    gone = {"value": None, "note": "target_not_reached"}
    rows = [
        row.model_copy(update=gone) if row.metric.startswith("challenge_age") else row
        for row in gated.metrics
    ]
    text = text_of(gates.build(gated.model_copy(update={"metrics": rows})))
    assert "No challenge age is shown to keep every group to at most 0.600 who pass" in text
    assert "no challenge age on the curve meets the target with confidence" in text


def test_without_a_target_there_is_no_challenge_age(gated: AuditResult) -> None:
    rows = [row for row in gated.metrics if not row.metric.startswith("challenge_age")]
    spec = gated.spec.model_copy(update={"gate_target": None})
    bare = gated.model_copy(update={"metrics": rows, "spec": spec})
    assert "target" not in text_of(gates.build(bare))
    assert not any(t.id.startswith("least") for t in tables_of(gates.build(bare)))


def test_rates_of_fixed_ages_are_there_where_they_exist(gated: AuditResult) -> None:
    table = next(t for t in tables_of(gates.build(gated)) if t.id == "gates-fixed")
    named = {row[0].text: row[1].sort for row in table.rows}
    assert named["teen_tpr"] == metric(gated, "teen_tpr").value
    missing = [n for n in ("nist_mae_26", "teen_mae") if metric(gated, n).value is None]
    assert not set(missing) & set(named)


def test_headings_say_what_a_gate_is(gated: AuditResult) -> None:
    heads = [b.text for b in gates.build(gated).blocks if isinstance(b, Heading)]
    assert "Gate 21:25: legal age 21, passing from an estimate of 25 years" in heads


@pytest.mark.parametrize("name", NASTY[:3])
def test_hostile_group_names_stay_text(gated: AuditResult, name: str) -> None:
    text = gated.to_json().replace('"Black"', _json(name)).replace('"White"', _json(name + "2"))
    record = AuditResult.model_validate_json(text)
    reader = read(record)
    assert not [tag for tag, _ in reader.tags if tag == "b"]
    assert sum(tag == "script" for tag, _ in reader.tags) == 4
    for id in ("gates", "distributions", "equal-terms"):
        assert "<script>" not in section(record, id)


def _json(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)

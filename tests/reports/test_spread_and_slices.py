"""Spread over all groups, worst slices and pooled values: when they are there, whose numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from audit.metrics.one_vs_rest import ONE_VS_REST
from audit.publish import suppress
from audit.result import AuditResult
from reports.blocks import Figure, Table
from reports.format import number
from reports.sections import intersections, slices, spread
from reports.sections.spread import _TWO
from tests.reports.records import NASTY, age_record, expression_record
from tests.reports.sections_of import section, shown_text, tables_of, text_of
from tests.reports.test_page import read


def aggregate(kind: str, value: float | None, **more: Any) -> dict[str, Any]:
    base = {"metric": "mae", "class": None, "attributes": ["gender"], "kind": kind, "value": value,
            "null_expected": 0.0625, "family": "mae/gender", "note": "biased_extreme"}  # fmt: skip
    return base | more


def with_gaps(*gaps: dict[str, Any]) -> AuditResult:
    raw = age_record().model_dump(by_alias=True)
    return AuditResult.model_validate(raw | {"gaps": list(gaps)})


def sliced(*rows: dict[str, Any]) -> AuditResult:
    raw = age_record().model_dump(by_alias=True)
    raw["spec"]["slices"] = "12 slices of up to 3 of gender, race <b>"
    return AuditResult.model_validate(raw | {"slices": list(rows)})


def slice_row(group: dict[str, str | None], gap: float | None, **more: Any) -> dict[str, Any]:
    base = {"metric": "mae", "group": group, "value": 6.125, "gap": gap, "low": None, "high": None,
            "p": 0.0004, "p_adjusted": 0.002, "confirmed": True, "found": 2.625, "n": 321,
            "n_subjects": 123}  # fmt: skip
    return base | more


def test_every_aggregate_of_the_record_is_shown_beside_its_chance_value(
    points: AuditResult,
) -> None:
    kinds = ["sd_between", "tau2", "gini", "gei_between"]
    rows = {(g.metric, tuple(g.attributes), g.kind): g for g in points.gaps if g.kind in kinds}
    assert {kind for *_, kind in rows} == set(kinds)
    shown = [line for table in tables_of(spread.build(points))[:-1] for line in table.rows]
    assert len(shown) == len({key[:2] for key in rows})
    lead = tables_of(spread.build(points))[0]
    lines = {(line[0].text, line[1].text): line[2:] for line in lead.rows}
    for names in ("gender", "race", "gender × race"):
        found = [rows["mae", tuple(names.split(" × ")), kind] for kind in kinds]
        numbers = [x for g in found for x in (g.value, g.null_expected)]
        del numbers[3]  # noise is subtracted from tau2, so there is no value by chance
        numbers.append(found[-1].within)
        assert [cell.sort for cell in lines["mae", names]] == numbers


def test_classes_are_judged_against_all_others() -> None:
    rows = [aggregate(kind, 0.2, metric=ONE_VS_REST, **{"class": "sad"}) for kind in _TWO]
    raw = expression_record().model_dump(by_alias=True)
    found = spread.build(AuditResult.model_validate(raw | {"gaps": rows}))
    assert "sad against all others" in text_of(found)
    assert "false positive is a face of another class" in text_of(found)
    assert [c.name for c in tables_of(found)[0].columns[2::2]] == ["FDR", "GARBE", "inequity rate"]


def test_the_variance_beyond_noise_is_shown_in_the_unit_of_the_metric() -> None:
    record = with_gaps(aggregate("tau2", 2.25), aggregate("sd_between", 1.6125))
    table = next(b for b in spread.build(record).blocks if isinstance(b, Table))
    heads = [column.name for column in table.columns]
    assert heads == [
        "metric", "groups by", "SD between groups", spread.CHANCE, "SD beyond noise",
    ]  # fmt: skip
    assert [cell.text for cell in table.rows[0][2:]] == ["1.61", "0.06", "1.50"]
    below = spread.build(with_gaps(aggregate("tau2", -0.5)))
    assert next(b for b in below.blocks if isinstance(b, Table)).rows[0][2].text == "0.00"


def test_an_aggregate_without_a_value_has_its_reason() -> None:
    bare = aggregate("gini", None, note="single_group")
    assert "Leading metrics: 1 by gender have no value: fewer than two groups" in text_of(
        spread.build(with_gaps(bare))
    )
    beside = aggregate("gini", 0.25, attributes=["race"])
    table = tables_of(spread.build(with_gaps(bare, beside)))[0]
    assert [row[1].text for row in table.rows] == ["race"]
    assert (table.more or "").startswith("1 more by gender have no value: fewer than two groups")


def test_no_aggregates_no_section() -> None:
    assert spread.build(with_gaps()) is None
    assert 'id="spread"' not in "".join(str(tag) for tag in read(with_gaps()).tags)


def test_slices_say_what_was_found_and_what_was_confirmed(points: AuditResult) -> None:
    assert points.slices
    found = slices.build(points)
    table = next(b.table for b in found.blocks if isinstance(b, Figure))
    assert len(table.rows) == len(points.slices)
    for cells, row in zip(table.rows, points.slices, strict=True):
        assert cells[1].sort == row.value
        assert cells[2].sort == row.gap
        assert cells[4].sort == row.p_adjusted
        assert cells[5].text == {True: "yes", False: "no", None: ""}[row.confirmed]
        assert [cell.sort for cell in cells[6:]] == [row.n_subjects, row.n, row.found]


def test_a_slice_is_confirmed_where_the_record_says_so_whatever_its_p() -> None:
    yes = slice_row({"gender": "female"}, 1.5, low=0.5, high=2.5)
    no = slice_row({"gender": "male"}, -1.5, low=-2.5, high=-0.5, confirmed=False)
    text = text_of(slices.build(sliced(yes, no)))
    assert "1 of 2 slices confirmed: gender female." in text
    assert "Right of the dashed line a slice is served worse." in text
    figure = next(b for b in slices.build(sliced(yes, no)).blocks if isinstance(b, Figure))
    names = [trace.get("name") for trace in figure.panels[0].spec["data"]]
    assert names[:2] == ["confirmed", "not confirmed"]


def test_slices_of_higher_is_better_point_the_other_way() -> None:
    raw = expression_record().model_dump(by_alias=True)
    raw["spec"]["slices"] = "searched"
    row = slice_row({"gender": "female"}, -0.1) | {"metric": "accuracy"}
    record = AuditResult.model_validate(raw | {"slices": [row]})
    assert "Left of the dashed line a slice is served worse." in text_of(slices.build(record))


def test_slices_by_age_say_regression_to_the_mean() -> None:
    by_age = slice_row({"gender": "female", "age": "60+"}, 1.0)
    assert "partly regression to the mean" in text_of(slices.build(sliced(by_age)))
    plain = slice_row({"gender": "female"}, 1.0)
    assert "regression" not in text_of(slices.build(sliced(plain)))


def test_no_search_no_section_and_none_found_says_so() -> None:
    assert slices.build(age_record()) is None
    assert "Searched: 12 slices" in text_of(slices.build(sliced()))


def test_slices_hidden_for_publication_have_no_numbers(points: AuditResult) -> None:
    hidden = suppress(points, 200)
    assert all(row.gap is None and row.confirmed is None for row in hidden.slices)
    text = text_of(slices.build(hidden))
    assert f"0 of {len(points.slices)} slice" in text
    assert "hidden for publication" in text


def test_pooled_values_stand_beside_the_raw_ones(points: AuditResult) -> None:
    rows = [r for r in points.metrics if r.metric == "mae" and r.pooled is not None]
    assert rows
    figure = next(b for b in intersections.build(points).blocks if isinstance(b, Figure))
    assert [panel.title for panel in figure.panels] == ["Raw values", "Pooled values"]
    raw, pooled = (panel.spec["data"][0] for panel in figure.panels)
    assert (raw["zmin"], raw["zmax"]) == (pooled["zmin"], pooled["zmax"])
    assert raw["colorbar"]["title"]["text"] == "years, higher is worse"
    assert (
        text_of(intersections.build(points)).count("Tests and verdicts are of the raw values") == 1
    )
    drawn = [z for line in pooled["z"] for z in line if z is not None]
    assert sorted(drawn) == sorted(row.pooled for row in rows)
    text = shown_text(figure.table)
    for row in rows:
        ends = f"[{number(row.pooled_low, 'years')}, {number(row.pooled_high, 'years')}]"
        assert f"pooled {number(row.pooled, 'years')} {ends}" in text


def test_without_pooled_values_there_is_one_map() -> None:
    figure = next(b for b in intersections.build(age_record()).blocks if isinstance(b, Figure))
    assert len(figure.panels) == 1
    assert "ooled" not in text_of(intersections.build(age_record()))


@pytest.mark.parametrize("name", NASTY)
def test_hostile_names_stay_text(name: str) -> None:
    record = sliced(slice_row({name: name}, 1.0))
    raw = record.model_dump(by_alias=True)
    raw["gaps"] = [aggregate("gini", 0.2, **{"class": name, "attributes": ["gender"]})]
    reader = read(AuditResult.model_validate(raw))
    assert not [tag for tag, _ in reader.tags if tag == "b"]
    assert not [a for tag, a in reader.tags if tag == "a" and "javascript" in str(a)]
    assert sum(tag == "script" for tag, _ in reader.tags) == 4
    assert "Worst slices" in reader.text[0]


def test_the_page_has_the_sections_of_a_real_audit(points: AuditResult) -> None:
    for id in ("spread", "slices", "intersections"):
        assert section(points, id)
    assert math.isfinite(points.slices[0].gap or math.nan)

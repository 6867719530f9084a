"""The section on equal terms: raw, standardised and adjusted side by side, and what adds up."""

from __future__ import annotations

import pytest

from audit import AuditResult
from reports.format import number
from reports.sections import equal_terms, gaps
from tests.audit.frames import expression_table
from tests.reports.records import age_record
from tests.reports.sections_of import audited, figures_of, tables_of, text_of

KINDS = (
    ("difference", None),
    ("standardised_difference", "pooled"),
    ("standardised_difference", "uniform"),
    ("adjusted_difference", None),
    ("kitagawa_mix", None),
    ("kitagawa_rate", None),
)


def row_of(result: AuditResult, metric: str, a: str, b: str, kind: str, reference: str | None):
    found = [
        gap
        for gap in result.gaps
        if (gap.metric, gap.class_, gap.kind) == (metric, None, kind)
        and getattr(gap, "reference", None) == reference
        and (gap.a, gap.b) == ({"gender": a}, {"gender": b})
    ]
    assert len(found) == 1
    return found[0]


def test_no_such_rows_no_section() -> None:
    assert equal_terms.build(age_record()) is None


def test_raw_standardised_and_adjusted_stand_side_by_side(gated: AuditResult) -> None:
    section = equal_terms.build(gated)
    table = next(t for t in tables_of(section) if t.id == "equal-0-table")
    assert [column.name for column in table.columns] == [
        "pair", "as it is", "standardised to everyone", "to equal shares",
        "adjusted by regression", "part of the mix", "part of the rates", "p for the family",
        "verdict at equal mix", "people first", "people second",
    ]  # fmt: skip
    (line,) = table.rows
    rows = [row_of(gated, "mae", "f", "m", kind, reference) for kind, reference in KINDS]
    assert [cell.sort for cell in line[1:7]] == [row.value for row in rows]
    assert line[5].sort + line[6].sort == pytest.approx(line[1].sort, abs=1e-12)
    adjusted = rows[3]
    assert (line[7].sort, line[8].text) == (adjusted.p_adjusted, adjusted.verdict)


def test_the_figure_draws_what_the_table_says_with_the_margin(gated: AuditResult) -> None:
    figure = next(f for f in figures_of(equal_terms.build(gated)) if f.id == "equal-0-figure")
    spec = figure.panels[0].spec
    drawn = {x for trace in spec["data"] for x in trace["x"] if x is not None}
    drawn_kinds = [*KINDS[:2], KINDS[3]]
    rows = [row_of(gated, "mae", "f", "m", kind, reference) for kind, reference in drawn_kinds]
    assert drawn == {row.value for row in rows}
    band = next(shape for shape in spec["layout"]["shapes"] if shape["type"] == "rect")
    assert (band["x0"], band["x1"]) == (-0.5, 0.5)
    assert spec["layout"]["xaxis"]["title"]["text"].endswith("years")
    labels = list(reversed(spec["layout"]["yaxis"]["ticktext"]))
    assert labels[::-1] == ["f − m, as it is", "standardised", "adjusted"]
    adjusted, raw = rows[2], rows[0]
    assert f"f − m: {number(adjusted.value, 'years')} years" in figure.caption
    assert f"{number(raw.value, 'years')} as it is" in figure.caption
    assert "stated margin of ±0.50 years" in figure.caption


def test_the_sentence_is_that_of_the_verdict_in_the_record(gated: AuditResult) -> None:
    """Whatever the numbers are: the verdict is read, no threshold is applied again."""
    words = {"gap": "wholly outside", "no material gap": "is inside", "inconclusive": "neither"}
    for verdict, said in words.items():
        changed = [
            gap.model_copy(update={"verdict": verdict})
            if gap.kind == "adjusted_difference"
            else gap
            for gap in gated.gaps
        ]
        record = gated.model_copy(update={"gaps": changed})
        figure = next(f for f in figures_of(equal_terms.build(record)) if f.id == "equal-0-figure")
        assert said in figure.caption


def test_other_metrics_and_many_pairs_are_in_a_folded_table(gated: AuditResult) -> None:
    tables = {t.id: t for t in tables_of(equal_terms.build(gated))}
    everything = tables["equal-1-all"]
    assert everything.summary
    metrics = {row[0].text for row in everything.rows}
    assert {"mae", "bias", "gate_fpr (18:18)"} <= metrics
    pairs = {
        (gap.metric, gap.class_, str(gap.a), str(gap.b))
        for gap in gated.gaps
        if gap.kind == "kitagawa_mix" and gap.attributes == ["race"]
    }
    assert len(everything.rows) == len(pairs)


def test_the_plain_tables_have_no_adjusted_rows(gated: AuditResult) -> None:
    text = text_of(gaps.build(gated))
    assert "kitagawa" not in text
    assert "adjusted difference" not in text


def test_pairs_that_do_not_overlap_have_their_reason(gated: AuditResult) -> None:
    gone = {"value": None, "low": None, "high": None, "p": None, "p_adjusted": None,
            "verdict": None, "note": "no_overlap"}  # fmt: skip
    changed = [
        gap.model_copy(update=gone) if getattr(gap, "reference", None) or "adj" in gap.kind else gap
        for gap in gated.gaps
    ]
    section = equal_terms.build(gated.model_copy(update={"gaps": changed}))
    assert "too little in common to be compared on equal terms" in text_of(section)
    assert not figures_of(section)


def test_expressions_are_held_to_the_same_mix_of_classes() -> None:
    result = audited(expression_table(3, 200), task="expression", by=["gender"])
    text = text_of(equal_terms.build(result))
    assert "weight every expression alike" in text
    assert "regression" not in text
    mix = row_of(result, "accuracy", "f", "m", "kitagawa_mix", None)
    assert number(mix.value) in text

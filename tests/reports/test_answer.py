"""The sentences of the first screen say what the rows say, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from audit.result import AuditResult
from audit.rows import AdjustedGap, RangeGap
from reports.answer import answers, question
from reports.not_tested import not_tested
from reports.on_equal_terms import adjusted, oriented
from reports.sections.verdicts import verdicts
from tests.reports.records import age_record

RANGE = {"metric": "mae", "attributes": ["sex"], "family": "mae/sex", "kind": "worst_minus_best",
         "a": {"sex": "women"}, "b": {"sex": "men"}, "value": 0.73, "low": 0.6, "high": 0.89,
         "margin": 0.5, "verdict": "gap", "debiased": 0.7}  # fmt: skip
# a and b in text order: men less women is negative where women are served worse
ADJUSTED = {"metric": "mae", "attributes": ["sex"], "family": "x", "kind": "adjusted_difference",
            "a": {"sex": "men"}, "b": {"sex": "women"}, "value": -0.61, "low": -0.8, "high": -0.4,
            "margin": 0.5, "verdict": "gap", "adjusts_for": ["age"]}  # fmt: skip


def record(*gaps: dict[str, Any], **spec: Any) -> AuditResult:
    """An audit by sex alone that has these gaps and no other."""
    base = age_record(groups={"sex": ["women", "men"]})
    found = base.model_copy(update={"spec": base.spec.model_copy(update=spec), "gaps": []})
    content = found.model_dump(by_alias=True) | {"gaps": list(gaps)}
    return AuditResult.model_validate(content)


def said(*gaps: dict[str, Any], **spec: Any) -> str:
    return " ".join(answers(record(*gaps, **spec)))


def test_the_question_names_task_and_attributes() -> None:
    assert question(record()) == "Are ages estimated equally well whatever the sex?"
    assert question(record(combinations=[])) == "How well are ages estimated?"


def test_a_gap_that_stays_after_adjusting() -> None:
    assert answers(record(RANGE, ADJUSTED)) == (
        "By sex: ages of “women” are estimated 0.73 years worse than those of “men” (95 % interval "
        "0.60 to 0.89), a gap beyond the margin of ±0.50 years. The gap stays after adjusting for "
        "age: 0.61 years (95 % interval 0.40 to 0.80).",
    )


def test_without_an_adjusted_row_nothing_is_said_to_stay() -> None:
    assert "adjust" not in said(RANGE)
    assert "stays" not in said(RANGE)
    other_pair = ADJUSTED | {"a": {"sex": "men"}, "b": {"sex": "unsure"}}
    assert "stays" not in said(RANGE, other_pair)
    assert "stays" not in said(RANGE, ADJUSTED | {"metric": "bias"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verdict": "no material gap"}, "After adjusting for age no material gap remains: 0.61"),
        ({"verdict": "inconclusive"}, "After adjusting for age it is 0.61 years (95 % interval"),
        ({"value": 0.61, "low": 0.4, "high": 0.8}, "The gap is turned round after adjusting for"),
        ({"verdict": None, "margin": None}, "the interval still excludes 0."),
        ({"verdict": None, "margin": None, "high": 0.1}, "the interval includes 0."),
        ({"verdict": None, "margin": None, "value": 0.3, "low": 0.1, "high": 0.5},
         "the interval excludes 0 on the other side."),
        ({"kind": "standardised_difference", "reference": "pooled"},
         "The gap stays at the same mix of age: 0.61 years"),
    ],
)  # fmt: skip
def test_what_stays_is_read_from_the_verdict_of_the_adjusted_row(
    change: dict[str, Any], words: str
) -> None:
    text = said(RANGE, ADJUSTED | change)
    assert words in text
    assert ("The gap stays" in text) == ("standardised_difference" in change.values())


def test_a_verdict_is_never_made_from_the_numbers() -> None:
    """The same numbers under another verdict, however strange, are told as that verdict."""
    assert "No material gap by sex" in said(RANGE | {"verdict": "no material gap"})
    assert "Inconclusive by sex: neither outside nor inside" in said(
        RANGE | {"verdict": "inconclusive"}
    )


def test_without_a_margin_nothing_is_judged() -> None:
    bare = {"verdict": None, "margin": None}
    shown = said(RANGE | bare)
    assert "0.73 years worse" in shown
    assert "No margin was stated, so whether a difference matters is not judged." in shown
    assert "gap" not in shown
    text = said(RANGE | bare | {"low": 0.0})
    assert "Inconclusive by sex: a difference is neither shown nor ruled out." in text


def test_a_metric_of_which_more_is_better_is_lower_for_the_worst() -> None:
    gap = RANGE | {"metric": "cs5", "value": 0.04, "low": 0.02, "high": 0.06}
    # men less women: positive, as more is better and women are served worse
    row = ADJUSTED | {"metric": "cs5", "value": 0.03, "low": 0.01, "high": 0.05}
    found = record(gap, row)
    ranged, on_equal = found.gaps
    assert isinstance(ranged, RangeGap)
    assert isinstance(on_equal, AdjustedGap)
    assert adjusted(found, ranged) == on_equal
    assert oriented(found, on_equal, ranged).value == 0.03
    turned = on_equal.model_copy(update={"a": on_equal.b, "b": on_equal.a})
    assert oriented(found, turned, ranged).value == -0.03
    assert (oriented(found, turned, ranged).low, oriented(found, turned, ranged).high) == (
        -0.05,
        -0.01,
    )


def test_no_comparison_says_so() -> None:
    assert said() == "No difference between groups could be computed; the table says why."
    cells = verdicts(record())
    assert cells is not None
    assert cells.rows[0][4].text == "not tested"
    assert "By sex: no comparison, no such row in the record." in not_tested(record())


def test_the_table_says_margin_people_and_who_assigned_the_labels() -> None:
    found = verdicts(record(RANGE, ADJUSTED))
    assert found is not None
    by, worst, _, gap, verdict, equal = found.rows[0]
    assert (by.text, by.detail) == ("sex", "labels: as perceived by somebody else")
    assert worst.text == "women"
    assert "people" in worst.detail
    assert (gap.text, gap.detail) == ("0.73 years [0.60, 0.89]", "debiased 0.70")
    assert (verdict.text, verdict.tone, verdict.detail) == (
        "gap",
        "gap",
        "margin\u00a0±0.50\u00a0years",
    )
    assert (equal.text, equal.detail) == ("0.61 years [0.40, 0.80]", "gap, adjusted for age")


def test_other_metrics_with_a_verdict_have_their_row() -> None:
    gate = RANGE | {"metric": "gate_fpr", "class": "18:18", "value": 0.2, "margin": 0.05}
    found = verdicts(record(RANGE, gate))
    assert found is not None
    assert [row[1].text for row in found.rows] == ["mae", "gate_fpr (18:18)"]


def test_groups_too_small_are_named_with_their_people() -> None:
    base = record()
    rows = [
        row.model_copy(update={"n_subjects": 7}) if row.group == {"sex": "men"} else row
        for row in base.metrics
    ]
    lines = not_tested(base.model_copy(update={"metrics": rows}))
    few = f"fewer than {base.spec.min_n} persons, shown but not tested"
    assert f"1 of 2 groups by sex: {few} (men, 7 people)." in lines


def test_a_gate_has_its_sentence() -> None:
    base = record(RANGE)
    row = base.metrics[0].model_copy(
        update={
            "metric": "gate_fpr",
            "class_": "18:25",
            "group": {},
            "value": 0.1,
            "low": 0.08,
            "high": 0.12,
            "note": None,
        }
    )
    gated = base.model_copy(
        update={
            "metrics": [*base.metrics, row],
            "spec": base.spec.model_copy(update={"gates": ["18:25"]}),
        }
    )
    assert answers(gated)[-1] == (
        "Gate 18:25: of the people under 18, the share that passes from an estimate of 25 on is "
        "0.100 [0.080, 0.120]; no difference between groups is shown in it."
    )

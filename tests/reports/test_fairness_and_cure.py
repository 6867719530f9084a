"""The sections on fairness statistics and on the cure: when they are there, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from audit.notes import NOTES
from audit.result import AuditResult
from reports.page import render
from tests.reports.records import NASTY, age_record, expression_record
from tests.reports.test_page import read

CURE = ("importance", "low_group_share", "relabel_rate", "relabel_precision")
SCORES = ("nll", "nll_raw", "ece_raw")


def row(metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    base = {"metric": metric, "class": None, "attributes": ["gender"], "group": None,
            "value": value, "n": 1234, "n_groups": 2, "note": "biased_extreme"}  # fmt: skip
    return base | more


def with_fairness(class_: str = "happy", name: str = "female") -> AuditResult:
    record = expression_record()
    npmi = {"class": class_, "group": {"gender": name}, "note": "descriptive"}
    lacking = "biased_extreme; class_absent: in 1 groups"
    rows = [
        row(
            "equal_opportunity", 0.3125, null_expected=0.0415, **{"class": class_, "note": lacking}
        ),
        row("equalized_odds", 0.1875, null_expected=0.0625),
        row("nsd", 0.4375, note="descriptive"),
        row("npmi_labels", -0.2125, **npmi),
        row("npmi_predictions", 0.1125, **npmi),
        row("accuracy_ratio", None, note="zero_denominator"),
    ]
    specs = {
        metric: {"unit": "share", "better": "lower", "scale": "identity", "interval": "none",
                 "definition": f"how {metric} is made", "source": "an author (2020)"}
        for metric in dict.fromkeys(r["metric"] for r in rows)
    }  # fmt: skip
    raw = record.model_dump(by_alias=True)
    raw["spec"]["fairness"] = specs
    return AuditResult.model_validate(raw | {"fairness": rows})


def with_cure(*metrics: str) -> AuditResult:
    raw = expression_record().model_dump(by_alias=True)
    model = [r for r in raw["metrics"] if r["metric"] == "accuracy"]
    for metric in metrics:
        raw["metrics"] += [r | {"metric": metric} for r in model]
        spec = raw["spec"]["metrics"]["accuracy"]
        raw["spec"]["metrics"][metric] = spec | {"definition": f"how {metric} is made"}
    return AuditResult.model_validate(raw)


def section(result: AuditResult, id: str) -> str:
    text = render(result)
    return text[text.index(f'<section id="{id}"') :].split("</section>")[0]


@pytest.mark.parametrize("id", ["fairness", "cure"])
def test_records_without_such_rows_have_no_such_section(id: str) -> None:
    for record in (age_record(), expression_record()):
        assert f'<section id="{id}"' not in render(record)
        assert f'href="#{id}"' not in render(record)


def test_a_fairness_statistic_stands_beside_its_chance_value() -> None:
    text = section(with_fairness(), "fairness")
    line = text[text.index("(equalized_odds)") :].split("</tr>")[0]
    assert ">0.188<" in line
    assert ">0.062<" in line
    assert "how equalized_odds is made" in line
    assert "no interval and must be read against" in text
    assert "by chance alone" in text
    assert ">None<" not in text


def test_classes_and_npmi_have_their_own_tables() -> None:
    text = section(with_fairness(), "fairness")
    for value in ("0.312", "0.042", "−0.212", "0.112"):
        assert value in text
    assert text.count("<details>") == 3
    assert text.count("<summary>gender: true class and group") == 1


def test_notes_of_fairness_rows_are_told_once() -> None:
    record = with_fairness()
    text = section(record, "fairness")
    assert NOTES["zero_denominator"] in text
    assert f"{NOTES['class_absent']} (in 1 groups)" in text
    assert NOTES["biased_extreme"] not in text
    assert NOTES["biased_extreme"] in section(record, "methods")


@pytest.mark.parametrize("name", NASTY)
def test_hostile_names_of_classes_and_groups_stay_text(name: str) -> None:
    reader = read(with_fairness(class_=name, name=name))
    assert not [tag for tag, _ in reader.tags if tag == "b"]
    assert not [a for tag, a in reader.tags if tag == "a" and "javascript" in str(a)]
    assert sum(tag == "script" for tag, _ in reader.tags) == 4


def test_the_cure_is_told_by_group_with_intervals() -> None:
    record = with_cure(*CURE, *SCORES)
    text = section(record, "cure")
    assert text.count("<h3") == len(record.spec.combinations)
    for words in ("importance", "low-group share", "relabel rate", "relabel precision"):
        assert f">{words}</th>" in text
    assert "relabel recall" not in text
    assert "how importance is made" in text
    found = next(r for r in record.metrics if r.metric == "importance" and not r.group)
    assert f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" in text


def test_scores_are_shown_scaled_beside_raw() -> None:
    text = section(with_cure(*CURE, *SCORES), "cure")
    heads = ["ECE scaled", "ECE raw", "NLL scaled", "NLL raw"]
    places = [text.index(f">{head}</th>") for head in heads]
    assert places == sorted(places)
    assert "ECE scaled" not in section(with_cure(*CURE), "cure")


def test_labels_before_and_after_are_drawn_by_group() -> None:
    record = with_cure(*CURE)
    raw = record.model_dump(by_alias=True)
    flows = [r | {"name": "relabel_flow"} for r in raw["curves"] if r["name"] == "confusion"]
    assert "Labels before and after" not in section(record, "cure")
    whole = AuditResult.model_validate(raw | {"curves": raw["curves"] + flows})
    text = section(whole, "cure")
    assert "Labels before and after: everyone" in text
    assert "share of the label before" in text
    assert "true class" not in text
    assert "share of the true class" in section(whole, "confusion")

"""JUnit, SARIF and Markdown of a gate: their rules, and names that try to break out of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from audit.declared import Declared
from audit.findings import GateResult
from reports.changes import lines
from reports.gate.junit import junit
from reports.gate.markdown import cell, markdown
from reports.gate.sarif import sarif, uri_of
from reports.gate.words import conclusion, line
from tests.audit.gate_records import by_gender, gap, judged, metric, policy, record
from tests.reports.records import NASTY

HOSTILE = [
    *NASTY,
    "]]> <!-- --> ${{ secrets.TOKEN }}",
    "\x00\x08\x1b[31mred\x1b[0m\x7f\ufffe",
    "two\nlines\r\n\tand | a pipe",
    "@everyone #1 www.example.org https://example.org ![x](y) `code` *b* _i_ ~~s~~",
    "",
]
RULES = """
name = "<policy> & \\"co\\""

[[rules]]
metric = "mae"
attribute = "gender"
limit = 5
name = "limit ]]> <b>"

[[rules]]
metric = "mae"
attribute = "gender"
margin = 0.5
inconclusive = "warn"

[[rules]]
metric = "mae"
limit = 9

[[rules]]
metric = "mae"
attribute = "race"
limit = 9
small_groups = "skip"
"""


@pytest.fixture
def declared(tmp_path: Path) -> Declared:
    return policy(tmp_path, RULES)


@pytest.fixture
def result(declared: Declared) -> GateResult:
    """A failed, a warned, a passed and a skipped row for every hostile name."""
    rows = [metric("mae", {"gender": name}, 6.0) for name in HOSTILE]
    rows += [metric("mae", {}, 4.0), metric("mae", {"race": "a"}, 4.0)]
    rows += [metric("mae", {"race": name}, 4.0, n_subjects=3) for name in HOSTILE]
    gaps = [gap("mae", HOSTILE[0], HOSTILE[1], 0.5, kind="worst_minus_best")]
    run = {"model": "<img src=x onerror=alert(1)>", "seed": 0, "data": "@org/team"}
    return judged(record(rows, gaps, run=run), declared)


def test_the_gate_of_the_tests_has_every_outcome(result: GateResult) -> None:
    n = len(HOSTILE)
    assert result.counts == {"passed": 2, "failed": n, "warned": 1, "skipped": n}
    assert (
        conclusion(result)
        == f"gate failed: {2 * n + 3} findings: {n} failed, 1 warned, {n} skipped"
    )


def test_a_line_is_one_line_without_control_characters(result: GateResult) -> None:
    for finding in result.findings:
        text = line(finding)
        assert len(text.splitlines()) == 1
        assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e]", text)


def test_lines_by_hand(tmp_path: Path) -> None:
    text = '[[rules]]\nmetric = "mae"\nattribute = "gender"\nmargin = {}\n'
    found = judged(by_gender("mae", 5.0, 4.0), policy(tmp_path, text.format(0.5))).findings[0]
    assert line(found) == (
        "mae by gender: largest gap, f against m: 1.00 years [0.88, 1.12] (family-adjusted 95 %), "
        "margin 0.50 years: gap"
    )
    named = text.format(2) + 'name = "release"'
    found = judged(by_gender("mae", 5.0, 4.0), policy(tmp_path, named)).findings[0]
    assert line(found) == (
        "mae by gender: largest gap, f against m: 1.00 years [0.92, 1.08] (90 %), "
        "margin 2.00 years: no material gap [release]"
    )
    worse = policy(tmp_path, text.format(0.5))
    old, new = by_gender("mae", 4.6, 4.0), by_gender("mae", 5.0, 4.0)
    found = judged(new, worse, old).findings[0]
    # 0.4 -+ hypot(0.1, 0.1)
    assert "worse than the baseline; before 0.60; worse by 0.40 [0.26, 0.54] (95 %" in line(found)


# JUnit as Jenkins and others read it: the order of elements and the attributes that exist
SUITE = {"name", "tests", "failures", "errors", "skipped"}


def test_junit_keeps_the_rules_of_the_format(result: GateResult) -> None:
    root = ET.fromstring(junit(result))
    assert root.tag == "testsuites"
    assert set(root.attrib) == {"name", "tests", "failures", "errors"}
    assert [suite.tag for suite in root] == ["testsuite"] * 4
    for suite in root:
        assert set(suite.attrib) == SUITE
        cases = list(suite)
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
        assert suite.attrib["errors"] == "0"
        for case in cases:
            assert (case.tag, set(case.attrib)) == ("testcase", {"name", "classname"})
            assert [part.tag for part in case] in (["failure"], ["skipped"], ["system-out"])
            for part in case.findall("failure"):
                assert set(part.attrib) == {"message", "type"}
    assert int(root.attrib["tests"]) == len(result.findings)
    assert int(root.attrib["failures"]) == result.counts["failed"]


def test_junit_names_are_told_apart_and_survive(result: GateResult) -> None:
    root = ET.fromstring(junit(result))
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert any("<script>alert('group')</script>" in name for name in names)
    assert any("]]> <!-- -->" in name for name in names)
    assert len(set(names)) == len(names)
    text = junit(result)
    assert "<script>" not in text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)
    assert junit(result) == text


def test_a_failure_says_its_numbers(tmp_path: Path) -> None:
    text = '[[rules]]\nmetric = "mae"\nattribute = "gender"\nmargin = 1\n'
    root = ET.fromstring(junit(judged(by_gender("mae", 5.0, 4.0), policy(tmp_path, text))))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib == {"message": "inconclusive", "type": "inconclusive"}
    assert failure.text == "1.00 years [0.92, 1.08] (90 %), margin 1.00 years"


# The parts of the SARIF 2.1.0 schema that a log of results must keep
SARIF: dict[str, Any] = {
    "type": "object", "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "$schema": {"type": "string", "format": "uri"},
        "runs": {"type": "array", "items": {
            "type": "object", "required": ["tool"], "additionalProperties": False,
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "properties": {
                    "driver": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"}, "version": {"type": "string"},
                        "rules": {"type": "array", "uniqueItems": True, "items": {
                            "type": "object", "required": ["id"], "additionalProperties": False,
                            "properties": {
                                "id": {"type": "string"},
                                **{name: {"type": "object", "required": ["text"]} for name in
                                   ("shortDescription", "fullDescription", "help")},
                            }}}}}}},
                "invocations": {"type": "array", "items": {
                    "type": "object", "required": ["executionSuccessful"],
                    "properties": {"executionSuccessful": {"type": "boolean"}}}},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message"], "additionalProperties": False,
                    "properties": {
                        "ruleId": {"type": "string"},
                        "ruleIndex": {"type": "integer", "minimum": 0},
                        "level": {"enum": ["none", "note", "warning", "error"]},
                        "message": {"type": "object", "required": ["text"],
                                    "properties": {"text": {"type": "string", "minLength": 1}}},
                        "partialFingerprints": {
                            "type": "object", "additionalProperties": {"type": "string"}},
                        "locations": {"type": "array", "minItems": 1, "items": {
                            "type": "object", "properties": {"physicalLocation": {
                                "type": "object", "required": ["artifactLocation"],
                                "properties": {
                                    "artifactLocation": {"type": "object", "properties": {
                                        "uri": {"type": "string", "format": "uri-reference"}}},
                                    "region": {"type": "object", "properties": {
                                        "startLine": {"type": "integer", "minimum": 1}}}}}}}},
                    }}},
            }}},
    },
}  # fmt: skip


def test_sarif_keeps_the_rules_of_the_format(result: GateResult, declared: Declared) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    content = json.loads(sarif(result, declared))
    jsonschema.validate(content, SARIF)
    run = content["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len(rules) == 4
    assert len(run["results"]) == result.counts["failed"] + result.counts["warned"]
    for row in run["results"]:
        assert rules[row["ruleIndex"]]["id"] == row["ruleId"]
        place = row["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "policy.toml"
        assert place["region"]["startLine"] == declared.lines[row["ruleIndex"]]
    assert {row["level"] for row in run["results"]} == {"error", "warning"}


def test_fingerprints_stay_while_numbers_change(tmp_path: Path) -> None:
    text = """
    [[rules]]
    metric = "mae"
    attribute = "gender"
    kind = "vs_rest"
    margin = 0.1
    [[rules]]
    metric = "mae"
    attribute = "gender"
    margin = 0.1
    """
    declared = policy(tmp_path, text)

    def prints(f: float, m: float) -> list[str]:
        content = json.loads(sarif(judged(by_gender("mae", f, m), declared), declared))
        rows = content["runs"][0]["results"]
        return [str(sorted(row["partialFingerprints"].items())) for row in rows]

    first = prints(5.0, 4.0)
    assert len(set(first)) == len(first) == 3
    assert prints(4.0, 9.0) == first  # other numbers, another worst group


def test_uris_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert uri_of(Path("my gates/p#1.toml")) == "my%20gates/p%231.toml"
    assert uri_of(tmp_path / "a" / "p.toml") == "a/p.toml"
    assert uri_of(Path("/elsewhere/p.toml")) == "p.toml"


def test_markdown_holds_no_markup_of_the_data(result: GateResult) -> None:
    text = markdown(result)
    assert text.startswith("### ❌ gate failed: ")
    assert "<script" not in text
    assert "<img" not in text
    assert set(re.findall(r"<[^>]*>", text)) == {
        "<details>",
        "<summary>",
        "</summary>",
        "</details>",
    }
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert len(rows) == len(result.findings) + 4
    assert {row.count("|") for row in rows} == {7}
    assert not re.search(r"[@#](?=\w)", re.sub(r"&#\d+;", " ", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain - 1.5 (90 %)", "plain - 1.5 (90 %)"),
        ("a|b", "a&#124;b"),
        ("<b>&amp;", "&#60;b&#62;&#38;&#8203;amp;"),
        ("@me #1", "@&#8203;me #&#8203;1"),
        ("`x` *y* [z](u)", "&#96;x&#96; &#42;y&#42; &#91;z&#93;(u)"),
        ("https://a.b www.c.d", "https&#58;//a.b www.&#8203;c.d"),
    ],
)
def test_cells(text: str, expected: str) -> None:
    assert cell(text) == expected


def test_a_passed_gate_folds_its_rows_away(tmp_path: Path) -> None:
    text = '[[rules]]\nmetric = "mae"\nattribute = "gender"\nmargin = 2\n'
    found = markdown(judged(by_gender("mae", 5.0, 4.0), policy(tmp_path, text)))
    assert found.startswith("### ✅ gate passed: 1 finding\n")
    assert found.index("<details>") < found.index("| ✅ PASS | mae by gender")


def test_lines_of_a_diff_are_single_and_harmless(tmp_path: Path) -> None:
    from audit.diff import diff

    old = record([metric("mae", {"gender": name}, 6.0) for name in HOSTILE])
    new = record([metric("mae", {"gender": name}, 7.0) for name in HOSTILE[::2]])
    found = list(lines(diff(old, new)))
    assert all(len(text.splitlines()) == 1 for text in found)
    assert not re.search(r"[\x00-\x1f\x7f\u202a-\u202e]", "".join(found))
    assert list(lines(diff(old, old))) == ["the records say the same"]

"""A gate as JUnit XML: a test suite for every rule, a test case for every row that it judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from audit.findings import Finding, GateResult
from reports.format import plain
from reports.gate.words import because, bound, subject, value

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: GateResult) -> str:
    """The XML text. A warning passes, with its reason as output; a skipped row is skipped."""
    root = ET.Element("testsuites", _counts("hae-audit gate", result.findings))
    by_rule: dict[int, list[Finding]] = {}
    for finding in result.findings:
        by_rule.setdefault(finding.index, []).append(finding)
    for findings in by_rule.values():
        name = findings[0].rule
        suite = ET.SubElement(root, "testsuite", _counts(name, findings))
        suite.set("skipped", str(_count(findings, "skipped")))
        for finding in findings:
            suite.append(_case(finding))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(finding: Finding) -> ET.Element:
    case = ET.Element(
        "testcase", {"name": _text(subject(finding)), "classname": _text(finding.rule)}
    )
    told = _text(because(finding))
    if finding.outcome == "skipped":
        ET.SubElement(case, "skipped").text = told
    elif finding.outcome == "failed":
        kind = "inconclusive" if finding.verdict in {None, "inconclusive"} else finding.verdict
        failure = ET.SubElement(case, "failure", {"message": told, "type": kind})
        failure.text = _text(f"{value(finding)}, {bound(finding)}")
    else:
        output = ET.SubElement(case, "system-out")
        output.text = _text(f"{value(finding)}, {bound(finding)}: {because(finding)}")
    return case


def _counts(name: str, findings: Sequence[Finding]) -> dict[str, str]:
    failures = str(_count(findings, "failed"))
    return {
        "name": _text(plain(name)),
        "tests": str(len(findings)),
        "failures": failures,
        "errors": "0",
    }


def _count(findings: Sequence[Finding], outcome: str) -> int:
    return sum(finding.outcome == outcome for finding in findings)


def _text(text: str) -> str:
    """A line without characters that XML 1.0 does not know."""
    return _NO_XML.sub("\ufffd", text)

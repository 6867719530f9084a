"""The short answer of ``evaluate`` at a terminal: verdicts, gates, and what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.result import AuditResult
from hae.cli.terminal import print_summary
from tests.reports.records import age_record


def said(record: AuditResult, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed, as one line: how it is folded depends on the terminal."""
    print_summary(record, Path("run"))
    return " ".join(capsys.readouterr().out.split())


def gated(target: float | None = None, **every: Any) -> AuditResult:
    raw = age_record().model_dump(by_alias=True)
    base = next(r for r in raw["metrics"] if r["metric"] == "mae" and not r["group"])
    fpr = {"metric": "gate_fpr", "class": "18:25", "value": 0.0625, "low": 0.04, "high": 0.09}
    fnr = {"metric": "gate_fnr", "class": "18:25", "value": None, "low": None, "high": None,
           "note": "no_adults"}  # fmt: skip
    raw["metrics"] += [base | {"n": 321} | row for row in (fpr, fnr)]
    raw["spec"] |= {"gates": ["18:25"], "gate_target": target}
    if target is not None:
        row = {"metric": "challenge_age_every_group", "class": "18", "low": None, "high": None}
        raw["metrics"].append(base | row | every)
    return AuditResult.model_validate(raw)


def test_a_verdict_stands_under_its_difference(capsys: pytest.CaptureFixture[str]) -> None:
    record = age_record()
    gap = next(g for g in record.gaps if (g.kind, g.metric) == ("worst_minus_best", "mae"))
    text = said(record, capsys)
    assert "verdict at ±0.50" in text
    assert gap.verdict
    assert text.count(gap.verdict) >= 1
    assert "gate" not in text.replace("gate_", "")


def test_without_a_margin_there_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    record = age_record()
    gaps = [g.model_copy(update={"verdict": None, "margin": None}) for g in record.gaps]
    text = said(record.model_copy(update={"gaps": gaps}), capsys)
    assert "verdict" not in text
    assert "inconclusive" not in text


def test_both_errors_of_a_gate_or_why_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(gated(), capsys)
    assert "gate 18:25: too young and passed 0.062 [0.040, 0.090] (n 321)" in text
    assert "of age and stopped not known: nobody of the group is known to be of the legal" in text
    assert "legal age 18:" not in text
    assert "challenge age" not in text


def test_the_challenge_age_that_keeps_to_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(gated(0.05, value=28.0, note="descriptive"), capsys)
    assert "legal age 18: From a challenge age of 28 years on, at most 0.050 of those" in text
    text = said(gated(0.05, value=None, note="target_not_reached: female"), capsys)
    assert "No challenge age is shown to keep every group to at most 0.050" in text
    assert "(female)" in text

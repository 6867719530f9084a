"""What a report says of a policy and of the margins that it states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit.rows import PairGap
from reports.blocks import Facts
from reports.sections import methods
from reports.words import verdict_words
from tests.audit.gate_records import by_gender, gap, metric, policy, record


@pytest.mark.parametrize(
    ("kind", "margin", "unit", "words"),
    [
        ("difference", 0.5, "years", "stated margin of ±0.50 years."),
        ("difference", 0.05, "share", "stated margin of ±0.050."),
        ("ratio", 1.25, "years", "stated margin of 0.800 to 1.250."),
    ],
)
def test_a_margin_in_words(kind: str, margin: float, unit: str, words: str) -> None:
    content = gap("mae", "f", "m", 1.0, 0.1, kind, margin=margin, verdict="inconclusive")
    assert verdict_words(PairGap.model_validate(content), unit).endswith(words)


def facts(result: Any) -> dict[str, str]:
    blocks = [block for block in methods.build(result).blocks if isinstance(block, Facts)]
    return dict(blocks[0].facts)


def test_methods_name_the_policy(tmp_path: Path) -> None:
    text = """
    name = "<b>release</b>"
    date = 2026-01-31
    [[rules]]
    metric = "mae"
    attribute = "gender"
    margin = 0.5
    [[rules]]
    metric = "mae"
    limit = 6
    """
    declared = policy(tmp_path, text)
    rows = [metric("mae", {}, 4.0)]
    found = facts(record(rows, spec={"policy": declared.info().model_dump()}))
    assert found["margins"] == "those of the policy"
    assert found["policy"] == (
        f"<b>release</b>, declared 2026-01-31, SHA-256 {declared.sha256}; "
        "mae by gender: margin 0.5; mae: limit 6"
    )
    assert "policy" not in facts(by_gender("mae", 5.0, 4.0))

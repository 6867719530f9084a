"""``--publish-min``: what is written and printed no longer names a small group's numbers."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from tests.cli.running import FEW, Command, refused


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """2 of 90 people are of race c, and wrong by 17.25 years."""
    people = range(90)
    race = ["c" if i < 2 else "b" if i < 30 else "a" for i in people]
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in people],
            "age": [20 + i % 40 for i in people],
            "age_pred": [
                20 + i % 40 + (17.25 if r == "c" else 1 + i % 3)
                for i, r in zip(people, race, strict=True)
            ],
            "gender": ["woman" if i % 2 else "man" for i in people],
            "race": race,
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_evaluate_and_report_hide_small_groups(
    hae_audit: Command, tmp_path: Path, table: Path
) -> None:
    by = ("--predictions", table, "--by", "race", "--by", "gender,race", *FEW)
    assert hae_audit("evaluate", *by, "--out", "full").returncode == 0
    done = hae_audit("evaluate", *by, "--out", "few", "--publish-min", 5)
    assert done.returncode == 0, done.stderr
    assert "17.25" not in done.stdout
    seen = AuditResult.read(tmp_path / "few/audit.json")
    assert seen.spec.publish_min == 5
    hidden = {row.group["race"] for row in seen.metrics
              if row.note == "suppressed" and len(row.group) == 1}  # fmt: skip
    assert hidden == {"b", "c"}
    page = (tmp_path / "few/report.html").read_text(encoding="utf-8")
    assert "17.25" not in page
    assert "17.25" in (tmp_path / "full/report.html").read_text(encoding="utf-8")
    done = hae_audit("report", "full/audit.json", "--publish-min", 5, "--out", "again.html")
    assert done.returncode == 0, done.stderr
    again = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert "17.25" not in again
    line = refused(hae_audit("report", "few/audit.json", "--publish-min", 6))
    assert "--publish-min 6" in line
    assert "start from the full one" in line

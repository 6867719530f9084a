"""``hae-audit recalibrate``: what it writes, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from audit import AuditResult
from audit.comparison import Comparison
from tests.audit.frames import age_table, expression_table, metric
from tests.cli.running import Command


def test_temperature_before_and_after(hae_audit: Command, tmp_path: Path) -> None:
    expression_table(1, 300).to_csv("faces.csv", index=False)
    done = hae_audit(
        "recalibrate", "faces.csv", "--by", "gender", "--n-boot", "100", "--out", "out"
    )
    assert done.returncode == 0, done.stderr
    assert "confidence_bias" in done.stdout
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "after", "before", "comparison.json", "recalibration.json",
    ]  # fmt: skip
    before, after = (AuditResult.read(Path("out") / s / "audit.json") for s in ("before", "after"))
    assert after.run.model == "faces, temperature recalibrated"
    assert abs(metric(after, "confidence_bias").value) < metric(before, "confidence_bias").value
    people = pd.read_parquet("out/after/predictions.parquet")["subject_id"].nunique()
    fitted = json.loads(Path("out/recalibration.json").read_text())
    assert 100 < people < 200
    assert fitted["n_subjects_fit"] <= 300 - people
    found = Comparison.read(Path("out/comparison.json"))
    change = [r for r in found.paired if r.metric == "confidence_bias" and r.group == {}]
    expected = metric(after, "confidence_bias").value - metric(before, "confidence_bias").value
    assert abs(change[0].value - expected) < 1e-12
    again = hae_audit("recalibrate", "faces.csv", "--use", "out/recalibration.json", "--json",
                      "--by", "gender", "--n-boot", "0", "--out", "again")  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == fitted


def test_conformal_by_group_of_a_table_without_ids(hae_audit: Command) -> None:
    table = age_table(2, 300, failures=False).drop(columns="sample_id")
    table.to_csv("ages.csv", index=False)
    done = hae_audit("recalibrate", "ages.csv", "--method", "conformal", "--groups", "gender",
                     "--level", "80", "--by", "gender", "--n-boot", "0")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "stated_coverage_80" in done.stdout
    result = AuditResult.read(Path("runs/ages-conformal/after/audit.json"))
    assert 0.6 < metric(result, "stated_coverage_80").value < 0.95


def test_refusals_are_one_line(hae_audit: Command) -> None:
    expression_table(1, 20).to_csv("few.csv", index=False)
    done = hae_audit("recalibrate", "few.csv")
    assert done.returncode == 2
    assert "people to fit on, at least 30 are needed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    done = hae_audit("recalibrate", "few.csv", "--use", "none.json")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)

"""``--pairs all``: every pair as CSV, the record keeps the largest."""

from __future__ import annotations

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from audit import AuditResult
from hae.cli.app import app


def test_all_pairs_go_to_csv(tmp_path):
    rng = np.random.default_rng(0)
    n, groups = 600, 15
    age = rng.uniform(20, 60, n).round(1)
    frame = pd.DataFrame(
        {
            "sample_id": [f"f{i}" for i in range(n)],
            "age": age,
            "age_pred": (age + rng.normal(0, 5, n)).round(1),
            "site": [f"site {i % groups:02d}" for i in range(n)],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "out"
    command = ["evaluate", "--predictions", str(tmp_path / "t.csv"), "--task", "age"]
    command += ["--by", "site", "--pairs", "all", "--n-boot", "0", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out / "gaps.csv")
    pairs = table[(table["metric"] == "mae") & (table["kind"] == "difference")]
    assert len(pairs) == groups * (groups - 1) // 2
    record = AuditResult.read(out / "audit.json")
    listed = [g for g in record.gaps if g.metric == "mae" and g.kind == "difference"]
    assert len(listed) == 20
    largest = pairs["value"].abs().sort_values(ascending=False).head(20)
    assert np.allclose(sorted(abs(g.value) for g in listed), sorted(largest))
    assert [w.code for w in record.warnings].count("gaps_truncated") == 1

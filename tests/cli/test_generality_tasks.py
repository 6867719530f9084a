"""A grid of two tasks: a record and a page of each."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from audit.generality.record import Generality
from tests.cli.running import Command, refused
from tests.hae.training.toys import write_faces

GRID = """
backbones = ["small_resnet"]
aggregators = ["mean", "max"]
tasks = ["age", "expression"]
ks = [2]
seeds = [0]
stored_views = 8
stage_one = 4
[base]
steps = 4
batch_size = 8
validate_every = 4
[base.optimizer]
name = "adamw"
lr = 1e-3
warmup = 2
[base.model]
size = 16
embedding = 8
[base.model.head]
hidden = 8
[base.model.views]
k = 2
"""
SAYS = ["--by", "group", "--min-n", 2, "--n-boot", 50, "--first-split", "first", "--out", "run"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Faces of 40 people in four parts; the bright ones are neutral."""
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    path = write_faces(tmp_path / "faces", people=40, photos=1, size=16)
    frame = pd.read_csv(path)
    number = frame["subject_id"].str[1:].astype(int)
    frame["split"] = (number // 2 % 4).map(dict(enumerate(("train", "val", "test", "first"))))
    frame["expression"] = (frame["age"] > 40).map({True: "neutral", False: "anger"})
    frame.to_csv(path, index=False)
    return path


def test_each_task_has_a_record_and_a_page(hae_audit: Command, table: Path, tmp_path: Path) -> None:
    ask = ["generality", "--config", "grid.toml", "--data", f"manifest:{table}", *SAYS]
    told = refused(hae_audit(*ask, "--margin", "maee=1"))
    assert "--margin maee: no such metric" in told
    done = hae_audit(*ask, "--margin", "accuracy=0.05", "--margin", "mae=1", "--json")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("cell ")]
    assert lines[2].startswith("cell 3 of 4: small_resnet-mean-scn-k2-s0: accuracy ")
    ages, moods = json.loads(done.stdout)["tasks"]
    assert (ages["task"], ages["metric"]) == ("age", "mae")
    assert (moods["task"], moods["metric"]) == ("expression", "accuracy")
    assert list(moods["files"]) == ["generality-expression.json", "generality-expression.html"]
    age, mood = (
        Generality.read(tmp_path / f"run/generality-{t}.json") for t in ("age", "expression")
    )
    assert (age.spec.margins, mood.spec.margins) == ({"mae": 1.0}, {"accuracy": 0.05})
    assert {cell.task for cell in mood.cells} == {"expression"}
    everyone = next(row for row in mood.gains if row.metric == "accuracy" and not row.group)
    own = {cell.aggregator: cell.metrics["accuracy"] for cell in mood.cells}
    assert everyone.value == pytest.approx(own["max"] - own["mean"])
    assert "small_resnet learned ages in 4 steps" in (mood.spec.training or "")
    page = (tmp_path / "run/generality-expression.html").read_text(encoding="utf-8")
    assert "Facial expression: does it hold on every backbone" in page
    assert 'data-file="generality-expression.json"' in page
    assert not (tmp_path / "run/generality.json").exists()

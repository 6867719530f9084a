"""``compare`` as a person runs it: tables and folders, refusals, files, the page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.comparison import Comparison
from tests.cli.running import FEW, Command, names_in, refused


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Two runs on 80 faces: the second errs 1 year less for women and 1 more for men."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "sample_id": [f"s{i}" for i in range(80)], "age": [20 + i % 40 for i in range(80)],
        "gender": ["woman" if i % 2 else "man" for i in range(80)],
    })  # fmt: skip
    woman = frame["gender"] == "woman"
    for name, error in (("old", np.where(woman, 3, 1)), ("new", np.where(woman, 2, 2))):
        shown = (frame["age"] + error + rng.normal(0, 0.2, 80)).round(3)
        frame.assign(age_pred=shown).to_csv(tmp_path / f"{name}.csv", index=False)
    return [tmp_path / "old.csv", tmp_path / "new.csv"]


def test_tables_are_compared(hae_audit: Command, tmp_path: Path, tables: list[Path]) -> None:
    done = hae_audit("compare", *tables, "--by", "gender", *FEW, "--n-boot", 60, "--out", "o")
    assert done.returncode == 0, done.stderr
    assert "for these checkpoints; training randomness is not included" in done.stdout
    assert "narrower" in done.stdout
    assert names_in(tmp_path / "o") == ["comparison.html", "comparison.json"]
    result = Comparison.read(tmp_path / "o/comparison.json")
    gap = next(row for row in result.gaps if row.kind == "worst_minus_best" and row.metric == "mae")
    assert (gap.a, gap.b) == ({"gender": "woman"}, {"gender": "man"})
    assert gap.value_a == pytest.approx(2, abs=0.15)
    assert gap.value_b == pytest.approx(0, abs=0.15)
    assert gap.verdict == "narrower"
    assert [file.name for run in result.runs for file in run.run.files] == ["old.csv", "new.csv"]
    assert result.command is not None
    assert result.command.startswith("hae-audit compare")
    assert str(tmp_path) not in result.to_json().replace(result.command, "")


def test_json_summary_is_all_of_stdout(hae_audit: Command, tables: list[Path]) -> None:
    done = hae_audit("compare", *tables, "--by", "gender", "--n-boot", 60, "--json", "--margin",
                     "mae=3")  # fmt: skip
    summary = json.loads(done.stdout)
    assert summary["baseline"] == "old"
    assert summary["overall"][0]["verdict"] == "equivalent"
    assert summary["largest_gaps"][0]["verdict"] == "unchanged"
    assert summary["files"]["comparison.html"] == "runs/comparison/comparison.html"


def test_folders_of_evaluate_and_the_comparison_that_it_writes(
    hae_audit: Command, tmp_path: Path, tables: list[Path]
) -> None:
    done = hae_audit("evaluate", "--predictions", tables[0], "--predictions", tables[1], "--by",
                     "gender", *FEW, "--out", "o")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "comparison: o/comparison.html" in done.stdout
    assert names_in(tmp_path / "o") == ["comparison.html", "comparison.json", "new", "old"]
    again = hae_audit("compare", "o/old", "o/new", *FEW, "--out", "c")
    assert again.returncode == 0, again.stderr
    first, second = (Comparison.read(tmp_path / at / "comparison.json") for at in "oc")
    # the attributes are those of the audits
    assert second.spec.combinations == [["gender"]]
    assert [row.model_dump() for row in first.paired] == [row.model_dump() for row in second.paired]
    by_table = hae_audit("compare", tables[0], "o/new", "--by", "gender", *FEW, "--out", "t")
    assert by_table.returncode == 0, by_table.stderr


def test_models_of_different_faces_are_audited_and_not_compared(
    hae_audit: Command, tmp_path: Path, tables: list[Path]
) -> None:
    frame = pd.read_csv(tables[1], dtype=str)
    frame.assign(sample_id="z" + frame["sample_id"]).to_csv(tables[1], index=False)
    done = hae_audit("evaluate", "--predictions", tables[0], "--predictions", tables[1], *FEW,
                     "--out", "o")  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.startswith("hae-audit: no comparison: old and new: share 0 of 160 faces")
    assert names_in(tmp_path / "o") == ["new", "old"]


def test_a_condition_holds_for_the_tables_that_have_its_column(
    hae_audit: Command, tmp_path: Path, tables: list[Path]
) -> None:
    frame = pd.read_csv(tables[1], dtype=str)
    frame.assign(conf=["0"] * 5 + ["1"] * 75).to_csv(tables[1], index=False)
    done = hae_audit("compare", *tables, "--failed-when", "conf == 0", *FEW, "--out", "o")
    assert done.returncode == 0, done.stderr
    runs = Comparison.read(tmp_path / "o/comparison.json").runs
    assert [run.n_failed for run in runs] == [0, 5]


def test_seeds_of_a_setting(hae_audit: Command, tmp_path: Path, tables: list[Path]) -> None:
    frame = pd.read_csv(tables[1])
    names = []
    for seed in range(5):
        shown = frame["age_pred"] + np.random.default_rng(seed).normal(0.1 * seed, 0.3, 80)
        frame.assign(age_pred=shown).to_csv(tmp_path / f"s{seed}.csv", index=False)
        names.append(tmp_path / f"s{seed}.csv")
    done = hae_audit("compare", tables[0], *names, "--seeds-of", "new=s0,s1,s2,s3,s4", "--by",
                     "gender", "--n-boot", 0, "--out", "o")  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = Comparison.read(tmp_path / "o/comparison.json")
    assert result.spec.settings == {"new": ["s0", "s1", "s2", "s3", "s4"]}
    assert {row.against for row in result.seeds} == {None, "old"}
    assert "SD between seeds" in (tmp_path / "o/comparison.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["old.csv"], "one run alone; give at least two"),
        (["old.csv", "none"], "none: no such file or folder"),
        (["old.csv", "old.csv"], "two inputs are called"),
        (["old.csv", "."], "has no predictions.parquet; give a folder that evaluate wrote"),
        (["old.csv", "broken.csv"], "broken.csv: no column 'age'"),
        (["old.csv", "cut.parquet"], "cut.parquet: is no readable Parquet"),
        (["old.csv", "new.csv", "--baseline", "x"], "--baseline x: no such run; choose one of old"),
        (["old.csv", "new.csv", "--margin", "mea=1"], "--margin mea: no such metric"),
        (["old.csv", "new.csv", "--by", "race"], "--by race: no such column; the table has gender"),
        (["old.csv", "new.csv", "--failed-when", "c == 0"], "no table has a column 'c'"),
        (["old.csv", "new.csv", "--failed-when", "c"], "must be one comparison such as"),
        (["old.csv", "new.csv", "--seeds-of", "s=old,new"], "2 runs; at least 5 seeds"),
        (["old.csv", "new.csv", "--out", "old.csv"], "old.csv is a file; give a folder"),
        (["old.csv", "changed.csv"], "sample_id 's3': age is 23 in old.csv and 99 in changed.csv"),
        (["old.csv", "faces.csv"], "only runs of one task can be compared"),
    ],
)
def test_bad_input_is_one_line(
    hae_audit: Command, tmp_path: Path, tables: list[Path], arguments: list[str], message: str
) -> None:
    (tmp_path / "broken.csv").write_text("x\n1\n", encoding="utf-8")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    frame = pd.read_csv(tables[0])
    frame.loc[3, "age"] = 99
    frame.to_csv(tmp_path / "changed.csv", index=False)
    frame.assign(expression="sad", expression_pred="sad").drop(
        columns=["age", "age_pred"]
    ).to_csv(tmp_path / "faces.csv", index=False)  # fmt: skip
    before = names_in(tmp_path)
    assert message in refused(hae_audit("compare", *arguments, "--n-boot", 0))
    assert names_in(tmp_path) == before


def test_wrong_usage(hae_audit: Command) -> None:
    for arguments in (["compare"], ["compare", "a", "b", "--missing", "none"]):
        done = hae_audit(*arguments)
        assert done.returncode == 2
        assert "Usage: hae-audit compare" in done.stderr


def test_schema(hae_audit: Command) -> None:
    schema = json.loads(hae_audit("schema", "comparison").stdout)
    assert {"paired", "gaps", "runs", "pareto"} <= set(schema["properties"])
    words = schema["$defs"]["PairedRow"]["properties"]["verdict"]["anyOf"][0]["enum"]
    assert words == ["a better", "b better", "equivalent", "inconclusive"]

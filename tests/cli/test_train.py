"""``train age`` as a person runs it: exit codes, one-line errors, files."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch

from hae.cli import main
from hae.cli.training import LOCK
from hae.training.fit import RESUME
from hae.training.store import locked
from tests.hae.training.toys import SHORT, write_config, write_faces

SETTINGS = [part for text in SHORT for part in ("--set", text)]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, self.err
        assert not self.out
        lines = [line for line in self.err.splitlines() if "error: " in line]
        assert len(lines) == 1
        assert "Traceback" not in self.err
        return lines[0]


Train = Callable[..., Done]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), people=16, size=16)


@pytest.fixture
def train(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Train:
    """Run ``train age`` in this process on the toy faces, into ``run``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    write_config(tmp_path)

    def run(*arguments: object, data: str = f"manifest:{table}") -> Done:
        words = ["hae-audit", "train", "age", "--data", data, "--config", "tiny.toml"]
        words += ["--out", "run", *SETTINGS, *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Done(code or 0, *capsys.readouterr())

    return run


def test_a_run_and_its_last_words(train: Train, tmp_path: Path) -> None:
    first = train()
    assert first.code == 0, first.err
    assert first.out.startswith("run/model.safetensors: step 6 of 6 was best; ")
    assert "mae " in first.out
    assert first.err.startswith("step 6: validation distance ")
    assert first.err.count("\n") == 1
    before = (tmp_path / "run/model.safetensors").read_bytes()
    again = train()
    assert again.code == 0
    assert again.out == first.out
    assert again.err == (
        "hae-audit: run/model.safetensors: is finished already; give another --out to train again\n"
    )
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    other = train("--set", "seed=4").refused()
    assert "run: holds a run that differs in config.seed; give another --out" in other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "stepz=4"], "tiny.toml and --set: unknown key 'stepz'; did you mean 'steps'?"),
        (["--set", "steps"], "--set 'steps': must be KEY=VALUE, such as model.views.k=4"),
        (["--set", "steps=x"], "tiny.toml and --set: steps: Input should be a valid integer"),
        (
            ["--set", "steps=2"],
            "tiny.toml and --set: optimizer.warmup is 2, must be below steps = 2",
        ),
        (["--split", "a", "--val-split", "a"], "--val-split a: is the training split; give anothe"),
        (["--split", "a"], "the table has no column 'split'"),
        (["--out", "tiny.toml"], "--out tiny.toml: tiny.toml is a file; give a folder"),
        (["--out", "tiny.toml/x"], "--out tiny.toml/x: tiny.toml is a file; give a folder"),
        (["--config", "none.toml"], "none.toml: cannot be read"),
        (["--config", "bad.toml"], "bad.toml: is no TOML: "),
        (["--init", "none.safetensors"], "none.safetensors: cannot be read: No such file"),
        (["--init", "tiny.toml"], "tiny.toml: is truncated or no safetensors file"),
        (["--set", "model.backbone.name=small_resent"], "small_resent"),
        (["--set", "validation=1e-6"], "leaves no validation face"),
        (["--set", "batch_size=64"], "batch_size 64 x 1 devices: there are only"),
        (["--set", "model.head.age_min=79"], "lie outside the head's range [79, inf)"),
        (["--map", "age=group"], "group"),
    ],
)
def test_refusals(train: Train, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "bad.toml").write_text("steps = = 4", encoding="utf-8")
    assert message in train(*arguments).refused()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_refused_run_may_be_mended(train: Train, tmp_path: Path) -> None:
    assert "outside" in train("--set", "model.head.age_min=79").refused()
    assert train().code == 0


def test_bad_data(train: Train, table: Path) -> None:
    frame = pd.read_csv(table)
    path, data = table.with_name("bad.csv"), f"manifest:{table.with_name('bad.csv')}"
    frame.drop(columns="age").to_csv(path, index=False)
    assert "age" in train(data=data).refused()
    frame.assign(split=["a", "b"] * 16).to_csv(path, index=False)
    told = train("--split", "a", "--val-split", "b", data=data).refused()
    assert "bad b: 16 people are in the training split too" in told
    frame.assign(path="none.png", sample_id=range(32)).to_csv(path, index=False)
    assert "images" in train(data=data).refused()


def test_a_wild_rate_is_told(train: Train) -> None:
    told = train("--set", "optimizer.lr=1e30", "--set", "optimizer.name=adamw").refused()
    assert "is not finite at step 6; lower optimizer.lr" in told


def test_a_full_disk(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "model.safetensors" in path.name:
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        told = train().refused()
    assert "run/model.safetensors: cannot be written: No space left on device" in told
    assert (tmp_path / "run" / RESUME).is_file()
    assert train().code == 0


def test_interrupted(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hae.cli.training import Bars

    def press(self: Bars, step: int, figures: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bars, "step", press)
        done = train("--set", "save_every=2")
    assert done.code == 130
    assert "interrupted; the same command goes on from the last saved step" in done.err
    assert "Traceback" not in done.err
    assert train("--set", "save_every=2").code == 0


def test_two_processes_in_one_folder(train: Train, tmp_path: Path) -> None:
    with locked(tmp_path / "run" / LOCK):
        assert "run: another process is at work there; wait for its end, or" in train().refused()
    assert train().code == 0
    assert not (tmp_path / "run" / LOCK).exists()


def test_one_person_held_out_has_figures_without_an_interval(train: Train) -> None:
    done = train("--set", "batch_size=4", data="rendered:people=3")
    assert "bias " in done.out
    assert "(no interval)" in done.out
    assert "of 1 people" in done.out


def test_people_without_names_are_told(train: Train, table: Path) -> None:
    plain = table.with_name("plain.csv")
    pd.read_csv(table).drop(columns="subject_id").to_csv(plain, index=False)
    done = train(data=f"manifest:{plain}")
    assert done.code == 0
    assert "plain: 32 of 32 faces have no subject_id and count as a person each" in done.err


def test_more_devices_than_there_are(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    told = train("--devices", 2).refused()
    assert "--devices 2: this machine has 1 GPU; give at most 1" in told

"""A run that was stopped goes on as if it had not been."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from safetensors.torch import load_file

from audit.errors import InputError
from hae.cli.training import order_of
from hae.config import CHECKPOINT
from hae.training import train_age as train_module
from hae.training.callbacks import Saving
from hae.training.fit import BEST, LOGS, RESUME
from hae.training.run import CACHE
from hae.training.train_age import train_age
from tests.hae.training.toys import SHORT, Told, order, write_config, write_faces

LIMIT = 120
ADAMW = (*SHORT, "optimizer.name=adamw")
EMBEDDED = (*SHORT, "model.backbone.frozen=true", "embed_views=4", "save_every=1")
RANGER = (*SHORT, "steps=16", "validate_every=16", "save_every=1", "accumulate=2")
"""Ranger's slow weights take over at steps 6 and 12; dropout is 0.3, and small_resnet and the
aggregator have BatchNorm."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), people=16, size=16)


class Stop(Told):
    """Ends the run by an error when it saves a step, before or after the file is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int, *, after: bool) -> None:
        super().__init__()
        ended = Saving.on_train_batch_end

        def stop(self: Saving, trainer: Trainer, *rest: object) -> None:
            if trainer.global_step == step and not after:
                raise StoppedError
            ended(self, trainer, *rest)  # type: ignore[arg-type]
            if trainer.global_step == step:
                raise StoppedError

        monkeypatch.setattr(Saving, "on_train_batch_end", stop)


class StoppedError(Exception):
    """In place of a loss of power."""


def same(a: Path, b: Path) -> bool:
    first, second = load_file(a / CHECKPOINT), load_file(b / CHECKPOINT)
    assert first.keys() == second.keys()
    equal = all(torch.equal(first[name], second[name]) for name in first)
    assert equal == ((a / CHECKPOINT).read_bytes() == (b / CHECKPOINT).read_bytes())
    return equal


@pytest.fixture(scope="module")
def whole(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Path]:
    """Runs that were not stopped."""
    done = {}
    for settings in (ADAMW, EMBEDDED, RANGER):
        out = tmp_path_factory.mktemp("whole") / "run"
        train_age(order(table, out, *settings), Told())
        done[settings] = out
    return done


@pytest.mark.parametrize(
    ("settings", "step", "after"),
    [
        (ADAMW, 2, True),
        (ADAMW, 3, True),  # saved at 2, stopped at 3
        (ADAMW, 6, True),  # all steps are done, the checkpoint is not there
        (ADAMW, 2, False),  # nothing saved
        (RANGER, 5, True),
        (RANGER, 6, True),
        (RANGER, 13, False),
        (EMBEDDED, 4, True),
    ],
)
def test_a_stopped_run_ends_like_the_others(
    table: Path,
    tmp_path: Path,
    whole: dict[tuple[str, ...], Path],
    settings: tuple[str, ...],
    step: int,
    after: bool,
) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *settings), Stop(patch, step, after=after))
    assert not (tmp_path / "b" / CHECKPOINT).exists()
    told = Told()
    train_age(order(table, tmp_path / "b", *settings), told)
    assert same(whole[settings], tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        LOGS,
        CHECKPOINT,
        "run.json",
    ]
    if settings is EMBEDDED:
        assert not any("stopped" in text for text in told.notices)


def test_a_run_stopped_twice(
    table: Path, tmp_path: Path, whole: dict[tuple[str, ...], Path]
) -> None:
    for step in (3, 9):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
            train_age(order(table, tmp_path / "b", *RANGER), Stop(patch, step, after=False))
    train_age(order(table, tmp_path / "b", *RANGER), Told())
    assert same(whole[RANGER], tmp_path / "b")


def test_the_best_of_both_parts_is_kept(table: Path, tmp_path: Path) -> None:
    settings = (*SHORT, "optimizer.name=adamw", "validate_every=1", "save_every=1")
    train_age(order(table, tmp_path / "a", *settings), Told())
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *settings), Stop(patch, 4, after=True))
    train_age(order(table, tmp_path / "b", *settings), Told())
    assert same(tmp_path / "a", tmp_path / "b")


def test_logs_of_both_parts_stay(table: Path, tmp_path: Path) -> None:
    settings = (*SHORT, "steps=24", "validate_every=12", "save_every=11")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *settings), Stop(patch, 11, after=True))
    train_age(order(table, tmp_path / "b", *settings), Told())
    first = (tmp_path / "b" / LOGS / "from-step-0000000" / "metrics.csv").read_text().split()
    second = (tmp_path / "b" / LOGS / "from-step-0000011" / "metrics.csv").read_text().split()
    assert "train/total" in first[0]
    assert [line.split(",")[1] for line in first[1:]] == ["9"]  # the tenth step
    assert [line.split(",")[1] for line in second[1:]] == ["12", "19", "24"]
    assert "validation/distance" in second[0]


def test_a_run_stopped_before_it_saved_may_change(table: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *ADAMW), Stop(patch, 2, after=False))
    train_age(order(table, tmp_path / "b", *ADAMW, "seed=1"), Told())
    assert (tmp_path / "b" / CHECKPOINT).is_file()


def test_another_config_may_not_go_on(table: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *ADAMW), Stop(patch, 2, after=True))
    before = (tmp_path / "b" / RESUME).read_bytes()
    with pytest.raises(InputError, match=r"differs in config\.optimizer\.lr, config\.seed; give"):
        train_age(order(table, tmp_path / "b", *ADAMW, "seed=1", "optimizer.lr=1"), Told())
    assert (tmp_path / "b" / RESUME).read_bytes() == before


def test_a_run_of_an_older_version_goes_on(table: Path, tmp_path: Path) -> None:
    """Keys that its file lacks had the values that are their defaults now."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *ADAMW), Stop(patch, 2, after=True))
    path = tmp_path / "b" / "run.json"
    written = json.loads(path.read_text())
    for key in ("task", "devices", "init", "weights"):
        del written[key]
    del written["config"]["view_seed"], written["config"]["model"]["aggregator"]["partner"]
    path.write_text(json.dumps(written))
    for key, value in (("view_seed", 3), ("model.aggregator.cells", 5)):
        with pytest.raises(InputError, match=f"differs in config.{key}; give"):
            train_age(order(table, tmp_path / "b", *ADAMW, f"{key}={value}"), Told())
    told = Told()
    train_age(order(table, tmp_path / "b", *ADAMW), told)
    assert told.steps[0][0] > 2


@pytest.mark.parametrize("cut", [0, 100, -1000])
def test_a_damaged_file_to_go_on_from(table: Path, tmp_path: Path, cut: int) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(StoppedError):
        train_age(order(table, tmp_path / "b", *ADAMW), Stop(patch, 2, after=True))
    resume = tmp_path / "b" / RESUME
    resume.write_bytes(resume.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"resume\.ckpt: cannot be read .*; delete it to begin"):
        train_age(order(table, tmp_path / "b", *ADAMW), Told())


def test_stopped_between_the_checkpoint_and_tidying_up(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "close_run", stop)
        with pytest.raises(StoppedError):
            train_age(order(table, tmp_path / "b", *ADAMW), Told())
    written = (tmp_path / "b" / CHECKPOINT).read_bytes()
    (tmp_path / "b" / f".{RESUME}.1.tmp").write_text("half")
    told = Told()
    train_age(order(table, tmp_path / "b", *ADAMW), told)
    assert not told.notices
    assert not told.steps
    assert (tmp_path / "b" / CHECKPOINT).read_bytes() == written
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == [
        LOGS,
        CHECKPOINT,
        "run.json",
    ]


@pytest.mark.parametrize("name", [RESUME, BEST])
def test_a_full_disk_while_saving(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if name in path.name:
            write(path, content[:100])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=rf"{name}: cannot be written: No space left"):
        train_age(order(table, tmp_path / "b", *ADAMW), Told())
    left = {path.name for path in (tmp_path / "b").iterdir()}
    assert left <= {"run.json", LOGS, CACHE, RESUME} - {name}


def test_ctrl_c_is_a_keyboard_interrupt(
    table: Path, tmp_path: Path, whole: dict[tuple[str, ...], Path]
) -> None:
    class Pressed(Told):
        def step(self, step: int, figures: object) -> None:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_age(order(table, tmp_path / "b", *ADAMW), Pressed())
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "b" / BEST).is_file()
    train_age(order(table, tmp_path / "b", *ADAMW), Told())
    assert same(whole[ADAMW], tmp_path / "b")


def test_a_run_says_nothing_of_its_loop(
    table: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train_age(order(table, tmp_path / "b", *EMBEDDED), Told())
    assert capfd.readouterr() == ("", "")


def command(data: str, config: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "hae.cli", "train", "age", "--data", data,
        "--config", str(config), "--out", str(out), "--set", "validate_every=24",
        "--set", "accumulate=2",
    ]  # fmt: skip


def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    """kill -9 at a random moment, then the same command: the same bytes."""
    table = write_faces(tmp_path / "faces")
    config = write_config(tmp_path)
    settings = ["validate_every=24", "accumulate=2"]
    data, a, b = f"manifest:{table}", tmp_path / "a", tmp_path / "b"
    train_age(order_of(data, None, None, None, config, settings, a, None, None, 1), Told())
    pause = random.Random().uniform(0, 0.5)  # any moment of the steps that are left will do
    with subprocess.Popen(command(data, config, b)) as process:
        deadline = time.monotonic() + LIMIT
        resume = b / RESUME
        while not resume.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(pause)
        process.kill()
    step = torch.load(resume, weights_only=True)["global_step"] if resume.exists() else "none"
    told = f"killed {pause:.3f} s after the first save, the last saved step is {step}"
    assert process.returncode == -signal.SIGKILL, told
    assert not (b / CHECKPOINT).exists(), told
    second = subprocess.run(command(data, config, b), capture_output=True, text=True, timeout=LIMIT)
    assert second.returncode == 0, told + second.stderr
    assert same(a, b), told
    assert second.stdout.startswith(f"{b / CHECKPOINT}: step 24 of 24 was best; "), told

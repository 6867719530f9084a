"""A preset as a person runs it, made small: drawn faces, shipped backbones, killed and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.generality.record import Generality
from hae.cli.gains import FILES
from hae.cli.grid_bars import GridBars
from tests.cli.running import Command, Done
from tests.cli.test_generality import lasting

SMALL = (
    "--data", "rendered:people=140,photos=1,seed=5", "--by", "group", "--min-n", 2, "--n-boot", 20,
    "--set", 'backbones=[{name="small_efficientnet",init="zoo:small-efficientnet"}]',
    "--set", "seeds=[0]", "--set", "base.steps=4",
    "--set", 'aggregators=["mean",{name="san",width=64,cells=4}]',
    "--set", "base.optimizer.warmup=1", "--set", "base.batch_size=16", "--set", "controls=false",
    "--set", "base.validate_every=2", "--set", "base.save_every=2",
)  # fmt: skip


@pytest.fixture
def run(hae_audit: Command) -> Any:
    def go(out: Path) -> Done:
        return hae_audit("generality", "--preset", "quick", *SMALL, "--out", out)

    return go


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


def test_a_preset_runs_with_other_settings(run: Any, kept: Path) -> None:
    done = run(kept / "run")
    assert done.returncode == 0, done.stderr
    result = Generality.read(kept / "run" / FILES[0])
    assert [(c.backbone, c.aggregator) for c in result.cells] == [
        ("small_efficientnet", "mean"),
        ("small_efficientnet", "san"),
    ]
    assert "first weights: small_efficientnet zoo:small-efficientnet" in (
        result.spec.training or ""
    )
    (looked,) = result.attention
    assert (looked.aggregator, looked.over, len(looked.weights)) == ("san", "regions", 16)
    assert sum(looked.weights) == pytest.approx(1, abs=1e-3)
    # drawn faces, so the page has one
    assert len(result.drawn_face) == 32
    page = (kept / "run" / FILES[1]).read_text(encoding="utf-8")
    assert "What they attend to" in page
    assert "the mean of the drawn faces" in page


def test_killed_and_resumed_it_gives_the_same_record(
    run: Any, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GridBars.step

    def press(self: GridBars, at: int, figures: Any) -> None:
        step(self, at, figures)
        if self.done == 1 and at == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GridBars, "step", press)
        assert run(tmp_path / "run").returncode == 130
    assert run(tmp_path / "run").returncode == 0
    assert lasting(tmp_path / "run") == lasting(kept / "run")
    record = json.loads((tmp_path / "run" / FILES[0]).read_text(encoding="utf-8"))
    assert record["run"]["simulated"] is True

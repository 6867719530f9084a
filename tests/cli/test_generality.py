"""``generality`` as a person runs it: a tiny grid, stopped, resumed, spoilt and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from audit.generality.record import Generality
from hae.cli.gains import FILES
from hae.cli.grid_bars import GridBars
from hae.cli.training import LOCK
from hae.generality import cells as cells_module
from hae.generality.folder import SIGN
from hae.generality.run import CELLS
from hae.training.store import locked
from tests.cli.running import Command, Done, refused
from tests.hae.training.toys import write_faces

GRID = """
backbones = ["small_resnet", "test_resnet"]
aggregators = ["mean", { name = "san", width = 8 }]
ks = [2]
seeds = [0]
stored_views = 8
stage_one = 4
controls = false
[base]
steps = 4
batch_size = 8
validate_every = 4
save_every = 2
[base.optimizer]
name = "adamw"
lr = 1e-3
warmup = 2
[base.model]
size = 32
embedding = 8
[base.model.head]
hidden = 8
[base.model.views]
k = 2
"""
TIMES = ("train_seconds", "step_ms", "forward_ms")
Run = Callable[..., Done]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces of 40 people in four parts."""
    path = write_faces(tmp_path_factory.mktemp("faces"), people=40, photos=1, size=32)
    frame = pd.read_csv(path)
    number = frame["subject_id"].str[1:].astype(int)
    # half of a part is of group a, half of b
    frame["split"] = (number // 2 % 4).map(dict(enumerate(("train", "val", "test", "first"))))
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the tests of this file share."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def run(hae_audit: Command, table: Path, tmp_path: Path) -> Run:
    """Run the grid into ``run``, or where it is told."""

    def go(*arguments: object, grid: str = GRID, out: Path = Path("run")) -> Done:
        (tmp_path / "grid.toml").write_text(grid, encoding="utf-8")
        return hae_audit(
            "generality", "--data", f"manifest:{table}", "--first-split", "first", "--config",
            "grid.toml", "--out", out, "--by", "group", "--min-n", 2, "--n-boot", 100, *arguments,
        )  # fmt: skip

    return go


def lasting(path: Path) -> dict[str, Any]:
    """The record without the command, which names the folder, and without times."""
    found: dict[str, Any] = json.loads((path / FILES[0]).read_text(encoding="utf-8"))
    found["run"].pop("command", None)
    for cell in found["cells"]:
        for name in TIMES:
            cell.pop(name, None)
    return found


def test_a_grid_is_run_and_compared(run: Run, kept: Path) -> None:
    done = run(out=kept / "run")
    assert done.returncode == 0, done.stderr
    result = Generality.read(kept / "run" / FILES[0])
    assert [(c.backbone, c.aggregator, c.status) for c in result.cells] == [
        ("small_resnet", "mean", "done"),
        ("test_resnet", "mean", "done"),
        ("small_resnet", "san", "done"),
        ("test_resnet", "san", "done"),
    ]
    assert result.spec.control == "mean"
    assert all(c.memory_mb and c.train_seconds is not None for c in result.cells)
    # the value over everyone is that of the cell's own test faces
    cells = json.loads((kept / "run" / CELLS).read_text())["cells"]
    own = {(c["backbone"], c["aggregator"]): c["metrics"]["mae"] for c in cells}
    for cell in result.cells:
        found = cell.metrics["mae"]
        assert found == pytest.approx(own[cell.backbone, cell.aggregator], abs=1e-3)
    for row in result.gains:
        if row.metric == "mae" and not row.group:
            less = own[row.backbone, row.aggregator] - own[row.backbone, "mean"]
            assert row.value == pytest.approx(less, abs=1e-3)
    assert {tuple(row.group.items()) for row in result.gains} == {
        (), (("group", "a"),), (("group", "b"),),
    }  # fmt: skip
    assert "4 steps on other people, of faces first" in (result.spec.training or "")
    assert "4 steps on other people" in (kept / "run" / FILES[1]).read_text(encoding="utf-8")
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("cell 1 of 4: small_resnet-mean-hierarchical-k2-w1-s0: mae ")
    assert "gain in mean absolute error over mean" in done.stdout
    assert "all: better on" in done.stdout
    # four steps teach nothing, and that is said
    assert [w.code for w in result.warnings if w.code == "weak_control"]


def test_the_same_command_reads_what_was_done(
    run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lasting(kept / "run")
    monkeypatch.setattr(cells_module, "train_age", None)  # must not be asked
    done = run("--json", out=kept / "run")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["metric"], told["control"], told["failed_cells"]) == ("mae", "mean", [])
    assert len(told["gains"]) == 2
    assert len(told["summaries"]) == 1
    assert lasting(kept / "run") == before


def test_stopped_and_resumed_it_gives_the_same_record(
    run: Run, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = GridBars.step

    def press(self: GridBars, at: int, figures: Any) -> None:
        step(self, at, figures)
        if self.done == 1 and at == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GridBars, "step", press)
        done = run()
    assert done.returncode == 130
    assert "interrupted after 1 of 4 cells; the same command goes on" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / FILES[0]).exists()
    assert run().returncode == 0
    assert lasting(tmp_path / "run") == lasting(kept / "run")


def test_failed_cells_are_told_and_the_rest_is_compared(
    run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backbone without regions: its cells that need them fail, the code says so."""
    from hae.backbones.network import Backbone

    def none(self: Backbone, *_: object) -> int:
        raise cells_module.InputError("backbone 'test_resnet': gives no regions")

    worked = cells_module._worked

    def without(cell: Any, *rest: Any) -> dict[str, object]:
        with monkeypatch.context() as patch:
            if cell.backbone.name == "test_resnet":
                patch.setattr(Backbone, "n_regions", none)
            return worked(cell, *rest)

    monkeypatch.setattr(cells_module, "_worked", without)
    done = run(out=kept / "other")
    assert done.returncode == 3, done.stderr
    why = "backbone 'test_resnet': gives no regions"
    reason = f"refused: {why}"
    assert f"cell 4 of 4: test_resnet-san-hierarchical-k2-w1-s0: {reason}" in done.stderr
    assert f"no result: test_resnet/san/0: {reason}" in " ".join(done.stdout.split())
    result = Generality.read(kept / "other" / FILES[0])
    lost = [cell for cell in result.cells if cell.status != "done"]
    assert [(cell.backbone, cell.aggregator) for cell in lost] == [("test_resnet", "san")]
    assert (lost[0].status, lost[0].reason) == ("refused", why)
    assert "no regions" in (kept / "other" / FILES[1]).read_text(encoding="utf-8")
    first = lasting(kept / "run")["cells"]
    assert [c for c in first if c["aggregator"] != "san"] == [
        c for c in lasting(kept / "other")["cells"] if c["aggregator"] != "san"
    ]


def test_another_grid_into_the_same_folder(run: Run, kept: Path) -> None:
    before = (kept / "run" / FILES[0]).read_bytes()
    told = refused(run("--set", "base.steps=6", out=kept / "run"))
    assert "run: holds a grid that differs in base; give another --out" in told
    assert (kept / "run" / FILES[0]).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (('"mean"', '"meen"'), [], "grid.toml: aggregators.0.name: Input should be 'mean', "),
        (('"test_resnet"', '"test_resnt"'), [], "'test_resnt': timm has no such network; near nam"),
        (
            (
                '"test_resnet"',
                '{ name = "efficientnet_lite0", init = "package:efficientnet-lite0" }',
            ),
            [],
            "name the backbone tf_efficientnet_lite0",
        ),
        (("stage_one", "stage_onee"), [], "unknown key 'stage_onee'; did you mean 'stage_one'?"),
        (('"mean"', '"mean", "mean"'), [], "aggregators: one is named twice"),
        (('"mean"', '"mean", "san"'), [], "aggregators: two have one name"),
        (('"mean"', '"max"'), [], "has neither mean nor single to compare with; add one"),
        (None, ["--control", "sann"], "--control sann: no such aggregator in the grid; did you m"),
        (None, ["--by", "groop"], "groop"),
        (None, ["--margin", "maee=1"], "maee"),
        (None, ["--test-split", "val"], "--test-split val: two are one part; give three"),
        (None, ["--test-split", "tset"], "tset"),
        (None, ["--config", "none.toml"], "none.toml: cannot be read"),
        (None, ["--out", "grid.toml"], "--out grid.toml: grid.toml is a file; give a folder"),
    ],
)
def test_refusals(
    run: Run,
    tmp_path: Path,
    change: tuple[str, str] | None,
    arguments: list[str],
    message: str,
) -> None:
    grid = GRID.replace(*change) if change else GRID
    assert message in refused(run(*arguments, grid=grid))
    assert not list(tmp_path.glob("run/*/cell.json"))
    assert not (tmp_path / "run" / SIGN).exists()


def test_people_of_two_parts_leave_the_folder_free(run: Run, tmp_path: Path) -> None:
    assert "people are in" in refused(run("--first-split", "train"))
    assert not (tmp_path / "run" / SIGN).exists()


def test_two_processes_in_one_folder(run: Run, tmp_path: Path) -> None:
    with locked(tmp_path / "run" / LOCK):
        assert "run: another process is at work there; wait for its end" in refused(run())

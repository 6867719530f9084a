"""Cells that train the whole network: from which weights, at what budget, stopped and failed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from hae.checkpoint import read_checkpoint
from hae.config import CHECKPOINT
from hae.data.core import Manifest
from hae.generality import cells as cells_module
from hae.generality.cells import PREDICTIONS, RECORD, CellRecord
from hae.generality.grid import GridConfig
from hae.generality.run import run_grid
from hae.training.callbacks import NotFiniteError
from hae.training.fit import RESUME
from tests.hae.generality.small import GRID, bench, lasting, run
from tests.hae.training.toys import Told

WHOLE = GridConfig.model_validate(
    GRID.model_dump(mode="json")
    | {
        "mode": "end_to_end",
        "aggregators": ["mean", {"name": "san", "width": 16}],
        "controls": False,
        "seeds": [0],
        "stored_views": 1,  # of no use here, so it may be any
        "stage_one": 4,
    }
)


def backbone_of(path: Path) -> dict[str, Tensor]:
    found = read_checkpoint(path).part("model")
    return {name: value for name, value in found.items() if name.startswith("backbone.")}


@pytest.fixture(scope="module")
def whole(
    parts: dict[str, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[CellRecord]]:
    out = tmp_path_factory.mktemp("whole")
    return out, run(parts, out, WHOLE)


def test_all_is_trained_and_nothing_stored(
    whole: tuple[Path, list[CellRecord]], parts: dict[str, Manifest]
) -> None:
    out, records = whole
    assert {(r.status, r.mode) for r in records} == {("done", "end_to_end")}
    first = backbone_of(out / "small_resnet-first" / CHECKPOINT)
    for record in records:
        found = read_checkpoint(out / record.key / "run" / CHECKPOINT)
        assert (found.header.config.embed_views, found.header.config.steps) == (0, 8)
        assert found.header.config.model.backbone.init.endswith("first/model.safetensors")
        own = backbone_of(out / record.key / "run" / CHECKPOINT)
        assert own.keys() == first.keys()
        learned = [n for n, v in own.items() if n.endswith("weight") and (v != first[n]).any()]
        assert learned
        assert record.cost is not None
        assert record.cost.trained_parameters == record.cost.parameters
        assert record.cost.seconds
        frame = pd.read_parquet(out / record.key / PREDICTIONS)
        assert frame["sample_id"].tolist() == parts["test"].frame["sample_id"].tolist()
        error = (frame["age_pred"] - frame["age"].astype(float)).to_numpy()
        assert record.metrics["mae"] == pytest.approx(np.abs(error).mean(), abs=1e-4)
    assert not list((out / "cache").glob("features-*"))
    assert not list((out / "cache").glob("*.views.json"))


def test_without_other_people_a_backbone_begins_at_random_weights_of_the_seed(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    seen: dict[str, Tensor] = {}

    class Watched(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            raise NotFiniteError("seen enough")

    with pytest.MonkeyPatch.context() as patch:
        from hae.training import train_age as module

        fit = module.fit

        def watched(task: object, config: object, *rest: object, **more: object) -> object:
            model = task.model  # type: ignore[attr-defined]
            weights = [p.detach().flatten() for p in model.backbone.parameters()]
            seen[config.name] = torch.cat(weights)  # type: ignore[attr-defined]
            return fit(task, config, *rest, **more)  # type: ignore[arg-type]

        patch.setattr(module, "fit", watched)
        two = WHOLE.model_copy(update={"seeds": (0, 1)})
        records = run_grid(two, bench(parts, tmp_path), None, Watched(), lambda record: None)
    assert {r.status for r in records} == {"diverged"}
    mean, mean_1, san, san_1 = seen.values()
    assert list(seen) == [r.key for r in records]
    assert torch.equal(mean, san)
    assert torch.equal(mean_1, san_1)
    assert not torch.equal(mean, mean_1)


def test_stopped_and_resumed_it_gives_the_same_record(
    whole: tuple[Path, list[CellRecord]], parts: dict[str, Manifest], tmp_path: Path
) -> None:
    out, records = whole
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    cell = tmp_path / records[1].key
    shutil.rmtree(cell)

    class Impatient(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            if step == 4:
                raise KeyboardInterrupt

    def again(report: Told) -> list[CellRecord]:
        few = bench(parts, tmp_path)
        return run_grid(WHOLE, few, parts["others"], report, lambda record: None)

    with pytest.raises(KeyboardInterrupt):
        again(Impatient())
    assert (cell / "run" / RESUME).is_file()
    told = Told()
    found = again(told)
    assert lasting(found) == lasting(records)
    assert told.steps[0][0] == 4
    # seconds of a part would not compare
    assert [r.cost.seconds is None for r in found if r.cost] == [False, True]
    # stopped between the checkpoint and the record
    (cell / RECORD).unlink()
    told = Told()
    assert lasting(again(told)) == lasting(records)
    assert (told.steps, told.notices) == ([], [])


def test_a_cell_that_runs_out_of_memory_leaves_the_others(
    whole: tuple[Path, list[CellRecord]],
    parts: dict[str, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, records = whole
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    for record in records:
        shutil.rmtree(tmp_path / record.key)
    train = cells_module.train_age

    def spoilt(order: object, report: object, **more: object) -> Path:
        if "-mean-" in order.config.name:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return train(order, report, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "train_age", spoilt)
    mean, san = run(parts, tmp_path, WHOLE)
    assert (mean.status, mean.mode) == ("out_of_memory", "end_to_end")
    assert lasting([san]) == lasting([records[1]])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["frozen", "end_to_end"])
def test_a_backbone_of_tied_weights(mode: str, parts: dict[str, Manifest], tmp_path: Path) -> None:
    """``coat_tiny`` uses some of its layers twice."""
    tied = GridConfig.model_validate(
        WHOLE.model_dump(mode="json")
        | {"mode": mode, "backbones": ["coat_tiny"], "aggregators": ["mean"]}
        | {"stored_views": 8, "stage_one": 2}
        | {"base": WHOLE.base.model_dump(mode="json") | {"steps": 2, "optimizer": {"warmup": 1}}}
    )
    (record,) = run(parts, tmp_path, tied)
    assert record.status == "done", record.reason

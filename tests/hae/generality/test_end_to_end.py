"""Cells that train the whole network: from which weights, at what budget, stopped and failed."""

from __future__ import annotations

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
from hae.generality.cells import PREDICTIONS, CellRecord
from hae.generality.grid import GridConfig
from hae.generality.run import run_grid
from hae.training.callbacks import NotFiniteError
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
    class Impatient(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            if len(self.steps) == self.most:
                raise KeyboardInterrupt
            super().step(step, figures)  # type: ignore[arg-type]

        most = 0

    # in the first stage, and in the first cell after a step that was saved
    for most in (0, 1):
        impatient = Impatient()
        impatient.most = most
        with pytest.raises(KeyboardInterrupt):
            run_grid(WHOLE, bench(parts, tmp_path), parts["others"], impatient, lambda r: None)
    told = Told()
    found = run_grid(WHOLE, bench(parts, tmp_path), parts["others"], told, lambda r: None)
    assert lasting(found) == lasting(whole[1])
    assert not told.notices
    # seconds of a part would not compare
    assert [r.cost.seconds is None for r in found if r.cost] == [True, False]


def test_a_cell_that_runs_out_of_memory_leaves_the_others(
    whole: tuple[Path, list[CellRecord]],
    parts: dict[str, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = cells_module.train_age

    def spoilt(order: object, report: object) -> Path:
        if "-mean-" in order.config.name:  # type: ignore[attr-defined]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return train(order, report)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "train_age", spoilt)
    mean, san = run(parts, tmp_path, WHOLE)
    assert (mean.status, mean.mode) == ("out_of_memory", "end_to_end")
    assert lasting([san]) == lasting([whole[1][1]])

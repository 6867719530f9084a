"""A small grid on grey squares: run, stopped, spoilt and run again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.errors import InputError
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.generality import cells as cells_module
from hae.generality.cells import (
    PREDICTIONS,
    RECORD,
    Bench,
    CellRecord,
    read_record,
    run_cell,
    status_of,
)
from hae.generality.grid import cells
from hae.generality.run import CELLS, best_constant, checked_faces, run_grid
from hae.training.callbacks import NotFiniteError
from tests.hae.generality.small import GRID, bench, lasting, run
from tests.hae.training.toys import Told, grey_faces


@pytest.fixture(scope="module")
def whole(
    parts: dict[str, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[CellRecord]]:
    out = tmp_path_factory.mktemp("grid")
    return out, run(parts, out)


def test_every_cell_is_done_and_recorded(
    whole: tuple[Path, list[CellRecord]], parts: dict[str, Manifest]
) -> None:
    out, records = whole
    assert [record.key for record in records] == [cell.key for cell in cells(GRID)]
    assert {record.status for record in records} == {"done"}
    table = json.loads((out / CELLS).read_text())
    assert table["cells"] == [record.model_dump(mode="json") for record in records]
    middle = np.median(parts["train"].frame["age"].astype(float))
    ages = parts["test"].frame["age"].astype(float)
    assert table["constant"]["mae"] == pytest.approx((ages - middle).abs().mean(), abs=2.5)
    for record in records:
        frame = pd.read_parquet(out / record.key / PREDICTIONS)
        assert frame["sample_id"].tolist() == parts["test"].frame["sample_id"].tolist()
        error = (frame["age_pred"] - frame["age"].astype(float)).to_numpy()
        assert record.metrics["mae"] == pytest.approx(np.abs(error).mean(), abs=1e-4)
        assert record.metrics["bias"] == pytest.approx(error.mean(), abs=1e-4)
        assert record.cost is not None
        assert 0 < record.cost.trained_parameters < record.cost.parameters
        assert record.cost.forward_ms > 0


def test_a_backbone_is_asked_once_for_all_cells(whole: tuple[Path, list[CellRecord]]) -> None:
    cache = whole[0] / "cache"
    kinds = sorted(path.name.split("-")[0] for path in cache.glob("*-????????????????.npy"))
    # features of training, validation and test faces in K views, and the last two as they are,
    # for one view; regions of the three
    assert kinds.count("features") == 5
    assert kinds.count("regions") == 3


def test_controls_have_as_many_parameters(whole: tuple[Path, list[CellRecord]]) -> None:
    sizes = {r.aggregator: r.cost.trained_parameters for r in whole[1] if r.cost and r.seed == 0}
    assert set(sizes) == {"mean", "san", "views_mlp.san", "regions_mlp.san", "single"}
    own = sizes["san"] - sizes["mean"]
    for control in ("views_mlp.san", "regions_mlp.san"):
        assert sizes[control] - sizes["mean"] == pytest.approx(own, rel=0.02)


def test_a_second_run_reads_what_was_done(
    whole: tuple[Path, list[CellRecord]],
    parts: dict[str, Manifest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cells_module, "train_age", None)  # must not be asked
    assert run(parts, whole[0]) == whole[1]


def test_stopped_and_resumed_it_gives_the_same_record(
    whole: tuple[Path, list[CellRecord]],
    parts: dict[str, Manifest],
    tmp_path: Path,
) -> None:
    done: list[str] = []

    def stop(record: CellRecord) -> None:
        done.append(record.key)
        if len(done) == 3:
            raise KeyboardInterrupt

    class Impatient(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            if len(done) == 2 and step == 4:
                raise KeyboardInterrupt

    for report in (Impatient(), Told()):
        with pytest.raises(KeyboardInterrupt):
            run_grid(GRID, bench(parts, tmp_path), parts["others"], report, stop)
        done = done[:2]
    assert lasting(run(parts, tmp_path)) == lasting(whole[1])


def test_one_cells_failure_leaves_the_others(
    whole: tuple[Path, list[CellRecord]],
    parts: dict[str, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = cells_module.train_age

    def spoilt(order: object, report: object, **more: object) -> Path:
        name = order.config.name  # type: ignore[attr-defined]
        if "-san-" in name:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if "-single-" in name:
            raise NotFiniteError("the loss is not finite at step 3; lower optimizer.lr")
        return train(order, report, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "train_age", spoilt)
    found = {record.key: record for record in run(parts, tmp_path)}
    status = {record.aggregator: record.status for record in found.values()}
    assert status == {
        "mean": "done",
        "san": "out_of_memory",
        "views_mlp.san": "done",
        "regions_mlp.san": "done",
        "single": "diverged",
    }
    assert all((r.reason is None) == (r.status == "done") for r in found.values())
    assert not any(r.metrics for r in found.values() if r.status != "done")
    monkeypatch.setattr(cells_module, "train_age", train)
    assert lasting(run(parts, tmp_path)) == lasting(whole[1])  # failures are tried again


def test_a_backbone_without_regions_costs_its_cells_only(
    parts: dict[str, Manifest], tmp_path: Path
) -> None:
    few = GRID.model_copy(
        update={
            "backbones": (GRID.backbones[0].model_copy(update={"name": "coat_tiny"}),),
            "base": GRID.base.model_copy(
                update={"model": GRID.base.model.model_copy(update={"size": 224})}
            ),
            "seeds": (0,),
        }
    )
    cell = next(cell for cell in cells(few) if cell.aggregator.name == "san")
    record = run_cell(cell, None, bench(parts, tmp_path), Told())
    assert record.status == "refused"
    assert "'coat_tiny': gives no regions" in (record.reason or "")
    assert read_record(tmp_path / cell.key / RECORD) == record


def test_nobody_to_learn_from_and_shared_people(parts: dict[str, Manifest], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'small_resnet': has no weights and nobody"):
        run_grid(GRID, bench(parts, tmp_path), None, Told(), lambda record: None)
    shared = replace(bench(parts, tmp_path), test=parts["train"])
    with pytest.raises(InputError, match=r"\d+ people are in the training split too"):
        run_grid(GRID, shared, parts["others"], Told(), lambda record: None)


def test_drawn_people_of_two_seeds_are_others(tmp_path: Path) -> None:
    one, two, again = (
        read_data(f"rendered:people={n},photos=1,seed={seed}")
        for n, seed in ((8, 1), (8, 2), (8, 1))
    )
    parts = Bench(one, two, two, tmp_path, tmp_path, {})
    test = read_data("rendered:people=8,photos=1,seed=3")
    found = checked_faces(GRID.base, replace(parts, test=test), None)
    assert [len(faces) for faces in found] == [8, 8, 8]
    with pytest.raises(InputError, match="8 people are in the training split too"):
        checked_faces(GRID.base, replace(parts, validation=again, test=test), None)


def test_the_best_constant() -> None:
    # ages 10, 20, 60 have the median 20; of test ages 10 and 40 it is 10 and 20 years off
    train, test = grey_faces(3, 3), grey_faces(2, 2)
    low = np.array([10, 20, 60], dtype=np.float32)
    of_test = np.array([10, 40], dtype=np.float32)
    found = best_constant(
        replace(train, low=low, high=low), replace(test, low=of_test, high=of_test)
    )
    assert found["mae"] == pytest.approx(15)
    # bands [0, 10), [20, 30), [20, 60): 20 to 30 is nearest, 20 the first; 5 years below [25, 30)
    low, high = np.array([[0, 20, 20], [10, 30, 60]], dtype=np.float32)
    bands = replace(train, low=low, high=high)
    some = replace(test, low=of_test + 15, high=of_test + 20)
    assert best_constant(bands, some)["band_distance"] == pytest.approx((5 + 35) / 2)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (InputError("x: must be y"), "refused"),
        (RuntimeError("shapes differ"), "failed"),
    ],
)
def test_names_of_failures(error: Exception, status: str) -> None:
    assert status_of(error) == status

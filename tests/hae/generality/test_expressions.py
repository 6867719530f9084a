"""Cells that tell expressions, beside cells of ages on the same stored views."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.errors import InputError
from hae.adapters.checkpoint import load_checkpoint
from hae.checkpoint import read_header
from hae.config import CHECKPOINT
from hae.data.core import Manifest
from hae.data.readers import read_data
from hae.generality import cells as cells_module
from hae.generality.analysed import matched_of, named, weak_controls
from hae.generality.cells import PREDICTIONS, CellRecord
from hae.generality.cost import cost_of
from hae.generality.grid import GridConfig, cells
from hae.generality.run import CELLS, best_class, checked_constants, run_grid
from hae.models.expression import ExpressionModel
from hae.predict import predict
from hae.training.callbacks import NotFiniteError
from hae.training.fit import RESUME
from tests.hae.generality.small import GRID, bench, lasting, run
from tests.hae.training.toys import Told

MOODS = ("anger", "sadness", "neutral")


def grid(**more: object) -> GridConfig:
    few = {"aggregators": ["mean", {"name": "san", "width": 16}], "controls": False, "seeds": [0]}
    return GridConfig.model_validate(GRID.model_dump(mode="json") | few | more)


BOTH = grid(tasks=["age", "expression"], expression_heads=["scn", "softmax"], stage_one=4)
WHOLE = grid(tasks=["expression"], mode="end_to_end", aggregators=["mean"], stage_one=4)


@pytest.fixture(scope="module")
def labelled(
    parts: dict[str, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Manifest]:
    """The same faces; the darkest show anger, the brightest are neutral."""
    found = {}
    for name, part in parts.items():
        frame = part.frame.assign(path=[str(path) for path in part.paths()])
        mood = pd.cut(frame["age"].astype(float), [0, 28, 55, 200], labels=MOODS)
        path = tmp_path_factory.mktemp("labelled") / f"{name}.csv"
        frame.assign(expression=mood.astype(str)).to_csv(path, index=False)
        found[name] = read_data(f"manifest:{path}")
    return found


@pytest.fixture(scope="module")
def whole(
    labelled: dict[str, Manifest], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[CellRecord]]:
    out = tmp_path_factory.mktemp("both")
    return out, run(labelled, out, BOTH)


def test_cells_of_both_tasks_and_their_names() -> None:
    keys = [cell.key for cell in cells(BOTH)]
    assert keys == [
        "small_resnet-mean-hierarchical-k2-w1-s0",
        "small_resnet-san-hierarchical-k2-w1-s0",
        "small_resnet-mean-scn-k2-s0",
        "small_resnet-mean-softmax-k2-s0",
        "small_resnet-san-scn-k2-s0",
        "small_resnet-san-softmax-k2-s0",
    ]
    found = [(named(BOTH, cell), cell.run_config().expression) for cell in cells(BOTH)]
    assert [name for name, _ in found] == [
        "mean", "san", "mean scn", "mean softmax", "san scn", "san softmax",
    ]  # fmt: skip
    assert [(own.aggregate, own.cure) for _, own in found[2:4]] == [(True, True), (True, False)]
    assert cells_of_age() == [c.run_config() for c in cells(BOTH) if c.task == "age"]


def cells_of_age() -> list[object]:
    """Runs of the same grid without the other task: they must not change with it."""
    return [cell.run_config() for cell in cells(grid())]


def test_every_cell_is_done_on_the_same_stored_views(
    whole: tuple[Path, list[CellRecord]], labelled: dict[str, Manifest]
) -> None:
    out, records = whole
    assert {record.status for record in records} == {"done"}, [r.reason for r in records]
    assert [r.task for r in records] == ["age"] * 2 + ["expression"] * 4
    assert [r.bin_width for r in records] == [1.0] * 2 + [None] * 4
    kinds = [p.name.split("-")[0] for p in (out / "cache").glob("*-????????????????.npy")]
    # training, validation and test, once for both tasks
    assert (kinds.count("features"), kinds.count("regions")) == (3, 3)
    constant = json.loads((out / CELLS).read_text())["constant"]
    shown = labelled["test"].frame["expression"]
    most = labelled["train"].frame["expression"].mode()[0]
    assert constant["accuracy"] == pytest.approx((shown == most).mean())
    assert "mae" in constant


def test_predictions_are_those_of_the_checkpoint(
    whole: tuple[Path, list[CellRecord]], labelled: dict[str, Manifest]
) -> None:
    out, records = whole
    test = labelled["test"]
    for record in records[2:]:
        folder = out / record.key
        frame = pd.read_parquet(folder / PREDICTIONS)
        assert frame["sample_id"].tolist() == test.frame["sample_id"].tolist()
        right = frame["expression"] == frame["expression_pred"]
        assert record.metrics["accuracy"] == pytest.approx(right.mean())
        # from the images; features are stored in float16
        again = predict(test, load_checkpoint(folder / "run" / CHECKPOINT))
        columns = [f"prob_{name}" for name in MOODS]
        np.testing.assert_allclose(frame[columns], again[columns], atol=2e-3)
        np.testing.assert_allclose(frame[columns].sum(axis=1), 1, atol=1e-6)
        header = read_header(folder / "run" / CHECKPOINT)
        assert (header.task, header.config.embed_views) == ("expression", 8)
        assert header.config.model.backbone.frozen
        assert (folder / "run" / "training.parquet").is_file()


def test_stopped_and_resumed_it_gives_the_same_record(
    whole: tuple[Path, list[CellRecord]], labelled: dict[str, Manifest], tmp_path: Path
) -> None:
    """Its first stage is the one of both tasks."""
    out, records = whole
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    again = records[2]
    shutil.rmtree(tmp_path / again.key)

    class Impatient(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            if step == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_grid(BOTH, bench(labelled, tmp_path), labelled["others"], Impatient(), lambda r: None)
    assert (tmp_path / again.key / "run" / RESUME).is_file()
    told = Told()
    found = run_grid(BOTH, bench(labelled, tmp_path), labelled["others"], told, lambda r: None)
    assert lasting(found) == lasting(records)
    assert told.steps[0][0] == 4


def test_end_to_end_from_a_first_stage_of_expressions(
    labelled: dict[str, Manifest], tmp_path: Path
) -> None:
    """Without ages; stopped in the middle, it comes out as in one go."""
    bare = {
        name: replace(part, frame=part.frame.drop(columns="age")) for name, part in labelled.items()
    }
    (one,) = run(bare, tmp_path, WHOLE)
    assert (one.status, one.mode) == ("done", "end_to_end"), one.reason
    assert read_header(tmp_path / "small_resnet-first" / CHECKPOINT).task == "expression"
    assert one.cost is not None
    assert one.cost.trained_parameters == one.cost.parameters
    shutil.rmtree(tmp_path / one.key)

    class Impatient(Told):
        def step(self, step: int, figures: object) -> None:  # type: ignore[override]
            if step == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_grid(WHOLE, bench(bare, tmp_path), bare["others"], Impatient(), lambda record: None)
    assert (tmp_path / one.key / "run" / RESUME).is_file()
    assert lasting(run(bare, tmp_path, WHOLE)) == lasting([one])


def test_one_cells_failure_leaves_the_others(
    whole: tuple[Path, list[CellRecord]],
    labelled: dict[str, Manifest],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, records = whole
    shutil.copytree(out, tmp_path, dirs_exist_ok=True)
    for record in records[3:]:
        shutil.rmtree(tmp_path / record.key)
    train = cells_module.train_expression

    def spoilt(order: object, report: object) -> Path:
        name = order.config.name  # type: ignore[attr-defined]
        if "-mean-softmax" in name:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if "-san-scn" in name:
            raise NotFiniteError("the loss is not finite at step 3; lower optimizer.lr")
        return train(order, report)  # type: ignore[arg-type]

    monkeypatch.setattr(cells_module, "train_expression", spoilt)
    found = run(labelled, tmp_path, BOTH)
    assert [r.status for r in found[3:]] == ["out_of_memory", "diverged", "done"]
    assert lasting(found[:3] + found[5:]) == lasting(records[:3] + records[5:])


def test_a_class_that_was_not_learned_is_said_before_the_work(
    labelled: dict[str, Manifest], parts: dict[str, Manifest], tmp_path: Path
) -> None:
    test = labelled["test"]
    awe = replace(test, frame=test.frame.assign(expression="awe"))
    with pytest.raises(InputError, match="its class 'awe' is none of anger, sadness, neutral"):
        run(labelled | {"test": awe}, tmp_path, BOTH)
    with pytest.raises(InputError, match="has no column 'expression'"):
        run(labelled | {"train": parts["train"]}, tmp_path, BOTH)
    assert not list(tmp_path.glob("*/run.json"))


def test_people_of_the_first_stage_need_labels_of_the_first_task(
    labelled: dict[str, Manifest], parts: dict[str, Manifest], tmp_path: Path
) -> None:
    part = labelled["others"]
    ageless = replace(part, frame=part.frame.drop(columns="age"))
    moods_first = BOTH.model_copy(update={"tasks": ("expression", "age")})
    few = bench(labelled, tmp_path)
    assert checked_constants(moods_first, few, ageless).keys() >= {"mae", "accuracy"}
    with pytest.raises(InputError, match="has no column 'expression'"):
        checked_constants(moods_first, few, parts["others"])
    with pytest.raises(InputError, match="age"):
        checked_constants(BOTH, few, ageless)


def test_the_best_constant_class() -> None:
    """Class 1 is the most frequent of training; two of five test faces show it."""
    found = best_class(np.array([0, 1, 1, 2]), np.array([1, 0, 0, 0, 1]))
    assert found == {"accuracy": pytest.approx(0.4)}


def record(aggregator: str, accuracy: float) -> CellRecord:
    return CellRecord(
        key=f"b-{aggregator}-scn-k4-s0", backbone="b", aggregator=aggregator, head="scn", k=4,
        bin_width=None, seed=0, task="expression", metrics={"accuracy": accuracy}, status="done",
        fingerprint="-",
    )  # fmt: skip


def test_a_control_must_be_wrong_half_as_often_as_the_constant() -> None:
    """The constant is wrong for 80 of 100: at 40 wrong a control is weak, at 39 it is not."""
    constant = {"mae": 15.0, "accuracy": 0.2}
    one = grid(tasks=["expression"])
    assert weak_controls([record("mean", 0.61), record("san", 0.1)], constant, "mean", one) == []
    (weak,) = weak_controls([record("mean", 0.6)], constant, "mean", one)
    assert "(share told wrong 0.8); the worst is b-mean-scn-k4-s0 with 0.4" in weak.message


def test_controls_of_equal_size_stand_beside() -> None:
    records = [record(name, 0.5) for name in ("mean", "san", "views_mlp.san", "regions_mlp.san")]
    found = matched_of(grid(tasks=["expression"]), records)
    assert found == {"san": ["views_mlp.san", "regions_mlp.san"]}


@pytest.mark.parametrize("mode", ["frozen", "end_to_end"])
def test_measuring_the_cost_changes_nothing(mode: str) -> None:
    asked = grid(tasks=["expression"], mode=mode)
    config = next(c for c in cells(asked) if c.aggregator.name == "san").run_config()
    torch.manual_seed(0)
    model = ExpressionModel(config.model, config.expression, 3).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    cost = cost_of(model, 8, None)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    own = [p.numel() for n, p in model.named_parameters() if not n.startswith("backbone.")]
    every = sum(p.numel() for p in model.parameters())
    assert cost.trained_parameters == (sum(own) if mode == "frozen" else every)
    assert cost.peak_bytes is not None
    assert cost.peak_bytes > 8 * cost.trained_parameters  # weights and their gradients

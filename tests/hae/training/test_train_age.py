"""Whole runs of the age model in this process: the same, other, wrong and impossible ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from audit.errors import InputError
from audit.tables import file_hash
from hae.adapters.checkpoint import load_checkpoint
from hae.checkpoint import read_checkpoint
from hae.config import CHECKPOINT
from hae.data.readers import read_data
from hae.inference import AgeEstimates
from hae.predict import predict
from hae.training.age import distance
from hae.training.callbacks import Saving
from hae.training.faces import hold_out, load_faces
from hae.training.module import Training
from hae.training.run import stored
from hae.training.train_age import train_age, validation_metrics
from hae.views import plain_view
from tests.hae.training.toys import SHORT, Told, grey_faces, order, write_faces


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), people=16, size=16)


@pytest.fixture(scope="module")
def first(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_age(order(table, tmp_path_factory.mktemp("first"), *SHORT), Told())


def weights(path: Path) -> dict[str, torch.Tensor]:
    return {k: v for k, v in load_file(path).items() if k.startswith("model.")}


def same(a: Path, b: Path) -> bool:
    x, y = weights(a), weights(b)
    return x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x)


def test_the_same_seed_gives_the_same_bytes(table: Path, tmp_path: Path, first: Path) -> None:
    again = train_age(order(table, tmp_path / "b", *SHORT), Told())
    assert again.read_bytes() == first.read_bytes()


def test_another_seed_gives_others(table: Path, tmp_path: Path, first: Path) -> None:
    assert not same(train_age(order(table, tmp_path / "b", *SHORT, "seed=1"), Told()), first)


def test_the_order_of_rows_does_not_matter(table: Path, tmp_path: Path, first: Path) -> None:
    turned = pd.read_csv(table).sample(frac=1, random_state=0)
    turned.to_csv(table.with_name("turned.csv"), index=False)
    out = train_age(order(table.with_name("turned.csv"), tmp_path / "b", *SHORT), Told())
    assert same(out, first)


def test_the_figures_are_those_of_the_stored_weights(table: Path, first: Path) -> None:
    found, manifest = read_checkpoint(first), read_data(f"manifest:{table}")
    config = found.header.config
    faces = load_faces(manifest, 16, 1.0, first.parent / "c").faces
    _, held = hold_out(faces, config.validation, config.seed, "toys")
    frame = predict(manifest, load_checkpoint(first)).iloc[held.row]
    error = (frame["age_pred"] - frame["age"].astype(float)).to_numpy()
    # The decoded faces, the views and the weights are the same, so are the estimates.
    assert found.header.metrics["mae"] == pytest.approx(np.abs(error).mean(), abs=1e-5)
    assert found.header.metrics["bias"] == pytest.approx(error.mean(), abs=1e-5)
    assert found.header.provenance.validation_faces == len(held) == len(error)
    assert found.header.metrics["mae_low"] < found.header.metrics["mae"]


def test_the_figures_are_of_the_images_through_the_rounded_weights(
    table: Path, tmp_path: Path
) -> None:
    # The stored features are rounded to fp16, and of the backbone before it was: about 0.002 years.
    many = ("model.backbone.frozen=true", "embed_views=4", "storage=fp16", "steps=40")
    many += ("model.aggregator.name=mean", "optimizer.name=adamw", "optimizer.lr=0.01")
    path = train_age(order(table, tmp_path / "b", *SHORT, *many), Told())
    found, manifest = read_checkpoint(path), read_data(f"manifest:{table}")
    faces = load_faces(manifest, 16, 1.0, tmp_path / "c").faces
    _, held = hold_out(faces, found.header.config.validation, 0, "toys")
    ages = load_checkpoint(path).predict(held.pixels())["age"]
    assert found.header.metrics["mae"] == pytest.approx(np.abs(ages - held.low).mean(), abs=1e-5)


@pytest.mark.parametrize("storage", ["fp32", "fp16"])
def test_the_best_step_is_the_one_with_the_least_distance(
    table: Path, tmp_path: Path, storage: str
) -> None:
    settings = (*SHORT, "validate_every=1", "selection_views=2", f"storage={storage}")
    told = Told()
    made = read_checkpoint(train_age(order(table, tmp_path / "b", *settings), told)).header
    judged = {step: figures["distance"] for step, figures in told.steps}
    assert list(judged) == [1, 2, 3, 4, 5, 6]
    assert made.provenance.best_step == min(judged, key=judged.__getitem__)
    # All fixed views are one view here, so selection and the end judge the same estimates; in
    # fp16 the weights keep 11 bits.
    close = 1e-5 if storage == "fp32" else 0.1
    assert made.metrics["mae"] == pytest.approx(min(judged.values()), abs=close)


def test_a_single_view_is_the_plain_face(table: Path, tmp_path: Path, first: Path) -> None:
    """One random view may lack a corner; the single-view control must not be judged on that."""
    one = (*SHORT, "model.aggregator.name=single", "selection_views=1")
    path = train_age(order(table, tmp_path / "b", *one), Told())
    stored, plain = read_checkpoint(path).part("views"), plain_view()
    assert torch.equal(stored["theta"], plain.theta)
    assert torch.equal(stored["colour"], plain.colour)
    assert torch.equal(stored["box"], plain.box)
    assert not torch.equal(read_checkpoint(first).part("views")["theta"], plain.theta)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("concat", ["selection_views=2"]),
        ("scale", []),
        ("sat_hard", []),
        ("han", []),
        ("ban", []),
        ("mcb", ["model.aggregator.sketch=32"]),
        ("regions_mlp", ["model.aggregator.partner=mcan"]),
    ],
)
def test_aggregators_train_and_come_back(
    table: Path, tmp_path: Path, name: str, more: list[str]
) -> None:
    settings = [*SHORT, "model.views.k=2", "model.size=32", *more, "storage=fp16"]
    path = train_age(
        order(table, tmp_path / "b", *settings, f"model.aggregator.name={name}"), Told()
    )
    found, manifest = read_checkpoint(path), read_data(f"manifest:{table}")
    assert found.header.config.model.aggregator.name == name
    faces = load_faces(manifest, 32, 1.0, tmp_path / "c").faces
    _, held = hold_out(faces, found.header.config.validation, 0, "toys")
    outputs = load_checkpoint(path).predict(held.pixels())
    ages = outputs["age"]
    assert found.header.metrics["mae"] == pytest.approx(np.abs(ages - held.low).mean(), abs=1e-5)
    assert np.isfinite(outputs["age_view_std"]).all()
    assert outputs["age_view_std"].max() > 0


@pytest.mark.parametrize("name", ["ban", "han"])
def test_stored_regions_are_those_of_the_images(table: Path, tmp_path: Path, name: str) -> None:
    """What is judged in training is of stored features, the figures at the end are of images."""
    many = ("model.backbone.frozen=true", "model.views.k=2", "embed_views=8", "model.size=32")
    told = Told()
    settings = (*SHORT, *many, "selection_views=2", f"model.aggregator.name={name}")
    path = train_age(order(table, tmp_path / "b", *settings), told)
    judged = [figures["distance"] for _, figures in told.steps if "distance" in figures]
    metrics = read_checkpoint(path).header.metrics
    assert metrics["mae"] == pytest.approx(judged[-1], abs=0.02)  # float16 keeps 11 bits
    assert "embedding regions of the training faces" in told.stages


def test_runs_share_what_a_frozen_backbone_saw(table: Path, tmp_path: Path, first: Path) -> None:
    many = ("model.backbone.frozen=true", "model.views.k=2", "embed_views=8", "view_seed=5")
    settings = (*SHORT, *many, f"model.backbone.init={first}", "validation=0.5")
    cache = tmp_path / "cache"
    for number, name in enumerate(["mean", "ban", "mlb", "han"]):
        out, told = tmp_path / name, Told()
        more = (f"model.aggregator.name={name}", "seed=0")
        train_age(order(table, out, *settings, *more, cache=cache), told)
        stored = sorted(path.name.split("-")[0] for path in cache.glob("*-*.npy"))
        assert stored.count("features") == 2  # of the training and of the validation faces
        assert stored.count("regions") == (0, 2, 2, 4)[number]  # plain faces, then each view
    train_age(order(table, tmp_path / "e", *settings, "seed=1", cache=cache), Told())
    stored = sorted(path.name.split("-")[0] for path in cache.glob("*-*.npy"))
    assert stored.count("features") == 4  # other people are held out with another seed


def test_hard_attention_is_the_same_every_time(table: Path, tmp_path: Path) -> None:
    # what it draws depends on the seed and the step, and its baseline is in the checkpoint
    settings = (*SHORT, "model.views.k=2", "model.aggregator.name=sat_hard")
    one, two = (train_age(order(table, tmp_path / x, *settings), Told()) for x in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert weights(one)["model.aggregator.baseline"] > 0


def test_accumulated_steps_follow_one_schedule(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int, float]] = []

    def look(self: Saving, trainer: object, module: Training, *rest: object) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]  # type: ignore[attr-defined]
        seen.append((rest[-1], trainer.global_step, rate))  # type: ignore[attr-defined,arg-type]

    monkeypatch.setattr(Saving, "on_train_batch_end", look)
    told = Told()
    train_age(order(table, tmp_path / "b", *SHORT, "steps=20", "accumulate=3"), told)
    assert [batch for batch, _, _ in seen] == list(range(60))
    assert [step for _, step, _ in seen] == [(batch + 1) // 3 for batch in range(60)]
    # After step t the rate is that of the next: 1e-3 (t + 1) / 2 below 2 steps of warm-up, then
    # 1e-3 (1 + cos(pi (t - 2) / 18)) / 2.
    rates = [rate for _, _, rate in seen[2::3]]
    expected = [1e-3 * (1 + math.cos(math.pi * (t - 2) / 18)) / 2 for t in range(2, 21)]
    assert rates == pytest.approx([1e-3, *expected], abs=1e-12)
    # The loss that is told is the whole one, not its third: some 700 at first, since it holds the
    # square of an error of decades.
    log = pd.read_csv(next((tmp_path / "b").rglob("metrics.csv")))
    losses = log["train/total"].dropna().tolist()
    assert [f["loss"] for _, f in told.steps if "loss" in f] == pytest.approx(losses, rel=1e-5)


def test_a_finished_run_is_left_alone(table: Path, first: Path) -> None:
    before, told = first.read_bytes(), Told()
    assert train_age(order(table, first.parent, *SHORT), told) == first
    assert (told.stages, told.notices) == ([], [])
    assert first.read_bytes() == before
    with pytest.raises(InputError, match=r"holds a run that differs in config\.seed; give another"):
        train_age(order(table, first.parent, *SHORT, "seed=1"), told)
    (table.parent / "extra.csv").write_text(table.read_text().replace("p1,", "p0,"))
    with pytest.raises(InputError, match=r"holds a run that differs in files, train; give"):
        train_age(order(table.with_name("extra.csv"), first.parent, *SHORT), told)
    assert first.read_bytes() == before


def test_first_weights_of_a_checkpoint(table: Path, tmp_path: Path, first: Path) -> None:
    out = train_age(order(table, tmp_path / "b", *SHORT, init=first), Told())
    assert not same(out, first)
    made = read_checkpoint(out).header.provenance.init
    assert made["sha256"] == file_hash(first).sha256
    with pytest.raises(InputError, match=r"--init .*model\.safetensors: .*use the same config, or"):
        train_age(order(table, tmp_path / "c", *SHORT, "model.embedding=8", init=first), Told())


def bad(table: Path, name: str, **columns: object) -> Path:
    frame = pd.read_csv(table).assign(**columns)
    frame.to_csv(table.with_name(name), index=False)
    return table.with_name(name)


@pytest.mark.parametrize(
    ("age", "settings", "message"),
    [
        (90, ("model.head.age_max=79", "model.head.open_top=false"), r"1 of \d+ lie outside .*90"),
        (4, ("model.head.age_min=5",), r"lie outside the head's range \[5, inf\), such as 4"),
        (-3, (), r"-3"),
        (None, (), r"data set bad: 1 of 32 faces have no age, the first is sample_id '000-0.png'"),
        ("old", (), r"bad.*old"),
    ],
)
def test_ages_that_cannot_be_learned(
    table: Path, tmp_path: Path, age: object, settings: tuple[str, ...], message: str
) -> None:
    ages = pd.read_csv(table)["age"].astype(object)
    ages[0] = age
    with pytest.raises(InputError, match=message) as error:
        train_age(order(bad(table, "bad.csv", age=ages), tmp_path / "b", *SHORT, *settings), Told())
    assert "\n" not in str(error.value)


def test_mistakes_in_the_data_are_told_before_training(table: Path, tmp_path: Path) -> None:
    split = ["train" if row % 2 else "val" for row in range(32)]  # both photos of a person
    path = bad(table, "split.csv", split=split)
    with pytest.raises(InputError, match=r"16 people are in the training split too, such as subj"):
        train_age(order(path, tmp_path / "a", *SHORT, split="train", val_split="val"), Told())
    with pytest.raises(InputError, match=r"of 16 people leaves no validation face; .*--val-split"):
        train_age(order(table, tmp_path / "b", *SHORT, "validation=1e-6"), Told())
    told = Told()
    with pytest.raises(InputError, match=r"batch_size 64 x 1 devices: there are only \d\d train"):
        train_age(order(table, tmp_path / "c", *SHORT, "batch_size=64"), told)
    assert not told.steps


def test_a_split_of_its_own(table: Path, tmp_path: Path) -> None:
    split = ["train"] * 24 + ["val"] * 8
    path, out = bad(table, "split.csv", split=split), tmp_path / "a"
    found = train_age(order(path, out, *SHORT, split="train", val_split="val"), Told())
    made = read_checkpoint(found).header.provenance
    assert (made.faces, made.people, made.validation_faces, made.validation_people) == (
        24,
        12,
        8,
        4,
    )
    assert made.data == "split train, split val"


def test_unreadable_images_are_told_and_left_out(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "faces", people=16, size=16)
    (table.parent / "003-1.png").write_bytes(b"no picture")
    told = Told()
    made = read_checkpoint(train_age(order(table, tmp_path / "b", *SHORT), told)).header.provenance
    assert told.notices == [
        "faces: 1 of 32 images cannot be read and are left out, the first is 003-1.png: "
        "not an image in a known format"
    ]
    assert made.unreadable == 1
    assert made.faces + made.validation_faces == 31


@pytest.mark.parametrize("when", ["loss", "validation"])
def test_a_loss_that_is_no_number_ends_the_run(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    step = Training.training_step

    def broken(self: Training, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        return step(self, batch, batch_idx) * float("nan")

    monkeypatch.setattr(Training, "training_step", broken)
    every = 24 if when == "loss" else 4
    settings = (*SHORT, "steps=24", f"validate_every={every}", "save_every=24")
    place = "the loss is not finite at step 10" if when == "loss" else "validation is not finite"
    with pytest.raises(InputError, match=rf"{place}.*; lower optimizer\.lr"):
        train_age(order(table, tmp_path / "b", *settings), Told())
    assert not (tmp_path / "b" / CHECKPOINT).exists()


def test_bands_have_figures_of_their_own(table: Path, tmp_path: Path) -> None:
    ages = pd.read_csv(table)["age"]
    bands = [
        f"{int(age // 10 * 10)}-{int(age // 10 * 10 + 9)}" if age < 70 else "70+" for age in ages
    ]
    found = train_age(order(bad(table, "bands.csv", age=bands), tmp_path / "b", *SHORT), Told())
    metrics = read_checkpoint(found).header.metrics
    assert {"band_distance", "within_band_accuracy"} <= metrics.keys()
    assert "mae" not in metrics


def test_distance_to_what_is_known() -> None:
    inf = np.float32(np.inf)
    faces = grey_faces(5, people=5)
    faces.low[:] = [30, 30, 20, 70, 70]
    faces.high[:] = [30, 30, 30, inf, inf]
    zeros = np.zeros(5, dtype=np.float32)
    found = AgeEstimates(np.array([28, 33, 25, 64, 99], dtype=np.float32), zeros, None)
    # |28 - 30|, |33 - 30|, inside [20, 30), 6 years below 70, above an open end there is nothing
    assert distance(found, faces).tolist() == [2, 3, 0, 6, 0]


def test_figures_of_exact_ages_by_hand() -> None:
    faces = grey_faces(6, people=3)
    faces.low[:] = faces.high[:] = [10, 20, 30, 40, 50, 60]
    zeros = np.zeros(6, dtype=np.float32)
    found = AgeEstimates(faces.low + np.array([1, -2, 3, -4, 5, -6], dtype=np.float32), zeros, None)
    metrics = validation_metrics(found, faces)
    assert metrics["mae"] == pytest.approx(21 / 6)
    assert metrics["bias"] == pytest.approx(-3 / 6)
    assert metrics["cs5"] == pytest.approx(5 / 6)


def test_fp16_keeps_sums_and_counters() -> None:
    tensors = {
        "a.weight": torch.ones(2),
        "n.running_mean": torch.ones(2),
        "n.running_var": torch.ones(2),
        "n.num_batches_tracked": torch.tensor(70_000),
    }
    kinds = {name: tensor.dtype for name, tensor in stored(tensors, "fp16").items()}
    assert list(kinds.values()) == [torch.float16, torch.float32, torch.float32, torch.int64]
    assert stored(tensors, "fp32")["a.weight"] is tensors["a.weight"]

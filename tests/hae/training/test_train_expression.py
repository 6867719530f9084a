"""Expression training on squares whose colour is their class."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from safetensors.torch import load_file

from audit.errors import InputError
from audit.predictions import read_predictions
from hae.adapters.checkpoint import ExpressionPredictor, load_checkpoint
from hae.checkpoint import read_header
from hae.config import CHECKPOINT, RunConfig
from hae.data.readers import read_data
from hae.predict import predict
from hae.training.callbacks import Saving
from hae.training.cure_table import LOG, TABLE, run_of
from hae.training.labels import read_labels
from hae.training.run import RUN, Order, open_run
from hae.training.train_expression import train_expression
from tests.hae.training.toys import Told

SIZE = 16
COLOURS = {"sadness": (40, 60, 200), "anger": (200, 50, 40), "neutral": (120, 120, 120)}
CONFIG = {
    "steps": 30,
    "batch_size": 16,
    "validate_every": 10,
    "save_every": 5,
    "validation": 0.3,
    "model": {
        "size": SIZE,
        "backbone": {"name": "small_resnet"},
        "views": {"k": 1, "colour_p": 0.0, "erase_p": 0.0},
    },
    "optimizer": {"name": "adamw", "lr": 3e-3, "warmup": 3},
    "expression": {"relabel_from": 2},
}


def write_squares(folder: Path, people: int = 48) -> Path:
    """Two photos of every person, a class each; votes, and a group."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for person in range(people):
        for photo in range(2):
            shown = list(COLOURS)[(person + photo) % 3]
            name = f"{person:03d}-{photo}.png"
            noisy = rng.normal(COLOURS[shown], 25, (SIZE, SIZE, 3)).clip(0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(folder / name)
            votes = {f"votes_{other}": 8 if other == shown else 1 for other in COLOURS}
            rows.append(
                {"path": name, "subject_id": f"p{person}", "expression": shown}
                | {"group": "ab"[person % 2]}
                | votes
            )
    table = folder / "squares.csv"
    pd.DataFrame(rows).to_csv(table, index=False)
    return table


def order(table: Path, out: Path, expression: dict[str, object] | None = None) -> Order:
    settings = {"relabel_from": 2} | (expression or {})
    config = RunConfig.model_validate(CONFIG | {"expression": settings})
    manifest = read_data(f"manifest:{table}")
    return Order(manifest, None, config, out, out / "cache", None, 1, {"python": "3"})


NOISY: dict[str, object] = {"label_noise": 0.3, "relabel": "whole_batch", "relabel_margin": 0.0}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture(scope="module")
def noisy(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("noisy")
    train_expression(order(table, out, NOISY), Told())
    return out


def test_it_learns_and_its_checkpoint_predicts(table: Path, tmp_path: Path) -> None:
    path = train_expression(order(table, tmp_path), Told())
    header, model = read_header(path), load_checkpoint(path)
    assert header.classes == ("anger", "sadness", "neutral")  # by name, not as they come
    assert header.metrics["accuracy"] > 0.9
    assert isinstance(model, ExpressionPredictor)
    frame = predict(read_data(f"manifest:{table}"), model)
    assert (frame["expression"] == frame["expression_pred"]).mean() > 0.9
    assert frame["importance"].between(0, 1, inclusive="neither").all()
    raw = frame[[f"raw_logit_{name}" for name in header.classes]].to_numpy()
    scaled = frame["importance"].to_numpy()[:, None] * raw
    proba = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(frame[[f"prob_{n}" for n in header.classes]], proba, rtol=1e-5)
    assert model.has_seen(read_data(f"manifest:{table}"))


@pytest.mark.parametrize(
    "settings",
    [
        {"cure": False},
        {"cure": False, "label_smoothing": 0.1},
        {"soft_labels": True, "learn_margin": True},
        {"balanced": True, "relabel": "off"},
    ],
)
def test_baselines_and_switches_run(
    settings: dict[str, object], table: Path, tmp_path: Path
) -> None:
    path = train_expression(order(table, tmp_path, settings), Told())
    assert read_header(path).metrics["accuracy"] > 0.6
    frame = predict(read_data(f"manifest:{table}"), load_checkpoint(path))
    assert ("importance" in frame) == settings.get("cure", True)


@pytest.mark.parametrize("name", ["sae", "sat_hard", "han", "mlb"])
def test_aggregators_of_views(name: str, table: Path, tmp_path: Path) -> None:
    plain = order(table, tmp_path, {"aggregate": True})
    small = {"name": name, "layers": 1, "heads": 2, "feedforward": 16, "width": 8}
    content = plain.config.model_dump(mode="json")
    content["model"] |= {"size": 32, "embedding": 16, "aggregator": small}
    content["model"]["views"]["k"] = 2
    content |= {"steps": 60, "selection_views": 2}
    path = train_expression(replace(plain, config=RunConfig.model_validate(content)), Told())
    header, model = read_header(path), load_checkpoint(path)
    assert header.metrics["accuracy"] > 0.4
    assert isinstance(model, ExpressionPredictor)
    assert model.views is not None
    assert model.views.k == 2
    frame = predict(read_data(f"manifest:{table}"), model)
    right = (frame["expression"] == frame["expression_pred"]).mean()
    assert right > 0.5  # by chance a third of 96 faces, SD .05
    # the stored scores of the training faces are those of the same views
    stored = pd.read_parquet(tmp_path / TABLE).set_index("sample_id")
    again = frame.set_index("sample_id").loc[stored.index]
    np.testing.assert_allclose(stored["importance"], again["importance"], atol=1e-5)


def test_the_table_tells_what_became_of_every_label(noisy: Path) -> None:
    frame = pd.read_parquet(noisy / TABLE)
    log = pd.read_csv(noisy / LOG)
    header = read_header(noisy / CHECKPOINT)
    assert len(frame) == header.provenance.faces  # none of the validation people
    assert ((frame["expression"] != frame["expression_given"]) == (frame["flipped"] == 1)).all()
    assert 0.1 < frame["flipped"].mean() < 0.5
    changed = frame["expression_given"] != frame["expression_final"]
    assert (changed == (frame["relabelled"] == 1)).all()
    assert changed.any()
    fixed = (frame["flipped"] == 1) & (frame["expression_final"] == frame["expression"])
    assert (fixed == (frame["corrected"] == 1)).all()
    assert (log["epoch"] >= 2).all()
    last = log.groupby("sample_id")["to"].last()
    known = frame.set_index("sample_id")
    assert (known.loc[last.index, "expression_final"] == last).all()
    first = log.groupby("sample_id")["from"].first()
    assert (known.loc[first.index, "expression_given"] == first).all()
    assert frame["low_group"].between(0, 1).all()


def test_the_cure_is_audited_by_group(noisy: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hae.cli", "evaluate", "--predictions", str(noisy / TABLE)]
    command += ["--by", "group", "--min-n", "5", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    record = (tmp_path / "out" / "audit.json").read_text()
    for name in ("importance", "low_group_share", "relabel_rate", "relabel_precision", "ece_raw"):
        assert f'"metric": "{name}"' in record, name


def stopped(asked: Order, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until a step after it was saved or not, as if the power had failed there."""
    ended = Saving.on_train_batch_end

    def stop(self: Saving, trainer: Trainer, *rest: object) -> None:
        ended(self, trainer, *rest)  # type: ignore[arg-type]
        if trainer.global_step == step:
            raise RuntimeError("power")

    with monkeypatch.context() as patch:
        patch.setattr(Saving, "on_train_batch_end", stop)
        with pytest.raises(RuntimeError, match="power"):
            train_expression(asked, Told())


@pytest.mark.parametrize("step", [7, 21])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    step: int, table: Path, noisy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(order(table, tmp_path, NOISY), step, monkeypatch)
    train_expression(order(table, tmp_path, NOISY), Told())
    for name in (CHECKPOINT, LOG, TABLE):
        assert (tmp_path / name).read_bytes() == (noisy / name).read_bytes(), name


def test_balanced_draws_stay_those_of_the_given_labels_after_a_stop(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels have changed by then; draws by the changed ones would be of another run."""
    whole, parts = (order(table, tmp_path / n, NOISY | {"balanced": True}) for n in ("a", "b"))
    train_expression(whole, Told())
    stopped(parts, 21, monkeypatch)
    train_expression(parts, Told())
    for name in (CHECKPOINT, LOG, TABLE):
        assert (whole.out / name).read_bytes() == (parts.out / name).read_bytes(), name


def test_the_order_of_rows_does_not_matter(table: Path, noisy: Path, tmp_path: Path) -> None:
    asked = order(table, tmp_path, NOISY)
    frame = asked.train.frame.sample(frac=1, random_state=3).reset_index(drop=True)
    train_expression(replace(asked, train=replace(asked.train, frame=frame)), Told())
    one, two = load_file(noisy / CHECKPOINT), load_file(tmp_path / CHECKPOINT)
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_is_told_by_its_config_and_its_first_weights(noisy: Path) -> None:
    header = read_header(noisy / CHECKPOINT)
    assert set(pd.read_csv(noisy / LOG)["run"]) == {run_of(header)}
    assert set(pd.read_parquet(noisy / TABLE)["run"]) == {run_of(header)}
    seed = header.config.model_copy(update={"seed": 99})
    init = header.provenance.model_copy(update={"init": {"source": "other"}})
    for other in ({"config": seed}, {"provenance": init}):
        assert run_of(header.model_copy(update=other)) != run_of(header)


def test_a_log_is_audited_with_its_own_table_alone(
    noisy: Path, tmp_path: Path, table: Path
) -> None:
    whole = read_predictions(noisy / TABLE, task="expression", relabels=noisy / LOG)
    plain = read_predictions(noisy / TABLE, task="expression")
    pd.testing.assert_frame_equal(whole.to_frame(), plain.to_frame())
    assert whole.cure is not None
    assert (whole.cure.before != whole.cure.after).any()
    train_expression(order(table, tmp_path, NOISY | {"relabel_margin": 0.1}), Told())
    with pytest.raises(InputError, match=r"is the log of run \w+, training.parquet is of run \w+"):
        read_predictions(noisy / TABLE, task="expression", relabels=tmp_path / LOG)


# --- labels that cannot be learned ----------------------------------------------------------------


def mended(table: Path, out: Path, **columns: object) -> Path:
    frame = pd.read_csv(table).assign(**columns)
    path = table.parent / f"{out.name}.csv"
    frame.to_csv(path, index=False)
    return path


def test_faces_without_a_label_are_named(table: Path, tmp_path: Path) -> None:
    labels = pd.read_csv(table)["expression"].where(lambda s: s.index != 5)
    with pytest.raises(InputError, match=r"1 of 96 faces have no expression, the first is .*'002"):
        train_expression(order(mended(table, tmp_path, expression=labels), tmp_path), Told())


def test_one_class_is_nothing_to_learn(table: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all faces are 'fear'"):
        train_expression(order(mended(table, tmp_path, expression="fear"), tmp_path), Told())


def test_classes_of_the_validation_data_must_be_known(table: Path, tmp_path: Path) -> None:
    labels = pd.read_csv(table)["expression"].replace("anger", "wrath")
    other = read_data(f"manifest:{mended(table, tmp_path, expression=labels)}")
    asked = replace(order(table, tmp_path), validation=other)
    with pytest.raises(InputError, match="its class 'wrath' is none of anger, sadness, neutral"):
        train_expression(asked, Told())


def test_votes_that_sum_to_zero_are_named(table: Path, tmp_path: Path) -> None:
    votes = {f"votes_{name}": [0, *[1] * 95] for name in COLOURS}
    with pytest.raises(
        InputError, match=r"the votes of 1 faces sum to zero, the first is .*'000-0"
    ):
        train_expression(order(mended(table, tmp_path, **votes), tmp_path), Told())


def test_identical_ids_are_refused(table: Path, tmp_path: Path) -> None:
    path = mended(table, tmp_path, sample_id="same")
    with pytest.raises(InputError, match="occurs more than once"):
        read_data(f"manifest:{path}")


def test_what_an_age_model_alone_does_is_refused(table: Path, tmp_path: Path) -> None:
    asked = order(table, tmp_path)
    frozen = asked.config.model.backbone.model_copy(update={"frozen": True})
    model = asked.config.model.model_copy(update={"backbone": frozen})
    config = asked.config.model_copy(update={"embed_views": 8, "model": model})
    with pytest.raises(InputError, match="embed_views: an expression model of one view trains"):
        train_expression(replace(asked, config=config), Told())


def test_the_folder_of_another_task_is_refused(noisy: Path, table: Path, tmp_path: Path) -> None:
    asked = order(table, noisy, NOISY)
    with pytest.raises(InputError, match="holds a run that differs in task"):
        open_run(asked, "age")
    found = json.loads((noisy / RUN).read_text())
    (tmp_path / CHECKPOINT).write_bytes((noisy / CHECKPOINT).read_bytes())
    (tmp_path / RUN).write_text(json.dumps({k: v for k, v in found.items() if k != "task"}))
    assert open_run(replace(asked, out=tmp_path), "expression")  # runs of earlier versions


@pytest.mark.parametrize(("change", "told"), [(0, False), (1, True)])
def test_a_run_that_ends_before_labels_may_change_says_so(
    change: int, told: bool, table: Path, tmp_path: Path, noisy: Path
) -> None:
    per_epoch = read_header(noisy / CHECKPOINT).provenance.faces // 16
    last = -(-30 // per_epoch)  # 30 steps of 16 faces
    said = Told()
    train_expression(order(table, tmp_path, {"relabel_from": last + change}), said)
    assert any("labels may change from epoch" in text for text in said.notices) == told


def test_first_weights_of_other_classes_are_told(noisy: Path, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).rename(columns={"votes_anger": "votes_wrath"})
    path = table.parent / "wrath.csv"
    frame.assign(expression=frame["expression"].replace("anger", "wrath")).to_csv(path)
    asked, said = order(path, tmp_path), Told()
    train_expression(replace(asked, init=noisy / CHECKPOINT), said)
    told = "told anger, sadness, neutral; here the classes are sadness, neutral, wrath"
    assert any(told in text for text in said.notices)


def test_an_ambiguity_beyond_its_scale_is_named(table: Path, tmp_path: Path) -> None:
    path = mended(table, tmp_path, ambiguity=3)
    frame = pd.read_csv(path)  # votes would say how hard a face is
    frame.drop(columns=[name for name in frame if name.startswith("votes_")]).to_csv(path)
    with pytest.raises(InputError, match="its column 'ambiguity' holds 3, must be 0 to 1"):
        train_expression(order(path, tmp_path, {"label_noise": 0.2, "noise": "instance"}), Told())


def test_soft_labels_need_votes(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).drop(columns=[f"votes_{name}" for name in COLOURS])
    path = table.parent / "bare.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(InputError, match=r"has no votes \(votes_anger, ...\)"):
        train_expression(order(path, tmp_path, {"soft_labels": True}), Told())


def test_shares_of_votes_are_of_the_classes(table: Path) -> None:
    labels = read_labels(read_data(f"manifest:{table}"))
    assert labels.votes is not None
    np.testing.assert_allclose(labels.votes.sum(axis=1), 1, rtol=1e-6)
    assert (labels.votes.argmax(axis=1) == labels.code).all()


def test_two_processes_of_8_train_as_one_of_16(table: Path, tmp_path: Path) -> None:
    # LayerNorm in place of BatchNorm: what a face gives depends on it alone
    found = []
    for devices, size in ((1, 16), (2, 8)):
        out = tmp_path / str(devices)
        command = [sys.executable, "-m", "hae.cli", "train", "expression"]
        command += ["--data", f"manifest:{table}", "--out", str(out), "--devices", str(devices)]
        settings = ["steps=8", f"batch_size={size}", "validate_every=8", "save_every=8"]
        settings += ["model.size=32", "model.backbone.name=test_convnext", "optimizer.name=adamw"]
        settings += ["model.views.k=1", "optimizer.warmup=1", "optimizer.lr=1e-3"]
        settings += ["expression.relabel_from=1", "expression.relabel_margin=0.0"]
        settings += ["expression.learn_margin=true"]
        command += [part for text in settings for part in ("--set", text)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        found.append((load_file(out / CHECKPOINT), pd.read_csv(out / LOG)))
    (one, log), (two, again) = found
    assert len(log) > 0
    keys = ["sample_id", "epoch", "from", "to"]
    pd.testing.assert_frame_equal(log[keys], again[keys])
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=2e-5, msg=name)

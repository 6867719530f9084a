"""Expressions through the commands: flipped labels, the audit of a training, a table's task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from hae.cli.jobs import EXAMPLES, TableOptions, plan, task_of
from tests.cli.running import FEW, Command, refused
from tests.hae.training.test_train_expression import write_squares

TINY = (
    "steps=8", "batch_size=8", "validate_every=8", "optimizer.warmup=1", "optimizer.name=adamw",
    "model.size=16", "model.backbone.name=small_resnet", "model.views.k=1",
    "expression.relabel_from=1",
)  # fmt: skip
NOTHING = TableOptions(None, {}, None, None, None, None, None)


def settings() -> list[str]:
    return [part for text in TINY for part in ("--set", text)]


def test_train_tell_and_audit(hae_audit: Command, tmp_path: Path) -> None:
    table = write_squares(tmp_path / "squares", people=24)
    data = ("--data", f"manifest:{table}", "--out", "run")
    noise = ("--label-noise", 0.3, "--noise", "instance")
    done = hae_audit("train", "expression", *data, *noise, *settings())
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
    told = hae_audit("info", "run/model.safetensors").stdout
    assert "anger, sadness, neutral" in told
    assert "30% of the labels, instance" in told
    assert "least important part of a batch from epoch 1" in told
    done = hae_audit("evaluate", "--predictions", "run/training.parquet", "--by", "group",
                     "--min-n", 5, *FEW, "--out", "audit")  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    found = {row["metric"] for row in record["metrics"] if row["group"] == {"group": "a"}}
    codes = {row["code"]: row["severity"] for row in record["warnings"]}
    assert codes["leaky_split"] == "serious"  # it was trained on these faces
    assert {"relabel_rate", "relabel_recall", "low_group_share", "ece", "ece_raw"} <= found
    assert "relabel_flow" in {row["name"] for row in record["curves"]}
    log = ("--relabels", "run/relabels.csv")
    done = hae_audit("evaluate", "--predictions", "run/training.parquet", *log, "--n-boot", 0)
    assert done.returncode == 0, done.stderr
    twice = ("--predictions", "run/training.parquet", "--predictions", "audit/predictions.parquet")
    assert "is the log of one run" in refused(hae_audit("evaluate", *twice, *log))
    assert "--relabels goes with --predictions FILE" in refused(hae_audit("evaluate", *log))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--noise", "pair", "--set", "expression.soft_labels=true", "--label-noise", "0.1"),
         "label_noise flips labels, soft_labels trains on votes"),
        (("--set", "expression.cure=true", "--set", "expression.label_smoothing=0.1"),
         "label_smoothing is a baseline's"),
        (("--set", "expression.relabel=high"), "relabel"),
        (("--noise", "pair"), "--noise pair: goes with --label-noise SHARE"),
        (("--map", "expression=path2"), "path2"),
    ],
)  # fmt: skip
def test_bad_settings_are_one_line(
    options: tuple[str, ...], message: str, hae_audit: Command, tmp_path: Path
) -> None:
    table = write_squares(tmp_path / "squares", people=4)
    data = ("--data", f"manifest:{table}", "--out", "run")
    assert message in refused(hae_audit("train", "expression", *data, *settings(), *options))
    assert not (tmp_path / "run").exists()


def test_data_without_expressions_is_told(hae_audit: Command, tmp_path: Path) -> None:
    table = write_squares(tmp_path / "squares", people=4)
    frame = pd.read_csv(table).drop(columns="expression")
    frame.to_csv(table, index=False)
    done = hae_audit("train", "expression", "--data", f"manifest:{table}", "--out", "run",
                     *settings())  # fmt: skip
    assert "has no column 'expression'; name it with --map" in refused(done)


@pytest.mark.parametrize(
    ("anger", "sadness"),
    # numbers too: data sets number the same classes in different orders
    [("anger", "wrath"), ("5", "2")],
)
def test_classes_of_a_checkpoint_and_its_data_must_agree(
    anger: str, sadness: str, hae_audit: Command, tmp_path: Path
) -> None:
    path = write_squares(tmp_path / "squares", people=4)
    frame = pd.read_csv(path)
    frame["expression"] = frame["expression"].replace({"anger": anger, "sadness": sadness})
    frame.to_csv(path, index=False)
    done = hae_audit("evaluate", "zoo:example-expression", "--data", f"manifest:{path}")
    assert f"its expression {sadness!r} is none of the model's, which are anger," in refused(done)
    assert not (tmp_path / "runs").exists()


def test_an_expression_model_knows_no_ages(hae_audit: Command) -> None:
    done = hae_audit("evaluate", "zoo:example-expression", "--data", "rendered:people=4",
                     "--task", "age")  # fmt: skip
    assert "example-expression predicts expression" in refused(done)


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        ("age,age_pred", "age"),
        ("age,age_pred,expression", "age"),  # drawn faces, judged by age
        ("expression,expression_pred", "expression"),
        ("age,age_pred,expression,expression_pred", "expression"),
        ("expression,prob_anger", "expression"),
    ],
)
def test_the_task_of_a_table(columns: str, task: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{columns}\n", encoding="utf-8")
    assert task_of(path, {}) == task


@pytest.mark.parametrize("task", [None, "age", "expression"])
def test_with_nothing_named_the_example_of_the_task_is_audited(task: str | None) -> None:
    (job,) = plan([], None, None, [], replace(NOTHING, task=task), Path("out"))  # type: ignore[arg-type]
    assert (job.model, job.data) == EXAMPLES["expression" if task == "expression" else "age"]

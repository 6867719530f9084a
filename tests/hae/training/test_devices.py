"""Several processes: as many as one, together."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from audit.errors import InputError
from hae.checkpoint import read_header
from hae.config import CHECKPOINT, RunConfig
from hae.models.age import AgeModel
from hae.training.age import AgeTask
from hae.training.run import RUN, open_run
from hae.views import fixed_views
from tests.hae.training.toys import SHORT, grey_faces, order, write_config, write_faces

LIMIT = 180


def gradient(task: AgeTask, world: int) -> dict[str, Tensor]:
    """What the first step goes by: the mean of the processes' gradients, as DDP takes it."""
    task.model.zero_grad()
    for rank in range(world):
        batch = next(iter(task.batches(world, rank)))
        (task.losses(batch)["total"] / world).backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in task.model.named_parameters()
        if parameter.grad is not None
    }


def test_two_processes_of_4_make_the_step_of_one_of_8() -> None:
    # No BatchNorm that is trained and no dropout: what a face gives depends on it alone.
    content = {
        "batch_size": 8,
        "seed": 2,
        "model": {
            "size": 16,
            "embedding": 8,
            "backbone": {"name": "small_resnet", "frozen": True},
            "aggregator": {"name": "mean"},
            "head": {"hidden": 8},
            "views": {"k": 2},
        },
    }
    config = RunConfig.model_validate(content)
    torch.manual_seed(0)
    model, faces = AgeModel(config.model).train(), grey_faces(24, people=12)
    views = fixed_views(config.model.views, seed=0)
    one = gradient(AgeTask(model, config, faces, faces, views), world=1)
    half = config.model_copy(update={"batch_size": 4})
    two = gradient(AgeTask(model, half, faces, faces, views), world=2)
    assert one.keys() == two.keys() >= {"projection.weight"}
    for name, expected in one.items():
        scale = float(expected.abs().max())
        torch.testing.assert_close(two[name], expected, rtol=1e-5, atol=1e-5 * max(scale, 1e-3))


def test_another_number_of_devices_may_not_go_on(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "faces", people=4, size=16)
    one = order(table, tmp_path / "run", *SHORT)
    assert not open_run(one, "age")
    (one.out / "resume.ckpt").write_text("")
    with pytest.raises(InputError, match=r"holds a run that differs in devices; give another"):
        open_run(replace(one, devices=2), "age")


def test_two_processes_write_one_checkpoint(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "faces", people=16, size=16)
    command = [
        sys.executable, "-m", "hae.cli", "train", "age", "--data", f"manifest:{table}",
        "--config", str(write_config(tmp_path)), "--out", str(tmp_path / "run"),
        "--devices", "2", "--set", "batch_size=4", "--set", "validate_every=3",
        *(part for text in SHORT[:2] + SHORT[3:] for part in ("--set", text)),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model.safetensors: step") == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["step 3", "step 6"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["logs", CHECKPOINT, RUN]
    assert json.loads((tmp_path / "run" / RUN).read_text())["devices"] == 2
    assert read_header(tmp_path / "run" / CHECKPOINT).provenance.best_step in (3, 6)
    tensors = load_file(tmp_path / "run" / CHECKPOINT)
    assert all(np.isfinite(values.float().numpy()).all() for values in tensors.values())

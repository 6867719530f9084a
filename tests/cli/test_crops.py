"""What is said loudly where a model meets faces that were cut, or split, in another way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hae.checkpoint import read_checkpoint
from hae.cli.concerns import concerns_of
from hae.data.core import Manifest
from hae.data.crop import Crop
from hae.data.manifest import write_manifest
from hae.data.readers import read_data
from hae.training.train_age import train_age
from tests.cli.running import FEW, Command
from tests.hae.training.toys import SHORT, Told, order, write_faces

BOXES = Crop(images="toys", region="box", margin=0.25)


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Toy faces in boxes of 12 of their 16 pixels."""
    folder = tmp_path_factory.mktemp("toys")
    manifest = read_data(f"manifest:{write_faces(folder, people=16, size=16)}")
    boxes = np.tile([2.0, 2.0, 14.0, 14.0], (len(manifest), 1))
    return replace(manifest, name="toys", boxes=boxes, crop=BOXES)


@pytest.fixture(scope="module")
def model(toys: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_manifest(toys, folder / "boxed.csv", "all of them")
    return train_age(order(folder / "boxed.csv", folder / "run", *SHORT), Told())


def table_of(toys: Manifest, path: Path, crop: Crop, leaky: dict[str, str] | None = None) -> str:
    write_manifest(replace(toys, crop=crop), path, "by hand", leaky)
    return f"manifest:{path}"


def test_checkpoint_keeps_the_crop(model: Path) -> None:
    assert read_checkpoint(model).header.provenance.trained_crop == BOXES


def test_another_crop_is_a_loud_warning(
    hae_audit: Command, model: Path, toys: Manifest, tmp_path: Path
) -> None:
    data = table_of(toys, tmp_path / "tight.csv", BOXES.model_copy(update={"margin": 0.0}))
    done = hae_audit("evaluate", model, "--data", data, "--out", "run", *FEW)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "run" / "audit.json").read_text("utf-8"))
    (found,) = [row for row in record["warnings"] if row["code"] == "crop_differs"]
    assert found["severity"] == "serious"
    assert "trained on the box of the face and 25 % of its longer side" in found["message"]
    assert "the crop differs" in done.stdout
    assert "(by hand; the model saw the box of the face, from toys" in record["run"]["data"]
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "the crop differs" in page
    done = hae_audit("predict", model, "--data", data, "--out", "p.parquet")
    assert "hae-audit: WARNING: the crop differs" in done.stderr


def test_the_same_crop_is_not_told(
    hae_audit: Command, model: Path, toys: Manifest, tmp_path: Path
) -> None:
    data = table_of(toys, tmp_path / "same.csv", BOXES)
    done = hae_audit("predict", model, "--data", data, "--out", "p.parquet")
    assert "crop" not in done.stderr


def test_a_crop_that_is_not_stated_is_told(model: Path, toys: Manifest) -> None:
    from hae.adapters.zoo import load_model

    unknown = replace(toys, crop=BOXES.model_copy(update={"images": "unknown"}))
    concerns = concerns_of(unknown, load_model(str(model)))
    (found,) = [row for row in concerns if row.code.startswith("crop")]
    assert (found.code, found.severity) == ("crop_unknown", "info")
    assert "it is not known how they were cut" in found.message


def test_a_leaky_split_is_a_serious_warning(
    hae_audit: Command, model: Path, toys: Manifest, tmp_path: Path
) -> None:
    from hae.adapters.zoo import load_model

    why = "split by image: 90 % of its faces have their person in training"
    data = table_of(toys, tmp_path / "leaky.csv", BOXES, {"": why})
    found = concerns_of(read_data(data), load_model(str(model)))
    assert ("leaky_split", "serious") in [(row.code, row.severity) for row in found]
    done = hae_audit("evaluate", model, "--data", data, "--out", "run", *FEW)
    assert why in done.stdout
    hae_audit("predict", model, "--data", data, "--out", "p.parquet")
    done = hae_audit("evaluate", "--predictions", "p.parquet", "--out", "again", *FEW)
    assert why in done.stdout  # the table itself says so
    told = Told()
    path = train_age(order(tmp_path / "leaky.csv", tmp_path / "trained", *SHORT), told)
    assert any(why in notice for notice in told.notices)
    assert read_checkpoint(path).header.provenance.leaky == why

"""A pack in the place of its images: training and prediction see no difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from hae.adapters.zoo import load_model
from hae.data.manifest import read_manifest
from hae.data.packs.read import PackedFaces, read_pack
from hae.data.packs.write import write_pack
from hae.predict import predict
from hae.training.faces import load_faces
from hae.training.train_age import train_age
from tests.hae import toys
from tests.hae.training.toys import SHORT, Told, order, write_faces

NONE: Mapping[str, str] = {}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """16 people, two photos of 24 pixels each; one photo is broken."""
    table = write_faces(tmp_path / "faces", people=16, size=24)
    (table.parent / "003-1.png").write_text("no picture")
    return table


def test_training_takes_the_pixels_of_the_pack(table: Path, tmp_path: Path) -> None:
    manifest = read_manifest(table, None, NONE)
    write_pack(manifest, tmp_path / "p", 16)
    packed = read_pack(tmp_path / "p", None, NONE)
    told: list[int] = []
    cache = tmp_path / "cache"
    found = load_faces(packed, 16, 1.0, cache, progress=told.append)
    assert told == [32]
    assert not cache.exists()
    assert isinstance(packed.images, PackedFaces)
    assert found.faces.store is packed.images.pixels
    plain = load_faces(manifest, 16, 1.0, cache)
    for name in ("sample", "person", "low", "high"):
        np.testing.assert_array_equal(getattr(found.faces, name), getattr(plain.faces, name))
    np.testing.assert_array_equal(found.faces.pixels(), plain.faces.pixels())
    assert (
        found.unreadable == plain.unreadable == (("003-1.png", "not an image in a known format"),)
    )


def test_a_split_of_the_pack_has_its_own_pixels(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table).assign(split=["a"] * 6 + ["b"] * 26)
    frame.to_csv(table, index=False)
    write_pack(read_manifest(table, None, NONE), tmp_path / "p", 16)
    for split in "ab":
        found = load_faces(read_pack(tmp_path / "p", split, NONE), 16, 1.0, tmp_path / "c")
        plain = load_faces(read_manifest(table, split, NONE), 16, 1.0, tmp_path / "c")
        np.testing.assert_array_equal(found.faces.pixels(), plain.faces.pixels())
        np.testing.assert_array_equal(found.faces.sample, plain.faces.sample)


def test_another_size_or_share_is_made_of_the_pack(table: Path, tmp_path: Path) -> None:
    write_pack(read_manifest(table, None, NONE), tmp_path / "p", 24)
    packed = read_pack(tmp_path / "p", None, NONE)
    for size, keep in ((16, 1.0), (12, 0.5)):
        faces = load_faces(packed, size, keep, tmp_path / "cache").faces
        assert faces.pixels().shape == (31, size, size, 3)
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2


def test_a_run_on_the_pack_gives_the_same_weights(table: Path, tmp_path: Path) -> None:
    plain = order(table, tmp_path / "plain", *SHORT)
    write_pack(plain.train, tmp_path / "p", 16)
    packed = replace(plain, train=read_pack(tmp_path / "p", None, NONE), out=tmp_path / "packed")
    packed = replace(packed, cache=tmp_path / "packed" / "cache")
    a, b = (load_file(train_age(one, Told())) for one in (plain, packed))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_predictions_over_a_pack_are_those_over_the_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(toys, "SIZE", (8, 8))
    model = load_model(str(toys.toy_model(tmp_path / "m", toys.SPEC.replace("[8, 6]", "[8, 8]"))))
    table = toys.toy_faces(tmp_path / "faces", 23)
    (tmp_path / "faces" / "images" / "5.png").write_text("no picture")
    manifest = read_manifest(table, None, NONE)
    write_pack(manifest, tmp_path / "p", 8)
    packed = read_pack(tmp_path / "p", None, NONE)
    found = predict(packed, model)
    assert found["failure_reason"].notna().sum() == 1
    pd.testing.assert_frame_equal(found, predict(manifest, model))

"""Packs: whose faces are in them, how they are cut, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audit.errors import InputError
from hae.data.core import Manifest, content_hash
from hae.data.crop import Crop
from hae.data.manifest import read_manifest
from hae.data.packs import blocks, write
from hae.data.packs.read import PackedFaces, read_pack
from hae.data.packs.write import write_pack
from hae.data.rendered.reader import read_rendered
from tests.hae.data.noise import NONE, SIDE, N, faces, pixels_of, same_faces


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """23 faces are five blocks of 5 or less."""
    monkeypatch.setattr(blocks, "BLOCK", 5)
    monkeypatch.setattr(write, "BLOCK", 5)


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    return faces(tmp_path / "data")


def test_the_box_and_its_margin(tmp_path: Path) -> None:
    # A box of 20 x 16 at (30, 42), so its centre is (40, 50) and its longer side 20. With a margin
    # of .25 the square's side is 20 * 1.5 = 30: columns 25 to 54, rows 35 to 64, as they are.
    pixels = np.random.default_rng(0).integers(0, 256, (100, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels).save(tmp_path / "b.png")
    table = tmp_path / "t.csv"
    table.write_text(
        "path,box_left,box_top,box_right,box_bottom\na.png,30,42,50,58\nb.png,,,,\n", "utf-8"
    )
    manifest = read_manifest(table, None, NONE)
    found = write_pack(manifest, tmp_path / "p", 30, crop=Crop(region="box", margin=0.25))
    assert found.reasons == ("", "no box of the face")
    packed = read_pack(tmp_path / "p", None, NONE)
    face, reason = pixels_of(packed, 30)
    np.testing.assert_array_equal(face, pixels[35:65, 25:55])
    assert reason == "no box of the face"
    assert packed.crop == Crop(images="scenes", region="box", margin=0.25)
    # Without the box: the largest square in the middle, 90 x 90 from row 5 on.
    write_pack(manifest, tmp_path / "q", 90, crop=Crop())
    whole = read_pack(tmp_path / "q", None, NONE)
    np.testing.assert_array_equal(pixels_of(whole, 90)[1], pixels[5:95])
    assert whole.crop == Crop(images="scenes")


def test_crops_that_cannot_be(data: Manifest, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--crop box: t has no boxes of the faces .* --crop im"):
        write_pack(data, tmp_path / "p", SIDE, crop=Crop(region="box"))
    boxed = replace(data, boxes=np.tile([5.0, 5.0, 25.0, 25.0], (N, 1)))
    with pytest.raises(InputError, match=r"--align roll: t does not say how the faces lean"):
        write_pack(boxed, tmp_path / "p", SIDE, crop=Crop(region="box", align="roll"))
    drawn = read_rendered(Path("people=3"), None, NONE)
    with pytest.raises(InputError, match=r"--crop: .* are not cut out of image files"):
        write_pack(drawn, tmp_path / "p", SIDE, crop=Crop(region="box"))
    assert not (tmp_path / "p").exists()


def test_failed_faces_keep_their_rows(tmp_path: Path) -> None:
    errors = ["", "no age in the name", *[""] * (N - 2)]
    data = faces(tmp_path / "data", label_error=errors)
    (tmp_path / "data/images/4.png").write_text("no picture")
    (tmp_path / "data/images/21.png").unlink()
    found = write_pack(data, tmp_path / "p", SIDE)
    failed = {row: why for row, why in enumerate(found.reasons) if why}
    wanted = {
        1: "no age in the name",
        4: "not an image in a known format",
        21: "no such file",
    }
    assert failed == wanted
    packed = read_pack(tmp_path / "p", None, NONE)
    assert len(packed) == N
    assert packed.reasons == found.reasons
    same_faces(pixels_of(packed), pixels_of(data))
    assert [packed.failure(row) for row in (0, 1, 21)] == ["", wanted[1], wanted[21]]
    assert isinstance(packed.images, PackedFaces)
    assert not packed.images.pixels[[1, 4, 21]].any()
    assert write_pack(data, tmp_path / "p", SIDE).reasons == found.reasons
    test = read_pack(tmp_path / "p", "test", NONE)  # rows 1, 3, 5, ... 21
    assert [test.failure(row) for row in (0, 1, 10)] == [wanted[1], "", wanted[21]]
    same_faces(pixels_of(test), pixels_of(data)[1:22:2])


def test_splits(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    whole = pixels_of(data)
    test = read_pack(tmp_path / "p", "test", NONE)
    assert (len(test), test.label) == (11, "t test")
    assert test.frame["sample_id"].tolist() == [f"f{row:03d}" for row in range(1, 22, 2)]
    same_faces(pixels_of(test), whole[1:22:2])
    assert content_hash(test) != content_hash(read_pack(tmp_path / "p", "train", NONE))
    with pytest.raises(InputError, match=r"--split val: no such row; the splits are test, train"):
        read_pack(tmp_path / "p", "val", NONE)


def test_a_packed_split_is_known_by_its_name(tmp_path: Path) -> None:
    drawn = read_rendered(Path("people=30"), "val", NONE)
    write_pack(drawn, tmp_path / "p", 64)
    for split in (None, "val"):
        packed = read_pack(tmp_path / "p", split, NONE)
        assert packed.label == drawn.label
        assert packed.drawn
        assert packed.sources == drawn.sources
        assert packed.terms == drawn.terms
        ages = packed.frame["age"].astype(float)
        np.testing.assert_array_equal(ages, drawn.frame["age"])  # to the last bit
    with pytest.raises(InputError, match=r"--split train: only val is packed"):
        read_pack(tmp_path / "p", "train", NONE)


def test_what_holds_for_the_faces_goes_along(data: Manifest, tmp_path: Path) -> None:
    told = replace(data, leaky="people are in train too", terms="free", made="split at random")
    write_pack(told, tmp_path / "p", SIDE)
    packed = read_pack(tmp_path / "p", None, NONE)
    assert packed.leaky is not None
    assert "people are in train too" in packed.leaky
    assert packed.terms == "free"
    assert packed.made == "split at random; packed at 24 x 24 pixels"
    test = read_pack(tmp_path / "p", "test", NONE)
    assert test.leaky == "people are in train too"


def test_columns_can_be_named(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    packed = read_pack(tmp_path / "p", None, {"years": "age"})
    assert packed.frame["years"].tolist() == data.frame["age"].tolist()


def test_a_pack_of_a_pack(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    first = read_pack(tmp_path / "p", None, NONE)
    write_pack(first, tmp_path / "q", 12)
    same_faces(pixels_of(read_pack(tmp_path / "q", None, NONE), 12), pixels_of(first, 12))

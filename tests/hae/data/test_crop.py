"""Faces cut out of their images: where, how large, how turned; what is said of other crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from hae.data.crop import WHOLE, Crop, crop_difference
from hae.data.images import Cut, Pixels, load_face, strict_decoding


def cut_out(
    path: Path, box: tuple[float, float, float, float], margin: float = 0.0, **more: float
) -> Pixels:
    roll, keep = more.get("roll", 0.0), more.get("keep", 1.0)
    face = load_face(path, (8, 8), keep, cut=Cut(box, margin, roll))
    assert not isinstance(face, str), face
    return face


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A white square of 10 px about (30, 20) on grey of 60 x 40."""
    image = np.full((40, 60, 3), 100, np.uint8)
    image[15:25, 25:35] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_box_alone(squares: Path) -> None:
    assert (cut_out(squares, (25, 15, 35, 25)) == 255).all()


def test_margin_is_a_share_of_the_longer_side_on_each_side(squares: Path) -> None:
    # 10 px and a half of it on both sides: 20 px, the middle 4 of 8 cells are the square's
    face = cut_out(squares, (25, 15, 35, 25), margin=0.5)[:, :, 0]
    assert (face[2:6, 2:6] == 255).sum() >= 4
    assert (face[[0, -1]] == 100).all()
    assert (face[:, [0, -1]] == 100).all()
    # a narrow box is cut as a square about its centre: the same picture
    narrow = cut_out(squares, (29, 15, 31, 25), margin=0.5)[:, :, 0]
    np.testing.assert_array_equal(narrow, face)


def test_keep_takes_a_share_of_the_square(squares: Path) -> None:
    np.testing.assert_array_equal(
        cut_out(squares, (20, 10, 40, 30), keep=0.5), cut_out(squares, (25, 15, 35, 25))
    )


def test_black_where_the_box_leaves_the_image(squares: Path) -> None:
    # 20 x 20 px about the corner (0, 0): only the lower right quarter is in the image
    face = cut_out(squares, (-10, -10, 10, 10))[:, :, 0]
    assert (face[:3] == 0).all()
    assert (face[:, :3] == 0).all()
    assert (face[5:, 5:] == 100).all()


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((100, 0, 120, 20), "lies outside the image of 60 x 40 pixels"),
        ((-20, 0, 0, 20), "lies outside"),
        ((20, 10, 20, 30), "has no area"),
        ((30, 30, 20, 10), "has no area"),
        ((-1e7, -1e7, 1e7, 1e7), "over 4 times the image's side"),
    ],
)
def test_impossible_boxes_are_reasons(
    squares: Path, box: tuple[float, float, float, float], words: str
) -> None:
    found = load_face(squares, (8, 8), 1.0, cut=Cut(box, 0.0))
    assert isinstance(found, str)
    assert words in found


def test_roll_is_turned_back(tmp_path: Path) -> None:
    """A bar that leans 30 degrees clockwise stands upright after the cut."""
    upright = Image.new("RGB", (100, 100))
    upright.paste((255, 255, 255), (45, 20, 55, 80))
    upright.rotate(-30, Image.Resampling.BICUBIC).save(tmp_path / "a.png")  # clockwise
    upright.save(tmp_path / "b.png")
    box = (25.0, 25.0, 75.0, 75.0)
    turned = cut_out(tmp_path / "a.png", box, roll=30.0).astype(int)
    leaning = cut_out(tmp_path / "a.png", box).astype(int)
    straight = cut_out(tmp_path / "b.png", box).astype(int)
    assert np.abs(turned - straight).mean() < 8
    assert np.abs(leaning - straight).mean() > 30


def test_large_jpeg_box_is_the_same_at_its_smaller_scale(tmp_path: Path) -> None:
    """A JPEG may be decoded at a half or less: the box must follow."""
    rows, columns = np.mgrid[0:800, 0:1200]
    image = np.stack([rows * 255 // 800, columns * 255 // 1200, 0 * rows], axis=2).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)
    face = cut_out(tmp_path / "a.jpg", (300, 200, 900, 800)).astype(float)
    # the middle of cell i of 8 lies at 200 + 75 (i + 1/2) px
    expected = 255 * (200 + 75 * (np.arange(8) + 0.5)) / 800
    np.testing.assert_allclose(face[:, 4, 0], expected, atol=4)
    np.testing.assert_allclose(
        face[4, :, 1], 255 * (300 + 75 * (np.arange(8) + 0.5)) / 1200, atol=3
    )


def test_link_that_leaves_the_folder_is_refused(tmp_path: Path, squares: Path) -> None:
    root = tmp_path / "data"
    (root / "inner").mkdir(parents=True)
    Image.new("RGB", (4, 4), (9, 9, 9)).save(root / "inner" / "own.png")
    (root / "outside.png").symlink_to(squares)
    (root / "inside.png").symlink_to(root / "inner" / "own.png")
    out = load_face(root / "outside.png", (4, 4), 1.0, root=root)
    assert out == "a symbolic link out of the data set's folder; give the real one"
    assert not isinstance(load_face(root / "inside.png", (4, 4), 1.0, root=root), str)
    linked = tmp_path / "link"
    linked.symlink_to(root)  # the folder itself may be a link
    assert not isinstance(load_face(linked / "inner" / "own.png", (4, 4), 1.0, root=linked), str)


def test_huge_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """30,000 x 30,000 px in a file of a few hundred bytes: only its header is read."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with strict_decoding():
        found = load_face(tmp_path / "a.png", (8, 8), 1.0)
    assert isinstance(found, str)
    assert "pixels: refused" in found


def test_of_a_moving_image_the_first_picture_is_taken(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ((200, 0, 0), (0, 0, 200)))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    face = load_face(tmp_path / "a.gif", (4, 4), 1.0)
    assert not isinstance(face, str)
    assert face[..., 0].min() > 190
    assert face[..., 2].max() < 10


def test_crops_are_compared_in_words() -> None:
    boxes = Crop(images="scenes", region="box", margin=0.4)
    assert crop_difference(boxes, boxes, "m") is None
    assert crop_difference(None, boxes, "m") is None
    tight = crop_difference(boxes, boxes.model_copy(update={"margin": 0.1}), "m")
    assert tight is not None
    assert "40 % of its longer side" in tight
    assert "10 % of its longer side" in tight
    chips, wild = Crop(images="chips"), Crop(images="wild")
    assert "differs" in (crop_difference(chips, wild, "m") or "")
    # nothing is known of the images: the same region is let pass, another one is not
    assert crop_difference(chips, WHOLE, "m") is None
    assert "seems to differ" in (crop_difference(boxes, WHOLE, "m") or "")


def test_margin_without_a_box_is_refused() -> None:
    with pytest.raises(ValidationError, match="belong to region 'box'"):
        Crop(margin=0.2)

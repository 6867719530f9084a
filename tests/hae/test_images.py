from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hae.data.images import is_there, load_face, strict_decoding


def pixels(path: Path, size: tuple[int, int] = (4, 4), keep: float = 1.0) -> np.ndarray:
    face = load_face(path, size, keep)
    assert not isinstance(face, str), face
    assert face.shape == (*size, 3)
    assert face.dtype == np.uint8
    return face


def test_centre_is_cut_to_the_shape_of_the_input(tmp_path: Path) -> None:
    # 12 wide, 4 high: the left and right thirds are red, the middle square is blue.
    image = np.zeros((4, 12, 3), np.uint8)
    image[:, :4] = image[:, 8:] = (255, 0, 0)
    image[:, 4:8] = (0, 0, 255)
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == (0, 0, 255)).all()


def test_keep_cuts_a_border_away(tmp_path: Path) -> None:
    image = np.full((20, 20, 3), 255, np.uint8)
    image[3:17, 3:17] = 10
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png", keep=0.5) == 10).all()
    assert pixels(tmp_path / "a.png", keep=1.0).max() > 100


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:4] = 255  # upper half white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise: the right half is white
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    face = pixels(tmp_path / "a.png", size=(2, 2))
    assert face[:, 1].min() > 200
    assert face[:, 0].max() < 50


def test_sixteen_bits_are_cut_to_the_upper_eight(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0x8012, np.uint16)).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == 0x80).all()


@pytest.mark.parametrize("mode", ["L", "CMYK", "1", "P"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    name = "a.jpg" if mode == "CMYK" else "a.png"
    Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode).save(tmp_path / name)
    assert pixels(tmp_path / name).min() > 250


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == 255).all()


def test_missing_file(tmp_path: Path) -> None:
    assert load_face(tmp_path / "none.png", (4, 4), 1.0) == "no such file"


def test_folder_is_no_image(tmp_path: Path) -> None:
    assert load_face(tmp_path, (4, 4), 1.0) == "cannot be read: Is a directory"


def test_text_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not an image")
    assert load_face(tmp_path / "a.jpg", (4, 4), 1.0) == "not an image in a known format"


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert load_face(tmp_path / "a.jpg", (4, 4), 1.0) == "not an image in a known format"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_file_gives_a_reason(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    for share in (0.2, 0.5, 0.9):
        content = whole.read_bytes()
        part = tmp_path / f"part{suffix}"
        part.write_bytes(content[: int(len(content) * share)])
        reason = load_face(part, (4, 4), 1.0)
        assert isinstance(reason, str)
        assert "\n" not in reason


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (8, 8), 0.5).save(tmp_path / "a.tiff")
    assert "floating-point" in str(load_face(tmp_path / "a.tiff", (4, 4), 1.0))


@pytest.mark.parametrize("limit", [50, 20])  # below the size, and below half of it
def test_decompression_bomb_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with strict_decoding():
        assert load_face(tmp_path / "a.png", (4, 4), 1.0) == f"more than {limit} pixels: refused"


def test_large_jpeg_at_smaller_scale_stays_close(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    image = np.stack([np.tile(ramp, (800, 1))] * 3, axis=2)
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(image).save(tmp_path / "a.png")
    jpeg, png = (pixels(tmp_path / name, (16, 16)).astype(int) for name in ("a.jpg", "a.png"))
    assert np.abs(jpeg - png).max() <= 3


def test_twelve_bits_in_sixteen_are_not_black(tmp_path: Path) -> None:
    """A range that is not 0 to 65535 would come out black, and get an age."""
    Image.fromarray(np.full((8, 8), 2000, np.uint16)).save(tmp_path / "a.png")
    found = load_face(tmp_path / "a.png", (4, 4), 1.0)
    assert isinstance(found, str)
    assert "reach only 2000 of 65535" in found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert load_face(tmp_path / "a.jpg", (4, 4), 1.0) == "is no regular file"


def test_names_that_no_file_has_are_reasons(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for path in (tmp_path / "loop.jpg", tmp_path / "a\0b.jpg", tmp_path / ("a" * 300)):
        assert isinstance(load_face(path, (4, 4), 1.0, root=tmp_path), str)
        assert not is_there(path)


def test_formats_that_run_programs_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert load_face(tmp_path / "a.jpg", (4, 4), 1.0) == "not an image in a known format"


@pytest.mark.parametrize("error", [RuntimeError("bad"), AttributeError("none")])
def test_whatever_a_decoder_raises_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image, "open", broken)
    assert load_face(tmp_path / "a.png", (4, 4), 1.0) == f"cannot be decoded: {error}"

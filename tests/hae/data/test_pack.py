"""Packs: the same bytes as the images, however they were made, and refusals of what is broken."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from hae.data.card import read_card
from hae.data.core import Manifest, content_hash
from hae.data.crop import Crop
from hae.data.packs import blocks, write
from hae.data.packs.blocks import PART, STATE
from hae.data.packs.info import PIXELS, RECORD, TABLE
from hae.data.packs.read import read_pack
from hae.data.packs.write import LOCK, verify_pack, write_pack
from hae.training.store import locked
from tests.hae.data.noise import NONE, SIDE, N, bytes_of, faces, pixels_of, same_faces


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """23 faces are five blocks of 5 or less."""
    monkeypatch.setattr(blocks, "BLOCK", 5)
    monkeypatch.setattr(write, "BLOCK", 5)


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    return faces(tmp_path / "data")


@dataclass
class Stop:
    """A progress that interrupts after some faces, as Ctrl-C would."""

    after: int
    seen: int = 0

    def __call__(self, done: int) -> None:
        self.seen += done
        if self.seen > self.after:
            raise KeyboardInterrupt


def test_a_pack_is_its_data_set(data: Manifest, tmp_path: Path) -> None:
    found = write_pack(data, tmp_path / "p", SIDE)
    assert (found.decoded, found.reasons) == (N, ())
    packed = read_pack(tmp_path / "p", None, NONE)
    pd.testing.assert_frame_equal(packed.frame, data.frame)
    same_faces(pixels_of(packed), pixels_of(data))
    raw = np.load(tmp_path / "p" / PIXELS, mmap_mode="r", allow_pickle=False)
    assert (raw.shape, raw.dtype) == ((N, SIDE, SIDE, 3), np.uint8)
    np.testing.assert_array_equal(raw, np.stack(pixels_of(data)))
    assert (packed.crop, packed.split, packed.sources) == (data.crop, None, data.sources)
    assert packed.name == "t"
    info = json.loads((tmp_path / "p" / RECORD).read_text())
    assert info["format"] == "hae-audit/pack/1"
    assert info["source"] == content_hash(data)
    assert len(info["blocks"]) == 5
    assert read_card(tmp_path / "p" / TABLE) is not None
    assert verify_pack(tmp_path / "p").n == N


def test_other_sizes_are_cut_out_of_the_packed_face(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    packed = read_pack(tmp_path / "p", None, NONE)
    # Half of 24 pixels at 12: the middle as it is, nothing is scaled.
    inside = [face[6:18, 6:18] for face in pixels_of(data) if not isinstance(face, str)]
    same_faces(pixels_of(packed, 12, 0.5), list(inside))
    # At a quarter of the area each pixel is a weighted mean; the overall mean stays.
    for small, whole in zip(pixels_of(packed, 12), pixels_of(data), strict=True):
        assert not isinstance(small, str)
        assert not isinstance(whole, str)
        assert small.shape == (12, 12, 3)
        assert small.mean() == pytest.approx(whole.mean(), abs=4)
    assert packed.faces([3], (12, 8), 1.0)[0].shape == (12, 8, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("side", "keep", "needed"), [(25, 1.0, 25), (24, 0.875, 28), (21, 0.85, 25), (12, 0.4, 30)]
)
def test_scaling_up_is_refused(
    data: Manifest, tmp_path: Path, side: int, keep: float, needed: int
) -> None:
    # 24 / .875 = 27.4, 21 / .85 = 24.7, 12 / .4 = 30 pixels must be there
    write_pack(data, tmp_path / "p", SIDE)
    with pytest.raises(InputError, match=rf"packed at 24 pixels, and {side} .* --size {needed}$"):
        pixels_of(read_pack(tmp_path / "p", None, NONE), side, keep)


def test_just_enough_pixels_are_enough(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    assert len(pixels_of(read_pack(tmp_path / "p", None, NONE), 21, 0.875)) == N  # 24 * .875 = 21


@pytest.mark.parametrize("after", [0, 4, 5, 9, 12, 20, 22])
def test_an_interrupted_pack_goes_on(data: Manifest, tmp_path: Path, after: int) -> None:
    write_pack(data, tmp_path / "whole", SIDE)
    with pytest.raises(KeyboardInterrupt):
        write_pack(data, tmp_path / "p", SIDE, workers=1, progress=Stop(after))
    assert not (tmp_path / "p" / RECORD).exists()
    assert not (tmp_path / "p" / LOCK).exists()
    told: list[int] = []
    found = write_pack(data, tmp_path / "p", SIDE, progress=told.append)
    assert sum(told) == N
    # progress comes after each block of 5: the block that it tells of is full, and is kept
    full = min(5 * (after // 5 + 1), N)
    assert (found.decoded, found.found) == (N - full, False)
    assert told[0] == full
    assert bytes_of(tmp_path / "p") == bytes_of(tmp_path / "whole")


def test_finished_blocks_are_kept_and_changed_ones_are_not(
    data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack(data, tmp_path / "whole", SIDE)
    out = tmp_path / "p"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(write, "write_card", killed)  # all pixels are there, pack.json is not
        with pytest.raises(KeyboardInterrupt):
            write_pack(data, out, SIDE)
    with (out / PIXELS).open("r+b") as stream:  # in block 3 of 0 to 4
        stream.seek(128 + 16 * SIDE * SIDE * 3)
        stream.write(b"\x00\x01\x02")
    found = write_pack(data, out, SIDE)
    assert found.decoded == N - 15  # blocks 0 to 2 are whole
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_a_torn_line_or_a_lost_file_costs_only_its_blocks(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "whole", SIDE)
    out = tmp_path / "p"
    with pytest.raises(KeyboardInterrupt):
        write_pack(data, out, SIDE, workers=1, progress=Stop(22))
    text = (out / STATE).read_text()
    assert len(text.splitlines()) == 6  # what is packed, and all five blocks
    (out / STATE).write_text(text + '{"sha256": "ab')
    (out / PART).unlink()
    assert write_pack(data, out, SIDE).decoded == N
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_bytes_do_not_depend_on_the_threads(data: Manifest, tmp_path: Path, workers: int) -> None:
    write_pack(data, tmp_path / "a", SIDE)
    write_pack(data, tmp_path / "b", SIDE, workers=workers)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_blocks_of_the_usual_size_are_whole_batches() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 1024)
        sizes = [blocks._batch_size(3 * side**2) for side in (8, 64, 224, 512, 4096)]
    assert sizes == [256, 256, 128, 32, 16]


def test_a_finished_pack_is_left_alone(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    before = bytes_of(tmp_path / "p")
    again = write_pack(data, tmp_path / "p", SIDE)
    assert (again.decoded, again.found) == (0, True)
    assert bytes_of(tmp_path / "p") == before


@pytest.mark.parametrize("finished", [True, False])
def test_another_pack_in_the_folder_is_refused(
    data: Manifest, tmp_path: Path, finished: bool
) -> None:
    out = tmp_path / "p"
    boxed = replace(data, boxes=np.tile([5.0, 5.0, 25.0, 25.0], (N, 1)))
    if finished:
        write_pack(boxed, out, SIDE)
    else:
        with pytest.raises(KeyboardInterrupt):
            write_pack(boxed, out, SIDE, progress=Stop(3))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    what = "a pack" if finished else "an unfinished pack"
    with pytest.raises(InputError, match=rf"p: holds {what} that differs in size; give another"):
        write_pack(boxed, out, SIDE + 1)
    with pytest.raises(InputError, match=rf"holds {what} that differs in crop and its faces or"):
        write_pack(boxed, out, SIDE, crop=Crop(region="box"))
    os.utime(tmp_path / "data" / "images" / "3.png", (1, 1))
    with pytest.raises(InputError, match=r"differs in its faces or their files; give another"):
        write_pack(boxed, out, SIDE)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_files_of_others_are_not_written_over(data: Manifest, tmp_path: Path) -> None:
    table = tmp_path / "data" / "faces.csv"
    table.write_text("path\nx.png\n")
    with pytest.raises(InputError, match=r"faces\.csv: is of no pack and would be written over"):
        write_pack(data, tmp_path / "data", SIDE)
    assert table.read_text() == "path\nx.png\n"
    with pytest.raises(InputError, match=r"--out .*faces\.csv: .* is a file; give a folder"):
        write_pack(data, table, SIDE)


def test_one_process_at_a_time(data: Manifest, tmp_path: Path) -> None:
    with (
        locked(tmp_path / "p" / LOCK),
        pytest.raises(InputError, match="another process is at work there"),
    ):
        write_pack(data, tmp_path / "p", SIDE)
    assert write_pack(data, tmp_path / "p", SIDE).decoded == N


def test_a_full_disk(data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(InputError, match=r"no room for .* make room or give another --out"):
            write_pack(data, tmp_path / "p", SIDE)
    assert not list((tmp_path / "p").iterdir())
    assert write_pack(data, tmp_path / "p", SIDE).decoded == N


def test_a_flipped_byte_is_found(data: Manifest, tmp_path: Path) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    face = SIDE * SIDE * 3
    path = tmp_path / "p" / PIXELS
    content = bytearray(path.read_bytes())
    for place in (128 + 7 * face + 5, len(content) - 1):
        content[place] ^= 1
    path.write_bytes(content)
    read_pack(tmp_path / "p", None, NONE)  # its lengths are right
    told: list[int] = []
    with pytest.raises(InputError) as error:
        verify_pack(tmp_path / "p", progress=told.append)
    wanted = "block 1 (faces 6 to 10), block 4 (faces 21 to 23) changed since pack.json was written"
    assert wanted in str(error.value)
    assert sum(told) == N


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (PIXELS, lambda b: b[:-1], r"pixels\.npy: is missing or cut off .*pack again"),
        (PIXELS, lambda b: b[:60], r"pixels\.npy: is missing or cut off"),
        (PIXELS, lambda b: b + b"x", r"pixels\.npy: has bytes behind its end"),
        (PIXELS, lambda b: b.replace(b"(23,", b"(22,"), r"does not hold \(23, 24, 24, 3\) bytes"),
        (PIXELS, None, r"pixels\.npy: is missing or cut off \(No such file"),
        (TABLE, lambda b: b.replace(b"20.25", b"90.25"), r"faces\.csv: is missing, was changed"),
        (TABLE, None, r"faces\.csv: is missing"),
        (TABLE + ".card.json", None, r"faces\.csv: .* has no card"),
        (RECORD, None, r"pack\.json: no such file, so .* is no finished pack"),
        (RECORD, lambda b: b[:50], r"pack\.json: cannot be read as JSON"),
        (RECORD, lambda b: b"[]", r"pack\.json: holds no JSON object"),
        (RECORD, lambda b: b.replace(b'"n": 23', b'"n": 26'), r"has 5 blocks, 26 faces need 6"),
        (RECORD, lambda b: b.replace(b"pack/1", b"pack/9"), r"pack\.json: format"),
        (RECORD, lambda b: b.replace(b'"total": "', b'"total": "0'), r"total is not the sum"),
    ],
)
def test_what_is_broken_is_named(
    data: Manifest, tmp_path: Path, name: str, change: object, message: str
) -> None:
    write_pack(data, tmp_path / "p", SIDE)
    path = tmp_path / "p" / name
    if callable(change):
        path.write_bytes(change(path.read_bytes()))
    else:
        path.unlink()
    with pytest.raises(InputError, match=message):
        read_pack(tmp_path / "p", None, NONE)
    with pytest.raises(InputError, match=message):
        verify_pack(tmp_path / "p")

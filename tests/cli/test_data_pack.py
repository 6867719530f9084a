"""``data pack`` and ``data verify`` as a person runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hae.cli import pack as command
from hae.data.packs.info import PIXELS, RECORD
from tests.cli.running import Command, names_in, process, refused
from tests.hae.toys import toy_faces

FILES = ["faces.csv", "faces.csv.card.json", "pack.json", "pixels.npy"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Seven pictures of 60 x 80 pixels."""
    return toy_faces(tmp_path / "data", 7)


def test_pack_says_what_it_did(hae_audit: Command, table: Path, tmp_path: Path) -> None:
    (table.parent / "images/2.png").write_text("no picture")
    (table.parent / "images/4.png").unlink()
    (table.parent / "images/5.png").unlink()
    arguments = ("data", "pack", f"manifest:{table}", "--out", "p", "--size", 16, "--workers", 2)
    done = hae_audit(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *reasons = done.stdout.splitlines()
    # 7 * 16 * 16 * 3 = 5,376 bytes
    assert re.fullmatch(
        r"p: 7 faces of 16 x 16 pixels, 3 failed, 0\.0 MB, [\d,]+ faces/s", first
    ), first
    assert reasons == ["  2 x no such file", "  1 x not an image in a known format"]
    assert names_in(tmp_path / "p") == FILES
    again = hae_audit(*arguments)
    assert again.returncode == 0
    assert again.stderr == "hae-audit: p: is packed already\n"
    assert again.stdout.splitlines()[0] == "p: 7 faces of 16 x 16 pixels, 3 failed, 0.0 MB"


def test_verify(hae_audit: Command, table: Path, tmp_path: Path) -> None:
    assert hae_audit("data", "pack", f"manifest:{table}", "--out", "p", "--size", 16).stdout
    done = hae_audit("data", "verify", "p")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "p: 7 faces, every checksum fits\n"
    with (tmp_path / "p" / PIXELS).open("r+b") as stream:
        stream.seek(4000)
        stream.write(b"\xaa\xbb\xcc\xdd")
    told = refused(hae_audit("data", "verify", "p"))
    assert told.startswith("p/pixels.npy: block 0 (faces 1 to 7) changed since pack.json was writt")
    assert "p2/pack.json: no such file, so p2 is no" in refused(hae_audit("data", "verify", "p2"))


def test_crops(hae_audit: Command, table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame[["box_left", "box_top", "box_right", "box_bottom"]] = [10, 20, 30, 40]
    frame.to_csv(table, index=False)
    for number, (arguments, wanted) in enumerate(
        [
            ((), {"region": "box", "margin": 0.4, "align": "none"}),  # as the table's reader says
            (("--margin", 0.1), {"region": "box", "margin": 0.1, "align": "none"}),
            (("--crop", "box", "--margin", 0), {"region": "box", "margin": 0.0, "align": "none"}),
            (("--crop", "image"), {"region": "image", "margin": 0.0, "align": "none"}),
        ]
    ):
        out = tmp_path / f"p{number}"
        data = ("data", "pack", f"manifest:{table}", "--out", out, "--size", 8)
        assert hae_audit(*data, *arguments).returncode == 0
        assert json.loads((out / RECORD).read_text())["crop"] == {"images": "scenes", **wanted}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--crop", "box"), "--crop box: faces has no boxes of the faces"),
        (("--margin", 0.3), "--crop, --margin and --align: margin and align belong to region"),
        (("--crop", "box", "--margin", 9), "--crop, --margin and --align: margin: Input should"),
        (("--align", "roll"), "--crop, --margin and --align: margin and align belong to region"),
        (("--split", "test"), "the table has no column 'split'"),
        (("--out", "data/faces.csv"), "--out data/faces.csv: data/faces.csv is a file"),
        (("--out", "data"), "data/faces.csv: is of no pack and would be written over; give anothe"),
        (("--map", "age"), "--map 'age': must be OURS=THEIRS"),
    ],
)
def test_refusals(
    hae_audit: Command, table: Path, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    data = ("data", "pack", f"manifest:{table}", "--size", 16)
    out = () if "--out" in arguments else ("--out", "p")
    before = table.read_bytes()
    assert message in refused(hae_audit(*data, *out, *arguments))
    assert table.read_bytes() == before
    assert names_in(tmp_path) == ["data"]


def test_a_wrong_folder_of_images(hae_audit: Command, table: Path) -> None:
    for path in (table.parent / "images").iterdir():
        path.unlink()
    told = refused(hae_audit("data", "pack", f"manifest:{table}", "--out", "p", "--size", 16))
    assert "none of its 7 images exists" in told


def test_interrupted(
    hae_audit: Command, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ("data", "pack", f"manifest:{table}", "--out", "p", "--size", 16)
    with monkeypatch.context() as patch:
        patch.setattr("hae.data.packs.write.write_pack", press)
        done = hae_audit(*arguments)
    assert done.returncode == 130
    assert "interrupted; finished blocks are kept, the same command goes on" in done.stderr
    assert hae_audit(*arguments).returncode == 0


def test_a_pack_is_read_by_name(hae_audit: Command, table: Path, tmp_path: Path) -> None:
    assert hae_audit("data", "pack", f"manifest:{table}", "--out", "p", "--size", 16).stdout
    assert hae_audit("data", "pack", "pack:p", "--out", "q", "--size", 16).returncode == 0
    np.testing.assert_array_equal(np.load("p/pixels.npy"), np.load("q/pixels.npy"))
    told = refused(hae_audit("data", "pack", "pack:p", "--out", "r", "--size", 20))
    assert told.endswith(
        "p: its faces are packed at 16 pixels, and 20 pixels are asked for; pack "
        "the data at --size 20"
    )
    assert "p/none/pack.json: no such file" in refused(hae_audit("data", "verify", "p/none"))


def test_help_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = process("data", "pack", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "an interrupted run goes on" in " ".join(done.stdout.split())
    assert command.data_pack.__doc__

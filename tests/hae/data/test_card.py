"""Tables of faces with boxes, reasons and a card beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.errors import InputError
from hae.data.card import card_path
from hae.data.core import Manifest, content_hash, state_hash
from hae.data.crop import MARGIN, Crop
from hae.data.manifest import write_manifest
from hae.data.places import BOX
from hae.data.readers import read_data


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    root = tmp_path / "images"
    root.mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (20, 20), (50, 60, 70)).save(root / f"{name}.png")
    frame = pd.DataFrame(
        {
            "sample_id": ["a", "b", "ç"],
            "path": ["a.png", "b.png", "c.png"],
            "age": ["007", None, "30"],
            "split": ["train", "train", "test"],
        },
        dtype="str",
    )
    return Manifest(
        name="toy",
        root=root,
        frame=frame,
        files=(),
        sources={"gender": "perceived"},
        terms="none",
        crop=Crop(images="scenes", region="box", margin=0.2, align="roll"),
        boxes=np.array([[2, 2, 18, 18], [0, 0, 5, 5], [np.nan] * 4]),
        rolls=np.array([10.0, np.nan, 0.0]),
        reasons=("", "no age", ""),
    )


def test_written_and_read_again(manifest: Manifest, tmp_path: Path) -> None:
    table = tmp_path / "tables" / "t.csv"
    table.parent.mkdir()
    write_manifest(manifest, table, "by hand", {"test": "people of train are in it"})
    found = read_data(f"manifest:{table}")
    pd.testing.assert_frame_equal(
        found.frame.drop(columns="path"), manifest.frame.drop(columns="path")
    )
    assert found.boxes is not None
    assert found.rolls is not None
    np.testing.assert_array_equal(found.boxes, manifest.boxes)
    np.testing.assert_array_equal(found.rolls, manifest.rolls)
    assert (found.reasons, found.crop, found.terms) == (manifest.reasons, manifest.crop, "none")
    assert found.name == "toy"
    assert found.sources == {"gender": "perceived"}
    assert found.leaky == "test: people of train are in it"
    assert read_data(f"manifest:{table}", "test").leaky == "people of train are in it"
    assert read_data(f"manifest:{table}", "train").leaky is None


def test_rows_fail_with_their_reasons(manifest: Manifest, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    write_manifest(manifest, table)
    for data in (manifest, read_data(f"manifest:{table}")):
        first, second, third = data.faces(range(3), (4, 4), 1.0)
        assert not isinstance(first, str)
        assert second == "no age"
        assert third == "no box of the face"


def test_changed_table_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    write_manifest(manifest, table)
    table.write_text(table.read_text("utf-8").replace("train", "test"), encoding="utf-8")
    with pytest.raises(InputError, match="was changed after"):
        read_data(f"manifest:{table}")
    card_path(table).unlink()
    assert len(read_data(f"manifest:{table}", "test")) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"format": "x"}', "{"])
def test_broken_card(manifest: Manifest, tmp_path: Path, text: str) -> None:
    table = tmp_path / "t.csv"
    write_manifest(manifest, table)
    card_path(table).write_text(text)
    with pytest.raises(InputError, match=r"t\.csv\.card\.json"):
        read_data(f"manifest:{table}")


def own_table(path: Path, **columns: Sequence[object]) -> str:
    pd.DataFrame({"path": ["images/a.png", "images/b.png"], **columns}).to_csv(path, index=False)
    return f"manifest:{path}"


def test_own_boxes_are_cut_with_the_usual_margin(manifest: Manifest, tmp_path: Path) -> None:
    edges = {f"box_{side}": [1, 2] for side in ("left", "top")}
    edges |= {f"box_{side}": [9, None] for side in ("right", "bottom")}
    found = read_data(own_table(tmp_path / "t.csv", **edges))
    assert found.crop == Crop(images="scenes", region="box", margin=MARGIN)
    assert [isinstance(face, str) for face in found.faces([0, 1], (4, 4), 1.0)] == [False, True]
    assert list(found.frame.columns) == ["sample_id", "path"]


def test_roll_of_the_eyes(manifest: Manifest, tmp_path: Path) -> None:
    # the second eye lies 10 px to the right and 10 px below: the head leans 45 degrees clockwise
    eyes = {"left_eye_x": [5, 5], "left_eye_y": [5, 5], "right_eye_x": [15, 15]}
    data = own_table(tmp_path / "t.csv", **eyes, right_eye_y=[15, 5])
    assert read_data(data).rolls == pytest.approx([45.0, 0.0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"box_left": [1, 2]}, "has a column 'box_left' but none 'box_top'"),
        ({"roll": ["x", 1]}, "row 1: roll is 'x', must be a number"),
    ],
)
def test_wrong_places(tmp_path: Path, columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_data(own_table(tmp_path / "t.csv", **columns))


def test_copied_data_is_known_again_and_replaced_files_are_noticed(
    manifest: Manifest, tmp_path: Path
) -> None:
    import os
    import shutil
    from dataclasses import replace

    copy = replace(manifest, root=tmp_path / "copy")
    shutil.copytree(manifest.root, copy.root)
    for path in copy.paths():
        os.utime(path, (1, 1))
    assert content_hash(copy) == content_hash(manifest)
    assert state_hash(copy) != state_hash(manifest)
    assert manifest.boxes is not None
    moved = replace(manifest, boxes=manifest.boxes + 1)
    assert content_hash(moved) != content_hash(manifest)


@pytest.mark.parametrize("pair", [{"split": "age"}, {"note": "split"}, {"subject_id": "age"}])
def test_columns_that_a_card_vouches_for_are_not_mapped(
    manifest: Manifest, tmp_path: Path, pair: dict[str, str]
) -> None:
    write_manifest(manifest, tmp_path / "t.csv")
    with pytest.raises(InputError, match="vouches for this column"):
        read_data(f"manifest:{tmp_path / 't.csv'}", None, pair)


def test_links_are_guarded_through_a_table_elsewhere(manifest: Manifest, tmp_path: Path) -> None:
    from dataclasses import replace

    Image.new("RGB", (20, 20)).save(tmp_path / "outside.png")
    (manifest.root / "a.png").unlink()
    (manifest.root / "a.png").symlink_to(tmp_path / "outside.png")
    plain = replace(manifest, crop=Crop(images="scenes"), boxes=None, rolls=None)
    (tmp_path / "tables").mkdir()
    write_manifest(plain, tmp_path / "tables" / "t.csv")
    found = read_data(f"manifest:{tmp_path / 'tables' / 't.csv'}")
    first, _, third = found.faces(range(3), (4, 4), 1.0)
    assert isinstance(first, str)
    assert "symbolic link" in first
    assert not isinstance(third, str)


def test_table_behind_a_linked_folder_may_be_written_again(
    manifest: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "real" / "deep" / "out").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep" / "out")
    write_manifest(manifest, tmp_path / "link" / "t.csv")
    write_manifest(read_data(f"manifest:{tmp_path / 'link' / 't.csv'}"), tmp_path / "again.csv")
    assert all(path.is_file() for path in read_data(f"manifest:{tmp_path / 'again.csv'}").paths())


def test_infinite_box_is_refused(tmp_path: Path) -> None:
    edges: dict[str, Sequence[object]] = {name: [1, 2] for name in BOX} | {"box_right": [9, "inf"]}
    with pytest.raises(InputError, match="row 2: box_right is 'inf'"):
        read_data(own_table(tmp_path / "t.csv", **edges))

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from audit.errors import InputError
from hae.data.core import content_hash
from hae.data.readers import read_data
from tests.hae.toys import draw, toy_faces

HEADER = "file,age,gender,race,service_test\n"


def fairface(folder: Path, rows: str, header: str = HEADER, split: str = "val") -> str:
    (folder / f"fairface_label_{split}.csv").write_text(header + rows, encoding="utf-8")
    return f"fairface:{folder}"


def test_fairface_keeps_bands_and_names_sources(tmp_path: Path) -> None:
    text = fairface(tmp_path, "val/1.jpg,3-9,Male,East Asian,False\n")
    manifest = read_data(text)
    assert manifest.frame.iloc[0].to_dict() == {
        "sample_id": "val/1.jpg",
        "path": "val/1.jpg",
        "age": "3-9",
        "gender": "Male",
        "race": "East Asian",
        "service_test": "False",
    }
    assert manifest.label == "fairface val"
    assert manifest.sources == {"gender": "perceived", "race": "perceived"}
    assert manifest.paths() == [tmp_path / "val/1.jpg"]


def test_fairface_repairs_what_a_spreadsheet_did(tmp_path: Path) -> None:
    ages = ["03-Sep", "9-Mar", "Oct-19", "19-Oct", "70+", "more than 70", "0-2"]
    rows = "".join(f"val/{i}.jpg,{age},Male,White,TRUE\n" for i, age in enumerate(ages))
    frame = read_data(fairface(tmp_path, rows)).frame
    expected = ["3-9", "3-9", "10-19", "10-19", "more than 70", "more than 70", "0-2"]
    assert frame["age"].tolist() == expected
    assert set(frame["service_test"]) == {"True"}


def test_fairface_train_is_another_file(tmp_path: Path) -> None:
    text = fairface(tmp_path, "train/1.jpg,0-2,Male,White,True\n", split="train")
    assert read_data(text, "train").frame["path"].tolist() == ["train/1.jpg"]
    with pytest.raises(InputError, match=r"fairface_label_val\.csv: no such file"):
        read_data(text, "val")


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ("val/1.jpg,5 years,Male,White,True\n", HEADER, r"row 1: age is '5 years', must be one of"),
        ("val/1.jpg,Male\n", "file,gender\n", "no column 'age'; it has file, gender"),
        ("v/1.jpg,0-2,M,W,T\nv/1.jpg,0-2,M,W,T\n", HEADER, r"rows 1, 2: sample_id 'v/1.jpg'"),
        (",0-2,Male,White,True\n", HEADER, "row 1: path is empty"),
    ],
)
def test_fairface_refuses(tmp_path: Path, rows: str, header: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_data(fairface(tmp_path, rows, header))


@pytest.mark.parametrize(
    ("text", "split", "message"),
    [
        ("fairface", None, "must be NAME:ROOT"),
        ("fairface:", None, "must be NAME:ROOT"),
        ("faces:x", None, "no data set 'faces'; known are"),
        ("fairface:/nowhere", None, "no such folder"),
        ("fairface:/nowhere", "test", "--split 'test': fairface has train and val"),
        ("manifest:/nowhere.csv", None, "no such file"),
    ],
)
def test_wrong_names(text: str, split: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_data(text, split)


def test_fairface_takes_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fairface has fixed columns"):
        read_data(f"fairface:{tmp_path}", None, {"age": "x"})


def test_manifest_maps_and_keeps_text_as_written(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("img,id,gender\na.png,007,NA\nb.png,7,\n", encoding="utf-8")
    mapping = {"path": "img", "sample_id": "id"}
    manifest = read_data(f"manifest:{tmp_path / 't.csv'}", None, mapping)
    assert manifest.frame["sample_id"].tolist() == ["007", "7"]
    assert manifest.frame["gender"].tolist()[0] == "NA"
    assert manifest.frame["gender"].isna().tolist() == [False, True]
    assert manifest.paths() == [tmp_path / "a.png", tmp_path / "b.png"]


def test_manifest_reads_parquet_and_absolute_paths(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["/x/a.png"], "sample_id": [12], "age": [30.5]})
    frame.to_parquet(tmp_path / "t.parquet")
    manifest = read_data(f"manifest:{tmp_path / 't.parquet'}")
    assert manifest.paths() == [Path("/x/a.png")]
    assert manifest.frame["sample_id"].tolist() == ["12"]
    assert manifest.frame["age"].tolist() == [30.5]


def test_manifest_keeps_one_split(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,split\na,train\nb,test\n", encoding="utf-8")
    text = f"manifest:{tmp_path / 't.csv'}"
    assert read_data(text, "test").frame["path"].tolist() == ["b"]
    with pytest.raises(InputError, match="no such row; the splits are test, train"):
        read_data(text, "val")


def test_manifest_refuses(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image\na\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'path'; name it with --map path=THEIRS"):
        read_data(f"manifest:{tmp_path / 't.csv'}")
    with pytest.raises(InputError, match="has no column 'split'"):
        read_data(f"manifest:{tmp_path / 't.csv'}", "val", {"path": "image"})
    with pytest.raises(InputError, match="is a folder"):
        read_data(f"manifest:{tmp_path}")


def test_hash_sees_images_come_and_change(tmp_path: Path) -> None:
    text = f"manifest:{toy_faces(tmp_path, 3)}"
    first = content_hash(read_data(text))
    assert content_hash(read_data(text)) == first
    draw(tmp_path / "images/1.png", (9, 9, 9), (30, 30))
    second = content_hash(read_data(text))
    (tmp_path / "images/1.png").unlink()
    assert len({first, second, content_hash(read_data(text))}) == 3


def test_real_fairface_labels(shared_data: Path) -> None:
    manifest = read_data(f"fairface:{shared_data / 'fairface'}", "val")
    assert len(manifest) == 5_000
    assert all(path.is_file() for path in manifest.paths()[::500])
    assert manifest.frame["age"].nunique() == 9
